"""The chip's own modules, `machine`, `network`, `esp32`, `neopixel` and `onewire`, as far as the
firmware uses them and as strict as on the ESP32. The program on the board knows their names only
(`port/remote.py`), because on the chip they take nothing of its heap.

A request is a Python literal: (path,) for a constant, (path, arguments, keywords) for a call; a
path begins with a module or the number of an object. A set of one is an object or a pin. It knows
the wire's surroundings and buses, and nothing of processes.
"""

import ast
import errno
import json
from collections.abc import Iterable
from functools import partialmethod
from typing import Any, Final

from simulators.board.bus import Wire
from simulators.board.onewire import OneWireBus, crc8
from simulators.board.wlan import Network

# The ESP32 counts a stretched clock in 20 bits of 80 MHz, whatever it is told.
_STRETCH_MAX_US: Final = 13_107
_RTC_MEMORY_MAX: Final = 2048
_HEAP_DATA: Final = 4


def _brings(wire: Wire, kind: type["_Part"]) -> type["_Part"]:
    """The class as the program knows it: without a word of the wire."""
    return type(kind.__name__, (kind,), {"__init__": partialmethod(kind.__init__, wire)})


class Soc:
    """What one run of a program has made of the chip's modules."""

    def __init__(self, wire: Wire) -> None:
        modules = (_Machine, Network, _Esp32, _NeoPixelModule, _OneWireModule)
        self._things: dict[str, Any] = {module.name: module(wire) for module in modules}
        self._wire = wire

    def perform(self, request: bytes) -> bytes:
        """The answer: b and bytes, r and a path, f and what the last argument is filled with, t and
        how far time is put ahead, j and JSON; or e and JSON of an exception's name and argument.
        """
        path, *call = ast.literal_eval(request.decode())
        try:
            return self._encode(path, self._called(path, *call) if call else self._at(path))
        except OSError as error:
            return b"e" + json.dumps(["OSError", error.errno or str(error)]).encode()
        except (ValueError, TypeError, AttributeError) as error:
            return b"e" + json.dumps([type(error).__name__, str(error)]).encode()

    def _at(self, path: str) -> Any:
        first, *names = path.split(".")
        thing = self._things[first]
        for name in names:
            if name.startswith("_") and name != "__setitem__":
                raise AttributeError(name)
            thing = getattr(thing, name)
        return thing

    def _called(self, path: str, arguments: Iterable[Any], keywords: dict[str, Any]) -> Any:
        given = {name: self._given(value) for name, value in keywords.items()}
        return self._at(path)(*map(self._given, arguments), **given)

    def _given(self, value: Any) -> Any:
        if not isinstance(value, set):
            return value
        (of,) = value
        return _Pin(self._wire, of) if isinstance(of, int) else self._things[of]

    def _encode(self, path: str, value: Any) -> bytes:
        if isinstance(value, bytes):
            return b"b" + value
        if isinstance(value, _Filling):
            return b"f" + value
        if isinstance(value, _Ahead):
            return b"t" + str(value).encode()
        if value is None or isinstance(value, int | str | list):
            return b"j" + json.dumps(value).encode()
        if not callable(value):
            path = self._known(value)
        # Else a class or a function: known by where it is.
        return b"r" + path.encode()

    def _known(self, made: Any) -> str:
        """The path of an object, new or not."""
        for path, thing in self._things.items():
            if thing is made:
                return path
        path = str(len(self._things))
        self._things[path] = made
        return path


class _Filling(bytearray):
    """What a buffer is filled with."""


class _Ahead(int):
    """How far the chip's count of milliseconds is put ahead."""


class _Part:
    """A module, or an object that the program has made."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire


class _Pin(_Part):
    """Of a bus: the program's own pins are in `port/machine_pin.py`."""

    def __init__(self, wire: Wire, id: int) -> None:
        super().__init__(wire)
        self.id = id

    def value(self) -> int:
        return self._wire.level(self.id)


