"""BME280, register by register after its datasheet (BST-BME280-DS002, revision 1.6).

What it measures is set from outside and turned into raw values by looking for those that the
datasheet's floating-point formulas (§8.1) turn back. It knows nothing of the bus.
"""

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from simulators.board.sensirion import Refused, Timer

_STARTUP_S: Final = 0.002
_RESET: Final = 0xE0
_CONTROL_HUMIDITY: Final = 0xF2
_STATUS: Final = 0xF3
_CONTROL: Final = 0xF4
_DATA: Final = 0xF7
_WRITABLE: Final = (_RESET, _CONTROL_HUMIDITY, _CONTROL, 0xF5)
# §9.1: at most, with each quantity once.
_MEASURE_S: Final = 0.0093
_NOT_MEASURED: Final = bytes((0x80, 0, 0, 0x80, 0, 0, 0x80, 0))


@dataclass(frozen=True)
class Trim:
    """Table 16. Those of temperature and pressure are the example of Bosch's BMP280 datasheet."""

    temperature: tuple[int, int, int] = (27504, 26435, -1000)
    pressure: tuple[int, ...] = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    humidity: tuple[int, int, int, int, int, int] = (75, 360, 0, 325, 50, 30)

    def registers(self) -> dict[int, int]:
        """As they lie at 0x88 and 0xE1."""
        h1, h2, h3, h4, h5, h6 = self.humidity
        first = struct.pack("<Hhh", *self.temperature) + struct.pack("<Hhhhhhhhh", *self.pressure)
        shared = (h4 & 0x0F) | (h5 & 0x0F) << 4
        second = struct.pack("<hBbBbb", h2, h3, h4 >> 4, shared, h5 >> 4, h6)
        return dict(enumerate(first + bytes((0, h1)), 0x88)) | dict(enumerate(second, 0xE1))


def fine_temperature(trim: Trim, raw: int) -> float:
    """t_fine of §8.1; 5120 of it are a degree."""
    t1, t2, t3 = trim.temperature
    return (raw / 16384 - t1 / 1024) * t2 + (raw / 131072 - t1 / 8192) ** 2 * t3


