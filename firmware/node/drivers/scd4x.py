"""Sensirion SCD4x, CO2 (datasheet SCD4x, version 1.5): periodic measurement every 5 s, or on an
SCD41 single shots, for nodes that sleep.

It knows commands, timings and conversion. It must not know quantities' names or when to measure.
"""

import asyncio
import time

from micropython import const

from drivers import SensorError
from drivers.sensirion import WordDevice, hundredths

CHIP = "scd4x"
ADDRESSES = (0x62,)

_START = const(0x21B1)
_STOP = const(0x3F86)
_READ = const(0xEC05)
_READY = const(0xE4B8)
_SERIAL = const(0x3682)
_RECALIBRATE = const(0x362F)
_SET_ABC = const(0x2416)
_GET_ABC = const(0x2313)
_PERSIST = const(0x3615)
_SINGLE_SHOT = const(0x219D)

# Table 9 of the datasheet; one more for the tick a sleep may lose.
_COMMAND_MS = const(2)
_STOP_MS = const(501)
_RECALIBRATE_MS = const(401)
_PERSIST_MS = const(801)
_SINGLE_SHOT_MS = const(5001)
_SILENT_MAX_MS = const(15_000)


class Scd4x:
    """With `single`, single shots where the chip can: an SCD40 refuses them and measures
    periodically. `cold` is whether the chip has just got its power.
    """

    def __init__(self, i2c, address: int = 0x62, single: bool = False, cold: bool = True):
        self._device = WordDevice(i2c, CHIP, address, 3)
        self._heard_ms = time.ticks_ms()
        self._single = single
        self._discard = self._cold = cold
        self.name = self._device.name
        self.wanted_abc: bool | None = None
        self.abc: bool | None = None

    async def start(self):
        """Stops what may still run from before a reset, reads the serial number, sets automatic
        self-calibration (§3.7.2, kept by the chip) and starts periodic measurement, whose first
        value is there after 5 s.
        """
        device = self._device
        device.send(_STOP)
        await asyncio.sleep_ms(_STOP_MS)
        high, middle, low = await device.ask(_SERIAL, _COMMAND_MS, 3)
        self.abc = bool((await device.ask(_GET_ABC, _COMMAND_MS, 1))[0])
        if self.wanted_abc not in (None, self.abc):
            device.send(_SET_ABC, int(self.wanted_abc))
            await asyncio.sleep_ms(_COMMAND_MS)
            # The chip's memory bears 2,000 writes (§3.9.1): only for a change.
            device.send(_PERSIST)
            await asyncio.sleep_ms(_PERSIST_MS)
            self.abc = self.wanted_abc
        self._discard, self._cold = self._cold, True
        if not self._single:
            self._begin()
        return high << 32 | middle << 16 | low

    def _begin(self):
        self._device.send(_START)
        self._heard_ms = time.ticks_ms()

    async def measure(self):
        """(CO2 in ppm, temperature in 0.01 °C, humidity in 0.1 %), the latest of the chip, or
        None when it has none that was not read before.
        """
        device = self._device
        if self._single and not await self._shoot():
            return None
        if not (await device.ask(_READY, _COMMAND_MS, 1))[0] & 0x07FF:
            if time.ticks_diff(time.ticks_ms(), self._heard_ms) > _SILENT_MAX_MS:
                raise device.error("no value for 15 s")
            return None
        co2_ppm, temperature, humidity = await device.ask(_READ, _COMMAND_MS, 3)
        self._heard_ms = time.ticks_ms()
        return co2_ppm, hundredths(temperature), (1_000 * humidity + 32_767) // 65_535

    async def _shoot(self):
        """Whether a single shot is there to be read. The first after power-on is worth nothing
        (§3.10.1) and another is made.
        """
        for _ in range(2 if self._discard else 1):
            try:
                self._device.send(_SINGLE_SHOT)
            except SensorError:
                self._single = False
                self._begin()
                return False
            self._heard_ms = time.ticks_ms()
            await asyncio.sleep_ms(_SINGLE_SHOT_MS)
        self._discard = False
        return True

    async def calibrate(self, target_ppm: int) -> int:
        """Forced recalibration (§3.7.1) to the CO2 there is, after 3 minutes of measuring in
        it; the correction made in ppm. Measuring goes on afterwards, whatever came of it.
        """
        device = self._device
        device.send(_STOP)
        try:
            await asyncio.sleep_ms(_STOP_MS)
            device.send(_RECALIBRATE, target_ppm)
            await asyncio.sleep_ms(_RECALIBRATE_MS)
            (answer,) = device.read(1)
        finally:
            if not self._single:
                self._begin()
        if answer == 0xFFFF:
            raise device.error("recalibration failed, it wants 3 minutes of measuring before")
        return answer - 0x8000