class _I2c(_Part):
    def __init__(
        self,
        wire: Wire,
        id: int = 0,
        *,
        scl: _Pin,
        sda: _Pin,
        freq: int = 400_000,
        timeout: int = 50_000,
    ) -> None:
        super().__init__(wire)
        if id not in (0, 1):
            raise ValueError("invalid I2C")
        self._open(scl, sda, freq, min(timeout, _STRETCH_MAX_US), soft=False)

    def _open(self, scl: _Pin, sda: _Pin, freq: int, timeout: int, *, soft: bool) -> None:
        if not 0 < freq <= 1_000_000:
            raise ValueError("invalid freq")
        self._wire.i2c.open(freq, timeout, scl.id, sda.id, soft)

    def scan(self) -> list[int]:
        return list(self._wire.i2c.scan())

    def writeto(self, addr: int, buf: bytes, stop: bool = True) -> int:
        self._transferred(self._wire.i2c.write(addr, buf))
        return len(buf)

    def readfrom_into(self, addr: int, buf: bytes, stop: bool = True) -> _Filling:
        return _Filling(self._transferred(self._wire.i2c.read(addr, len(buf))))

    def _transferred(self, answer: tuple[int, bytes]) -> bytes:
        if answer[0]:
            raise OSError(answer[0], "I2C")
        return answer[1]


class _SoftI2c(_I2c):
    """Waits for a stretched clock as long as it is told."""

    def __init__(
        self, wire: Wire, scl: _Pin, sda: _Pin, *, freq: int = 400_000, timeout: int = 50_000
    ) -> None:
        _Part.__init__(self, wire)
        self._open(scl, sda, freq, timeout, soft=True)


class _Wdt(_Part):
    def __init__(self, wire: Wire, id: int = 0, timeout: int = 5000) -> None:
        super().__init__(wire)
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        wire.start_watchdog(timeout)

    def feed(self) -> "_Ahead":
        self._wire.feed_watchdog()
        return _Ahead(self._wire.surroundings.ahead_ms)


class _Rtc(_Part):
    """Its memory survives all but a loss of power."""

    def memory(self, data: bytes | None = None) -> bytes | None:
        kept = self._wire.chip.rtc_memory
        if data is None:
            return kept.read_bytes() if kept.exists() else b""
        if len(data) > _RTC_MEMORY_MAX:
            raise ValueError("buffer too long")
        kept.write_bytes(data)
        return None


class _Adc(_Part):
    """Of the converter that works beside Wi-Fi; it saturates as at 11 dB."""

    ATTN_11DB = 3

    def __init__(self, wire: Wire, pin: _Pin | int, atten: int = 0) -> None:
        super().__init__(wire)
        self._id = pin if isinstance(pin, int) else pin.id
        if not 32 <= self._id <= 39:
            raise ValueError("ADC2 does not work beside Wi-Fi")
        self._full_uv = 3_100_000 if atten == self.ATTN_11DB else 950_000

    def read_uv(self) -> int:
        return min(self._full_uv, self._wire.surroundings.analog_uv[self._id])


class _Uart(_Part):
    """Without timeout: a read gives what has arrived."""

    def __init__(
        self,
        wire: Wire,
        id: int,
        baudrate: int = 115_200,
        tx: int | None = None,
        rx: int | None = None,
    ) -> None:
        super().__init__(wire)
        if id not in (1, 2):
            raise ValueError(f"UART({id}) is the console or doesn't exist")
        self._id, self._baudrate = id, baudrate

    def write(self, buf: bytes) -> int:
        self._wire.send_serial(self._id, buf, self._baudrate)
        return len(buf)

    def any(self) -> int:
        return len(self._wire.arrived(self._id))

    def read(self, nbytes: int = 256) -> bytes | None:
        return self._taken(nbytes) or None

    def readinto(self, buf: bytes) -> _Filling:
        return _Filling(self._taken(len(buf)))

    def _taken(self, size: int) -> bytes:
        waiting = self._wire.arrived(self._id)
        taken = bytes(waiting[:size])
        del waiting[:size]
        return taken


