"""Sensirion SHT4x, temperature and humidity (datasheet SHT4x, version 6).

It knows commands and conversion. It must not know quantities' names or when to measure.
"""

import asyncio

from micropython import const

from drivers.sensirion import WordDevice, hundredths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C

CHIP = "sht4x"

_MEASURE_HIGH = const(b"\xfd")
_SERIAL = const(b"\x89")
_RESET = const(b"\x94")
# A high-repeatability measurement takes at most 8.3 ms, a reset 1 ms. A sleep of n
# ticks may end up to one tick early.
_MEASURE_MS = const(10)
_COMMAND_MS = const(2)


class Sht4x:
    def __init__(self, i2c: I2C, address: int = 0x44) -> None:
        self._device = WordDevice(i2c, CHIP, address, 2)
        self.name = self._device.name

    async def start(self) -> int:
        """Resets the chip and reads its serial number, which proves that it is there."""
        self._device.write(_RESET)
        await asyncio.sleep_ms(_COMMAND_MS)
        self._device.write(_SERIAL)
        await asyncio.sleep_ms(_COMMAND_MS)
        high, low = self._device.read(2)
        return high << 16 | low

    async def measure(self) -> tuple[int, int]:
        """(temperature in 0.01 °C, relative humidity in 0.1 %), the latter within 0 to 100 %
        as the datasheet has it.
        """
        self._device.write(_MEASURE_HIGH)
        await asyncio.sleep_ms(_MEASURE_MS)
        temperature, humidity = self._device.read(2)
        humidity = (1_250 * humidity + 32_767) // 65_535 - 60
        return hundredths(temperature), max(0, min(1000, humidity))
