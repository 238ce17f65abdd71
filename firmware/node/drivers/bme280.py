"""Bosch BME280, temperature, humidity, pressure (datasheet BST-BME280-DS002, revision 1.6):
forced mode, in which the chip sleeps between measurements and hardly warms itself.

The chip has no checksum: identity, trimming values, what was written, and the value of a skipped
channel are checked instead. It must not know quantities' names or when to measure.
"""

import asyncio
import struct

from micropython import const

from drivers import SensorError, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C

CHIP = "bme280"

# §5.3, table 18
_TRIM = const(0x88)
_ID = const(0xD0)
_RESET = const(0xE0)
_TRIM_HUMIDITY = const(0xE1)
_CONTROL_HUMIDITY = const(0xF2)
_STATUS = const(0xF3)
_CONTROL = const(0xF4)
_DATA = const(0xF7)

_IS_BME280 = const(0x60)
_ONCE = const(0x01)
_FORCED = const(0x25)  # temperature and pressure once, mode 01
_SKIPPED = const(0x80000)
_SKIPPED_HUMIDITY = const(0x8000)
_STARTUP_MS = const(3)  # table 1
_MEASURE_MS = const(11)  # §9.1: at most 9.3 ms, each once
_TRIES = const(5)


class Bme280:
    def __init__(self, i2c: I2C, address: int = 0x76) -> None:
        self._i2c = i2c
        self._address = address
        self._data = bytearray(8)
        self._trim = ()
        self.name = place(CHIP, address)

    def _error(self, cause: str) -> SensorError:
        return SensorError(CHIP, self._address, cause)

    def _read(self, register: int, into: bytearray) -> bytearray:
        try:
            self._i2c.writeto(self._address, bytes((register,)))
            self._i2c.readfrom_into(self._address, into)
        except OSError as error:
            raise self._error("no answer ({})".format(error))
        return into

    def _write(self, register: int, value: int) -> None:
        try:
            self._i2c.writeto(self._address, bytes((register, value)))
        except OSError as error:
            raise self._error("no acknowledgement ({})".format(error))

    async def _until(self, bit: int, what: str) -> None:
        status = bytearray(1)
        for _ in range(_TRIES):
            if not self._read(_STATUS, status)[0] & bit:
                return
            await asyncio.sleep_ms(_STARTUP_MS)
        raise self._error(what + " does not end")

    async def start(self) -> int:
        """Checks the chip's identity, resets it and reads its trimming values (table 16)."""
        identity = self._read(_ID, bytearray(1))[0]
        if identity != _IS_BME280:
            raise self._error("is no BME280: id 0x{:02x}".format(identity))
        self._write(_RESET, 0xB6)
        await asyncio.sleep_ms(_STARTUP_MS)
        await self._until(0x01, "start")
        first = self._read(_TRIM, bytearray(26))
        second = self._read(_TRIM_HUMIDITY, bytearray(7))
        if len(set(first)) == 1 or len(set(second)) == 1:
            raise self._error("trimming values are empty")
        h2, h3, e4, e5, e6, h6 = struct.unpack("<hBbBbb", second)
        # dig_H4 and dig_H5 share a byte, and both are signed.
        humidity = (first[25], h2, h3, e4 * 16 + (e5 & 15), e6 * 16 + (e5 >> 4), h6)
        self._trim = struct.unpack("<HhhHhhhhhhhh", first) + humidity
        return identity

    async def measure(self) -> tuple[int, int, int]:
        """(temperature in 0.01 °C, humidity in 0.1 %, pressure in 0.01 hPa)."""
        # §5.4.3: what is written to ctrl_hum only counts with the next write to ctrl_meas.
        self._write(_CONTROL_HUMIDITY, _ONCE)
        if self._read(_CONTROL_HUMIDITY, bytearray(1))[0] & 7 != _ONCE:
            raise self._error("does not keep what is written")
        self._write(_CONTROL, _FORCED)
        await asyncio.sleep_ms(_MEASURE_MS)
        await self._until(0x08, "measurement")
        data = self._read(_DATA, self._data)
        pressure = data[0] << 12 | data[1] << 4 | data[2] >> 4
        temperature = data[3] << 12 | data[4] << 4 | data[5] >> 4
        humidity = data[6] << 8 | data[7]
        if temperature == _SKIPPED or pressure == _SKIPPED or humidity == _SKIPPED_HUMIDITY:
            raise self._error("did not measure")
        return self._checked(compensate(self._trim, temperature, pressure, humidity))

    def _checked(self, values: tuple[int, int, int]) -> tuple[int, int, int]:
        # Table 1 to 3: what the chip can measure. Bytes lost on the way leave these bounds.
        if not (-4_000 <= values[0] <= 8_500 and 30_000 <= values[2] <= 110_000):
            raise self._error("{!r} is out of range".format(values))
        return values


def compensate(
    trim: tuple[int, ...], raw_temperature: int, raw_pressure: int, raw_humidity: int
) -> tuple[int, int, int]:
    """(0.01 °C, 0.1 %, 0.01 hPa) from the raw values: the integer formulas of §4.2.3, that of
    the pressure in its 64-bit form.
    """
    t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9, h1, h2, h3, h4, h5, h6 = trim
    step = (raw_temperature >> 4) - t1
    fine = (((raw_temperature >> 3) - (t1 << 1)) * t2 >> 11) + (((step * step >> 12) * t3) >> 14)

    rest = fine - 128_000
    scale = rest * rest * p6 + (rest * p5 << 17) + (p4 << 35)
    slope = (rest * rest * p3 >> 8) + (rest * p2 << 12)
    slope = ((1 << 47) + slope) * p1 >> 33
    pressure = 0
    if slope:
        pressure = ((1_048_576 - raw_pressure << 31) - scale) * 3125 // slope
        square = p9 * (pressure >> 13) * (pressure >> 13) >> 25
        pressure = (pressure + square + (p8 * pressure >> 19) >> 8) + (p7 << 4)

    rest = fine - 76_800
    humidity = (raw_humidity << 14) - (h4 << 20) - h5 * rest + 16_384 >> 15
    factor = ((rest * h6 >> 10) * ((rest * h3 >> 11) + 32_768) >> 10) + 2_097_152
    humidity *= factor * h2 + 8_192 >> 14
    humidity -= ((humidity >> 15) * (humidity >> 15) >> 7) * h1 >> 4
    humidity = max(0, min(419_430_400, humidity)) >> 12

    # Q22.10 percent and Q24.8 pascal.
    return (fine * 5 + 128) >> 8, (humidity * 10 + 512) >> 10, (pressure + 128) >> 8
