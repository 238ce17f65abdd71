"""Sensirion SHT3x (SHT30, SHT31, SHT35), temperature and humidity (datasheet SHT3x-DIS,
version 5): single shots of high repeatability, without clock stretching.

It knows commands and conversion. It must not know quantities' names or when to measure.
"""

import asyncio

from micropython import const

from drivers.sensirion import WordDevice, hundredths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C

CHIP = "sht3x"

_MEASURE_HIGH = const(0x2400)  # Table 9
_RESET = const(0x30A2)
_STATUS = const(0xF32D)  # Table 17
# At most 15.5 ms for a measurement, 1.5 ms for a reset. A sleep of n ticks may end up to
# one tick early.
_MEASURE_MS = const(17)
_RESET_MS = const(3)
_COMMAND_MS = const(2)


class Sht3x:
    def __init__(self, i2c: I2C, address: int = 0x44) -> None:
        self._device = WordDevice(i2c, CHIP, address, 2)
        self.name = self._device.name

    async def start(self) -> int:
        """Resets the chip and reads its status, which proves that it is there."""
        self._device.send(_RESET)
        await asyncio.sleep_ms(_RESET_MS)
        return (await self._device.ask(_STATUS, _COMMAND_MS, 1))[0]

    async def measure(self) -> tuple[int, int]:
        """(temperature in 0.01 °C, relative humidity in 0.1 %): §4.13."""
        temperature, humidity = await self._device.ask(_MEASURE_HIGH, _MEASURE_MS, 2)
        return hundredths(temperature), (1_000 * humidity + 32_767) // 65_535
