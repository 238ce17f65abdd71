"""Sensirion SCD4x, CO2 (datasheet SCD4x, version 1.5): periodic measurement every 5 s.

It knows commands, timings and conversion. It must not know quantities' names or when to
measure. Automatic self-calibration stays as the chip has it saved.
"""

import asyncio
import struct
import time

from micropython import const

from drivers.sensirion import WordDevice, crc8

CHIP = "scd4x"
ADDRESSES = (0x62,)

_START = const(b"\x21\xb1")
_STOP = const(b"\x3f\x86")
_READ = const(b"\xec\x05")
_READY = const(b"\xe4\xb8")
_SERIAL = const(b"\x36\x82")
_RECALIBRATE = const(0x362F)

# Table 9 of the datasheet; one more for the tick a sleep may lose.
_COMMAND_MS = const(2)
_STOP_MS = const(501)
_RECALIBRATE_MS = const(401)
_SILENT_MAX_MS = const(15_000)


class Scd4x:
    def __init__(self, i2c, address: int = 0x62):
        self._device = WordDevice(i2c, CHIP, address, 3)
        self._heard_ms = time.ticks_ms()

    async def start(self):
        """Stops what may still run from before a reset, reads the serial number and starts
        periodic measurement. The first value is there after 5 s.
        """
        self._device.write(_STOP)
        await asyncio.sleep_ms(_STOP_MS)
        self._device.write(_SERIAL)
        await asyncio.sleep_ms(_COMMAND_MS)
        high, middle, low = self._device.read(3)
        self._begin()
        return high << 32 | middle << 16 | low

    def _begin(self):
        self._device.write(_START)
        self._heard_ms = time.ticks_ms()

    async def measure(self):
        """(CO2 in ppm, temperature in 0.01 °C, humidity in 0.1 %), the latest of the chip, or
        None when it has none that was not read before.
        """
        self._device.write(_READY)
        await asyncio.sleep_ms(_COMMAND_MS)
        if not self._device.read(1)[0] & 0x07FF:
            if time.ticks_diff(time.ticks_ms(), self._heard_ms) > _SILENT_MAX_MS:
                raise self._device.error("no value for 15 s")
            return None
        self._device.write(_READ)
        await asyncio.sleep_ms(_COMMAND_MS)
        co2_ppm, raw_temperature, raw_humidity = self._device.read(3)
        self._heard_ms = time.ticks_ms()
        temperature = (17_500 * raw_temperature + 32_767) // 65_535 - 4_500
        return co2_ppm, temperature, (1_000 * raw_humidity + 32_767) // 65_535

    async def recalibrate(self, target_ppm: int) -> int:
        """Forced recalibration (§3.7.1) to the CO2 there is, after 3 minutes of measuring in
        it; the correction made in ppm. Measuring goes on afterwards, whatever came of it.
        """
        self._device.write(_STOP)
        try:
            await asyncio.sleep_ms(_STOP_MS)
            command = struct.pack(">HH", _RECALIBRATE, target_ppm)
            self._device.write(command + bytes((crc8(command, 2, 4),)))
            await asyncio.sleep_ms(_RECALIBRATE_MS)
            (answer,) = self._device.read(1)
        finally:
            self._begin()
        if answer == 0xFFFF:
            raise self._device.error("recalibration failed")
        return answer - 0x8000
