"""Sensirion SCD4x, CO2 (datasheet SCD4x, version 1.3): periodic measurement every 5 s, or on an
SCD41 single shots, for nodes that sleep. What is done at the start and for a calibration lies in
`scd4x_setup` and `scd4x_calibration`.

It knows commands, timings and conversion. It must not know quantities' names or when to measure.
"""

import time

import seldom
from micropython import const

from drivers.sensirion import WordDevice, hundredths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C

CHIP = "scd4x"

_START = const(0x21B1)
_READ = const(0xEC05)
_READY = const(0xE4B8)
# Table 9 of the datasheet; one more for the tick a sleep may lose.
_COMMAND_MS = const(2)
_SILENT_MAX_MS = const(15_000)


class Scd4x:
    """With `single`, single shots, which an SCD40 does not know. `cold` is whether the chip may
    just have got its power.
    """

    def __init__(
        self, i2c: I2C, address: int = 0x62, single: bool = False, cold: bool = True
    ) -> None:
        self.device = WordDevice(i2c, CHIP, address, 3)
        self.name = self.device.name
        self.heard_ms = time.ticks_ms()
        self.single = single
        self.cold = cold
        self.wanted_abc: bool | None = None
        self.abc: bool | None = None

    async def start(self) -> int:
        """Proves that the chip is there, sets it up and starts it; its serial number."""
        return await seldom.load("drivers.scd4x_setup").start(self)

    async def calibrate(self, target_ppm: int) -> int:
        """Forced recalibration to the CO2 there is; the correction made in ppm."""
        return await seldom.load("drivers.scd4x_calibration").calibrate(self, target_ppm)

    def begin(self) -> None:
        """Starts measuring periodically."""
        self.device.send(_START)
        self.heard_ms = time.ticks_ms()

    async def measure(self) -> tuple[int, int, int] | None:
        """(CO2 in ppm, temperature in 0.01 °C, humidity in 0.1 %), the latest of the chip, or
        None when it has none that was not read before.
        """
        device = self.device
        if self.single:
            await seldom.load("drivers.scd4x_setup").shoot(self)
        if not (await device.ask(_READY, _COMMAND_MS, 1))[0] & 0x07FF:
            if self.single:
                raise device.error("a single shot gave no value")
            if time.ticks_diff(time.ticks_ms(), self.heard_ms) > _SILENT_MAX_MS:
                raise device.error("no value for 15 s")
            return None
        co2_ppm, temperature, humidity = await device.ask(_READ, _COMMAND_MS, 3)
        self.heard_ms = time.ticks_ms()
        self.cold = False
        return co2_ppm, hundredths(temperature), (1_000 * humidity + 32_767) // 65_535