def pressure_pa(trim: Trim, raw: int, fine: float) -> float:
    """§8.1."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = trim.pressure
    rest = fine / 2 - 64000
    offset = (rest * rest * p6 / 32768 + rest * p5 * 2) / 4 + p4 * 65536
    slope = (1 + (p3 * rest * rest / 524288 + p2 * rest) / 524288 / 32768) * p1
    pressure = (1048576 - raw - offset / 4096) * 6250 / slope
    return pressure + (p9 * pressure * pressure / 2147483648 + pressure * p8 / 32768 + p7) / 16


def relative_humidity(trim: Trim, raw: int, fine: float) -> float:
    """§8.1, in percent, not yet bounded."""
    h1, h2, h3, h4, h5, h6 = trim.humidity
    rest = fine - 76800
    slope = h2 / 65536 * (1 + h6 / 67108864 * rest * (1 + h3 / 67108864 * rest))
    humidity = (raw - (h4 * 64 + h5 / 16384 * rest)) * slope
    return humidity * (1 - h1 * humidity / 524288)


def _find(wanted: float, of: Callable[[int], float], bits: int) -> int:
    """The raw value whose result is nearest to `wanted`, of a function that rises."""
    low, high = 0, (1 << bits) - 1
    while low < high:
        middle = (low + high) // 2
        if of(middle) < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low == 0 or of(low) - wanted < wanted - of(low - 1) else low - 1


class Bme280:
    """A BME280; set `temperature_c`, `humidity_percent`, `pressure_hpa`, or `raw` for exact values
    (temperature, pressure, humidity).

    `stays_busy`, `skips` (a channel that is not measured) and `forgets` (what is written does not
    last) are faults to set; `identity` is 0x60, a BMP280 has 0x58.
    """

    def __init__(
        self,
        address: int = 0x76,
        *,
        temperature_c: float = 21.0,
        humidity_percent: float = 45.0,
        pressure_hpa: float = 1013.25,
        trim: Trim | None = None,
        timer: Timer = time.monotonic,
    ) -> None:
        self.address = address
        self.connected = True
        self.corrupt_crc = False  # There is none.
        self.temperature_c = temperature_c
        self.humidity_percent = humidity_percent
        self.pressure_hpa = pressure_hpa
        self.raw: tuple[int, int, int] | None = None
        self.identity = 0x60
        self.stays_busy = self.skips = self.forgets = self.untrimmed = False
        self._trim = trim or Trim()
        self._timer = timer
        self._pointer = 0
        self.power_cycle()

    def power_cycle(self) -> None:
        """§5.4: everything is at its reset state, trimming is copied within 2 ms."""
        self._written = dict.fromkeys(_WRITABLE, 0)
        self._humidity_control = 0
        self._result = self._pending = _NOT_MEASURED
        self._ready_at_s = self._timer() + _STARTUP_S
        self._measured_at_s = 0.0

    @property
    def sleeping(self) -> bool:
        """Whether it measures nothing now (§3.3.2)."""
        return self._timer() >= self._measured_at_s

    def write(self, data: bytes) -> None:
        """A register's address, then pairs of a value and the next address (§6.2.1)."""
        if self._timer() < self._ready_at_s - _STARTUP_S / 2:
            raise Refused
        if not data:
            return
        self._pointer = data[0]
        for register, value in zip(data[::2], data[1::2], strict=False):
            self._write_register(register, value)

    def _write_register(self, register: int, value: int) -> None:
        if register == _RESET:
            if value == 0xB6:
                self.power_cycle()
            return
        if register not in _WRITABLE:
            return
        self._written[register] = 0 if self.forgets else value
        if register == _CONTROL:
            # §5.4.3: only now does ctrl_hum count.
            self._humidity_control = self._written[_CONTROL_HUMIDITY]
            if value & 3 in (1, 2):
                self._measure(value)

    def _measure(self, control: int) -> None:
        temperature, pressure, humidity = self.raw or self._raw()
        temperature = temperature if control >> 5 else 0x80000
        pressure = pressure if control >> 2 & 7 and not self.skips else 0x80000
        humidity = humidity if self._humidity_control & 7 else 0x8000
        self._pending = (
            (pressure << 4).to_bytes(3, "big")
            + (temperature << 4).to_bytes(3, "big")
            + humidity.to_bytes(2, "big")
        )
        self._measured_at_s = self._timer() + _MEASURE_S

    def _raw(self) -> tuple[int, int, int]:
        trim = self._trim
        temperature = _find(self.temperature_c * 5120, lambda raw: fine_temperature(trim, raw), 20)
        fine = fine_temperature(trim, temperature)
        pressure = _find(
            -self.pressure_hpa * 100, lambda raw: -max(0.0, pressure_pa(trim, raw, fine)), 20
        )
        humidity = _find(self.humidity_percent, lambda raw: relative_humidity(trim, raw, fine), 16)
        return temperature, pressure, humidity

    def read(self, size: int) -> bytes:
        """Registers from the address last written."""
        start, self._pointer = self._pointer, self._pointer + size
        registers = self._registers()
        return bytes(registers.get(register, 0) for register in range(start, start + size))

    def _registers(self) -> dict[int, int]:
        now_s = self._timer()
        if self.sleeping:
            self._result = self._pending
        starting = now_s < self._ready_at_s
        measuring = not self.sleeping or self.stays_busy
        trim = self._trim.registers()
        if starting or self.untrimmed:
            trim = dict.fromkeys(trim, 0)
        return (
            trim
            | self._written
            | {0xD0: self.identity, _STATUS: int(starting) | measuring << 3}
            | dict(enumerate(self._result, _DATA))
        )
