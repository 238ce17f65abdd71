"""Sensirion SCD30, CO2 (interface description SCD30, version 1.0): a measurement every 2 s.

The chip stretches the clock by up to 150 ms and wants at most 100 kHz (§1.1): the bus must bear
both, which the I2C of an ESP32 in hardware does not. It knows commands and conversion, and must
not know quantities' names or when to measure.
"""

import asyncio
import struct
import time

from micropython import const

from drivers.sensirion import WordDevice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C

CHIP = "scd30"

_START = const(0x0010)  # The argument is the ambient pressure in mbar, 0 for none.
_INTERVAL = const(0x4600)
_READY = const(0x0202)
_READ = const(0x0300)
_ABC = const(0x5306)
_RECALIBRATE = const(0x5204)
_FIRMWARE = const(0xD100)

_INTERVAL_S = const(2)
# More than 3 ms between writing a command and reading its answer.
_COMMAND_MS = const(5)
_SETTLED_MS = const(120_000)
_SILENT_MAX_MS = const(15_000)


class Scd30:
    def __init__(self, i2c: I2C, address: int = 0x61) -> None:
        self._device = WordDevice(i2c, CHIP, address, 6)
        self._started_ms = self._heard_ms = time.ticks_ms()
        self.name = self._device.name
        self.wanted_abc: bool | None = None
        self.abc: bool | None = None

    async def _set(self, command: int, value: int) -> None:
        """Sets what the chip keeps without power, only where it differs: its memory wears."""
        if (await self._device.ask(command, _COMMAND_MS, 1))[0] != value:
            self._device.send(command, value)
            await asyncio.sleep_ms(_COMMAND_MS)

    async def start(self) -> int:
        """Reads the chip's firmware version, sets interval and automatic self-calibration, and
        starts measuring; the first value is there after some seconds.
        """
        (version,) = await self._device.ask(_FIRMWARE, _COMMAND_MS, 1)
        await self._set(_INTERVAL, _INTERVAL_S)
        if self.wanted_abc is not None:
            await self._set(_ABC, int(self.wanted_abc))
        self.abc = bool((await self._device.ask(_ABC, _COMMAND_MS, 1))[0])
        self._device.send(_START, 0)
        self._started_ms = self._heard_ms = time.ticks_ms()
        return version

    async def measure(self) -> tuple[int, int, int] | None:
        """(CO2 in ppm, temperature in 0.01 °C, humidity in 0.1 %), or None when there is none
        that was not read before.
        """
        device = self._device
        if (await device.ask(_READY, _COMMAND_MS, 1))[0] != 1:
            if time.ticks_diff(time.ticks_ms(), self._heard_ms) > _SILENT_MAX_MS:
                raise device.error("no value for 15 s")
            return None
        words = await device.ask(_READ, _COMMAND_MS, 6)
        self._heard_ms = time.ticks_ms()
        co2_ppm, temperature, humidity = struct.unpack(">fff", struct.pack(">HHHHHH", *words))
        # What is no number compares with nothing. 0 ppm is what it says before its first value.
        if not (0 <= co2_ppm <= 40_000 and -50 < temperature < 130 and 0 <= humidity < 101):
            raise device.error("values are no measurement")
        if not co2_ppm:
            return None
        return round(co2_ppm), round(temperature * 100), min(1000, round(humidity * 10))

    async def calibrate(self, target_ppm: int) -> None:
        """Forced recalibration to the CO2 there is, after 2 minutes of measuring in it,
        which this holds to because the chip does not. The chip does not tell the correction.
        """
        if time.ticks_diff(time.ticks_ms(), self._started_ms) < _SETTLED_MS:
            raise self._device.error("recalibration wants 2 minutes of measuring before")
        self._device.send(_RECALIBRATE, target_ppm)
        await asyncio.sleep_ms(_COMMAND_MS)
        (answer,) = await self._device.ask(_RECALIBRATE, _COMMAND_MS, 1)
        if answer != target_ppm:
            raise self._device.error("recalibration was not taken")
