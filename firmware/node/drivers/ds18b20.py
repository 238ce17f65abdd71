"""Maxim DS18B20, temperature, several on one wire (datasheet DS18B20, 19-7487, revision 6).

Bits, search and checksum are MicroPython's `onewire`. One conversion serves all chips of a wire.
It must not know quantities' names or when to measure.
"""

import asyncio

from micropython import const

from drivers import SensorError, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Buffer, OneWire

CHIP = "ds18b20"

_FAMILY = const(0x28)
_CONVERT = const(0x44)
_READ_SCRATCHPAD = const(0xBE)
# At most 750 ms at 12 bits ("conversion time"); what a chip is set to coarser takes less.
_CONVERT_MS = const(760)
# +85 °C, the register at power-on. A conversion that really gives it is so rare
# that it is not believed.
_POWER_ON = const(0x0550)


def rom_text(rom: Buffer) -> str:
    """As Linux writes it: family, serial number: 28-0000072431a5."""
    return "28-" + "".join("{:02x}".format(byte) for byte in reversed(rom[1:7]))


class Wire:
    """The chips on one pin. `line` is a `onewire.OneWire`, `address` its name ("pin4")."""

    def __init__(self, line: OneWire, address: str) -> None:
        self.line = line
        self.address = address
        self.conversions = 0

    def scan(self) -> list[bytes]:
        """ROMs of the DS18B20 that a search finds and whose checksum is right."""
        if not self.line.pin.value():
            # A search would find a chip of zeros, whose checksum is right, again and again.
            raise SensorError(CHIP, self.address, "the line is held low")
        return [
            bytes(rom) for rom in self.line.scan() if rom[0] == _FAMILY and not self.line.crc8(rom)
        ]

    def chip(self, rom: bytes) -> "Ds18b20":
        """The driver of the chip with this ROM."""
        return Ds18b20(self, rom)

    async def convert(self) -> None:
        """Has all chips measure at once."""
        self.line.reset()
        self.line.writebyte(self.line.SKIP_ROM)
        self.line.writebyte(_CONVERT)
        # Not asked in between: a chip without a supply of its own lives from the idle line.
        await asyncio.sleep_ms(_CONVERT_MS)
        self.conversions += 1


class Ds18b20:
    def __init__(self, wire: Wire, rom: bytes) -> None:
        self._wire = wire
        self._rom = rom
        self._address = rom_text(rom)
        self._scratchpad = bytearray(9)
        self._read_of = 0
        self.name = place(CHIP, self._address)

    def _error(self, cause: str) -> SensorError:
        return SensorError(CHIP, self._address, cause)

    def _read(self) -> int:
        """The temperature register in 1/16 °C."""
        line = self._wire.line
        data = self._scratchpad
        if not line.reset():
            raise self._error("no presence on the line")
        line.select_rom(self._rom)
        line.writebyte(_READ_SCRATCHPAD)
        line.readinto(data)
        if data == b"\xff" * 9:
            # Read as a temperature: the -127 that other firmware shows.
            raise self._error("no answer")
        if line.crc8(data):
            raise self._error("checksum is wrong")
        # Configuration register: its low five bits are ones. Only zeros: a line that is held low.
        if data[4] & 0x9F != 0x1F:
            raise self._error("the line is held low, or this is no DS18B20")
        raw = data[0] | data[1] << 8
        # Bits that a coarser resolution leaves undefined.
        return (raw - 0x10000 if raw & 0x8000 else raw) & ~0 << 3 - (data[4] >> 5)

    async def start(self) -> int:
        """Reads the chip, which proves that it is there."""
        return self._read()

    async def measure(self) -> tuple[int]:
        """(temperature in 0.01 °C,)."""
        raw = _POWER_ON
        # Twice, since a chip that lost its power during the conversion says 85 °C as well.
        for _ in range(2):
            if self._read_of == self._wire.conversions:
                await self._wire.convert()
            raw = self._read()
            self._read_of = self._wire.conversions
            if raw != _POWER_ON:
                break
        else:
            raise self._error("85.0 °C, the value at power-on: it did not measure")
        if not -55 * 16 <= raw <= 125 * 16:
            raise self._error("{} °C is out of range".format(raw // 16))
        return ((raw * 100 + 8) // 16,)