class _Machine(_Part):
    name = "machine"
    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(1, 6)

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.I2C = _brings(wire, _I2c)
        self.SoftI2C = _brings(wire, _SoftI2c)
        self.WDT = _brings(wire, _Wdt)
        self.RTC = _brings(wire, _Rtc)
        self.ADC = _brings(wire, _Adc)
        self.UART = _brings(wire, _Uart)

    def unique_id(self) -> bytes:
        return bytes.fromhex(self._wire.chip.node)

    def reset_cause(self) -> int:
        return self._wire.chip.reset_cause

    def reset(self) -> None:
        self._wire.reset(self.HARD_RESET, 0)

    def deepsleep(self, time_ms: int = 0) -> None:
        self._wire.reset(self.DEEPSLEEP_RESET, time_ms)

    def dht_readinto(self, pin: _Pin, buf: bytes) -> _Filling:
        chip = self._wire.chips.dht22.get(pin.id)
        answer = chip.read() if chip else None
        if answer is None:
            raise OSError(errno.ETIMEDOUT, "no answer")
        return _Filling(answer[: len(buf)])


class _Esp32(_Part):
    name = "esp32"
    HEAP_DATA = _HEAP_DATA

    def idf_heap_info(self, capabilities: int) -> list[list[int]]:
        """Of each region: total, free, largest free block, minimum free ever."""
        return [[114_000, 61_000, 45_056, 52_000], [16_000, 3_000, 2_048, 1_000]]


class _NeoPixel(_Part):
    """Three bytes an LED, in the order green, red, blue on the wire."""

    def __init__(self, wire: Wire, pin: _Pin, n: int) -> None:
        super().__init__(wire)
        self._pin, self._colours = pin, [(0, 0, 0)] * n

    def __setitem__(self, index: int, colour: tuple[int, int, int]) -> None:
        red, green, blue = bytes(colour)
        self._colours[index] = red, green, blue

    def write(self) -> None:
        self._wire.surroundings.leds[self._pin.id] = list(self._colours)


class _NeoPixelModule(_Part):
    name = "neopixel"

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.NeoPixel = _brings(wire, _NeoPixel)


class _OneWire(_Part):
    """The bits are the bus's; the search is the datasheet's (Maxim application note 187)."""

    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    def __init__(self, wire: Wire, pin: _Pin) -> None:
        super().__init__(wire)
        self.pin = pin
        wire.i2c.take(pin.id)
        wire.surroundings.pulls[pin.id] = 1
        # An open line, with nothing on it, reads ones.
        self._bus = wire.chips.wires.get(pin.id) or OneWireBus()

    def reset(self) -> bool:
        return self._bus.reset()

    def readbyte(self) -> int:
        return self._bus.read(8)

    def readinto(self, buf: bytes) -> _Filling:
        return _Filling(self._bus.read(8) for _ in buf)

    def writebyte(self, value: int) -> None:
        self._bus.write(value, 8)

    def select_rom(self, rom: bytes) -> None:
        self.reset()
        for byte in (self.MATCH_ROM, *rom):
            self.writebyte(byte)

    def scan(self) -> list[list[int]]:
        """The chip gives bytearrays."""
        found: list[list[int]] = []
        last, rom = -1, bytearray(8)
        for _ in range(64):
            after = self._search(rom, last)
            if after is None:
                break
            found.append(list(rom))
            last = after
            if last < 0:
                break
        return found

    def _search(self, rom: bytearray, last: int) -> int | None:
        """The next ROM, and where it last took the branch of a zero; None for no answer."""
        if not self.reset():
            return None
        self.writebyte(self.SEARCH_ROM)
        zero = -1
        for at in range(64):
            bit, inverse = self._bus.read(1), self._bus.read(1)
            if bit and inverse:
                return None
            if not bit and not inverse:
                bit = 1 if at == last else rom[at // 8] >> at % 8 & 1 if at < last else 0
                if not bit:
                    zero = at
            self._bus.write(bit, 1)
            rom[at // 8] = rom[at // 8] & ~(1 << at % 8) | bit << at % 8
        return zero

    def crc8(self, data: Iterable[int]) -> int:
        return crc8(bytes(data))


class _OneWireModule(_Part):
    name = "onewire"

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.OneWire = _brings(wire, _OneWire)
