"""Aosong DHT22 (AM2302), temperature and humidity, on a pin of its own (datasheet AM2302).

The pulses are read by the routine that MicroPython brings for it. It must not know quantities'
names or when to measure.
"""

import asyncio
import time

from machine import dht_readinto
from micropython import const

from drivers import SensorError, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import Pin

CHIP = "dht22"

# "Sampling period: 2 s"; asked sooner the chip does not answer, nor in its first two seconds.
_PERIOD_MS = const(2_001)


class Dht22:
    def __init__(self, pin: Pin, address: str) -> None:
        self._pin = pin
        self._address = address
        self._buffer = bytearray(5)
        self._asked_ms = time.ticks_ms()
        self.name = place(CHIP, address)

    def _error(self, cause: str) -> SensorError:
        return SensorError(CHIP, self._address, cause)

    async def start(self) -> None:
        """Reads once: what the chip then gives is left from before, but proves that it is
        there.
        """
        await self.measure()

    async def measure(self) -> tuple[int, int]:
        """(temperature in 0.01 °C, humidity in 0.1 %), after at most 2 s."""
        left_ms = _PERIOD_MS - time.ticks_diff(time.ticks_ms(), self._asked_ms)
        if left_ms > 0:
            await asyncio.sleep_ms(min(left_ms, _PERIOD_MS))
        data = self._buffer
        try:
            dht_readinto(self._pin, data)
        except OSError as error:
            raise self._error("no answer ({})".format(error))
        finally:
            self._asked_ms = time.ticks_ms()
        if sum(data[:4]) & 0xFF != data[4]:
            raise self._error("checksum is wrong")
        humidity = data[0] << 8 | data[1]
        # Sign and magnitude, in tenths.
        temperature = (data[2] & 0x7F) << 8 | data[3]
        if data[2] & 0x80:
            temperature = -temperature
        # A line that is held low gives zeros, whose checksum is right; 0 % is not in a room.
        if not 0 < humidity <= 1000 or not -400 <= temperature <= 800:
            raise self._error("{}, {} tenths are out of range".format(temperature, humidity))
        return temperature * 10, humidity
