"""A 1-Wire bus bit by bit, and DS18B20s on it as their datasheet (19-7487, revision 6) has them.

The line is the AND of what all devices put on it. It knows nothing of pins.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

Timer = Callable[[], float]

_SEARCH: Final = 0xF0
_READ_ROM: Final = 0x33
_MATCH: Final = 0x55
_SKIP: Final = 0xCC
_CONVERT: Final = 0x44
_READ_SCRATCHPAD: Final = 0xBE
_WRITE_SCRATCHPAD: Final = 0x4E
_POWER_ON: Final = 0x0550


def crc8(data: bytes) -> int:
    """Maxim's: polynomial 0x8C reflected, initial 0; 02 1C B8 01 00 00 00 gives A2."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


class Device(Protocol):
    """Something on the wire."""

    connected: bool

    def reset(self) -> None:
        """A reset pulse."""

    def write_bit(self, bit: int) -> None:
        """The master wrote a bit."""

    def read_bit(self) -> int:
        """What the device puts on the line in a read slot."""

    def power_cycle(self) -> None:
        """Forget what is not kept without power."""


class OneWireBus:
    """Devices on one line. `held_low` is a short to ground."""

    def __init__(self, *devices: Device) -> None:
        self.devices = list(devices)
        self.held_low = False

    @property
    def level(self) -> int:
        """Of the idle line."""
        return 0 if self.held_low else 1

    def _present(self) -> list[Device]:
        return [device for device in self.devices if device.connected]

    def reset(self) -> bool:
        """Whether something answers the reset pulse with presence."""
        for device in self._present():
            device.reset()
        return self.held_low or bool(self._present())

    def write(self, value: int, bits: int) -> None:
        """Bits of `value`, the lowest first."""
        for at in range(bits):
            for device in self._present():
                device.write_bit(0 if self.held_low else value >> at & 1)

    def read(self, bits: int) -> int:
        """As many bits, the lowest first."""
        value = 0
        for at in range(bits):
            levels = [device.read_bit() for device in self._present()]
            value |= (0 if self.held_low else int(all(levels))) << at
        return value


class Ds18b20:
    """A DS18B20; set `temperature_c`.

    `flip` is (byte, bits) of the scratchpad that are wrong on the way; `unpowered` one that forgets
    each conversion and shows the value at power-on; `silent` one that is found and then says
    nothing; `bits` its resolution.
    """

    def __init__(
        self,
        serial: int,
        temperature_c: float = 20.0,
        *,
        bits: int = 12,
        timer: Timer = time.monotonic,
    ) -> None:
        body = bytes((0x28,)) + serial.to_bytes(6, "little")
        self.rom = body + bytes((crc8(body),))
        self.temperature_c = temperature_c
        self.connected = True
        self.unpowered = self.silent = False
        self.flip: tuple[int, int] | None = None
        self.register = _POWER_ON
        self._bits = bits
        self._timer = timer
        self._converted_at_s: float | None = None
        self.reset()

    def power_cycle(self) -> None:
        """The register is 85 °C again."""
        self.register, self._converted_at_s = _POWER_ON, None
        self.reset()

    def reset(self) -> None:
        """Wait for a ROM command."""
        self._input: list[int] = []
        self._output: list[int] = []
        self._state = "rom"
        self._search_step = 0

    def write_bit(self, bit: int) -> None:
        """§1-Wire bus system: ROM command, then function command."""
        if self._state == "search":
            self._search(bit)
            return
        if self._state == "idle":
            return
        self._input.append(bit)
        if self._state == "match":
            if len(self._input) == 64:
                self._input, self._state = [], "function" if self._bytes() == self.rom else "idle"
            return
        if len(self._input) == 8:
            command = self._bytes()[0]
            if self._state == "rom":
                self._rom_command(command)
            else:
                self._function(command)
            if self._state != "match":
                self._input = []

    def read_bit(self) -> int:
        """Bits that are due; else high, or low while it converts."""
        self._finish()
        if self._state == "search" and self._search_step % 3 < 2:
            bit = self._rom_bit() ^ (self._search_step % 3)
            self._search_step += 1
            return bit
        if self._output:
            return self._output.pop(0)
        return 0 if self._state == "converting" and self._converted_at_s is not None else 1

    def _bytes(self) -> bytes:
        bits = self._input
        return bytes(
            sum(bit << at for at, bit in enumerate(bits[start : start + 8]))
            for start in range(0, len(bits), 8)
        )

    def _rom_bit(self) -> int:
        at = self._search_step // 3
        return self.rom[at // 8] >> at % 8 & 1

    def _search(self, bit: int) -> None:
        if bit != self._rom_bit():
            self._state = "idle"
            return
        self._search_step += 1
        if self._search_step == 192:
            self._state = "function"

    def _rom_command(self, command: int) -> None:
        states = {_SEARCH: "search", _MATCH: "match", _SKIP: "function", _READ_ROM: "function"}
        self._state = states.get(command, "idle")
        if command == _MATCH:
            self._input = []
        elif command == _READ_ROM:
            self._put(self.rom)

    def _function(self, command: int) -> None:
        self._finish()
        self._state = "idle"
        if self.silent:
            return
        if command == _CONVERT:
            self._state = "converting"
            self._converted_at_s = self._timer() + 0.75 / (1 << 12 - self._bits)
        elif command == _READ_SCRATCHPAD:
            self._put(self._scratchpad())

    def _put(self, data: bytes) -> None:
        self._output = [byte >> at & 1 for byte in data for at in range(8)]

    def _scratchpad(self) -> bytes:
        register = self.register.to_bytes(2, "little")
        data = bytearray(
            register + bytes((0x4B, 0x46, (self._bits - 9) << 5 | 0x1F, 0xFF, 0x0C, 0x10))
        )
        data.append(crc8(bytes(data)))
        if self.flip is not None:
            data[self.flip[0]] ^= self.flip[1]
        return bytes(data)

    def _finish(self) -> None:
        if self._converted_at_s is None or self._timer() < self._converted_at_s:
            return
        self._converted_at_s = None
        raw = round(self.temperature_c * 16)
        # Coarser, the low bits are undefined; the real ones leave what was there.
        self.register = _POWER_ON if self.unpowered else raw & 0xFFFF
