"""The battery's voltage by ADC, through a divider.

It knows the converter's limits. It must not know quantities' names or when to measure.
"""

import sys

from micropython import const

from drivers import SensorError, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import ADC

CHIP = "battery"

_SAMPLES_MIN = const(16)
_SAMPLES_MAX = const(64)
# ESP32 datasheet, table "ADC characteristics": usable from 0.15 V to 2.45 V at 11 dB. Below lies an
# open input, above it saturates.
_LOW_UV = const(150_000)
_HIGH_UV = const(2_450_000)


def is_adc1(pin: int, machine: str) -> bool:
    """Whether Wi-Fi leaves the converter of this pin alone: ADC1 of the ESP32's kinds."""
    for kind, low, high in (("S2", 1, 10), ("S3", 1, 10), ("C3", 0, 4), ("C6", 0, 6)):
        if "ESP32" + kind in machine or "ESP32-" + kind in machine:
            return low <= pin <= high
    return 32 <= pin <= 39


class Battery:
    """`adc` has `read_uv`; `divider` is the battery's voltage over that at the pin."""

    def __init__(self, adc: ADC, pin: int, divider: float = 2, samples: int = 32) -> None:
        self._adc = adc
        self._pin = pin
        self._divider = divider
        self._samples = samples
        self.name = place(CHIP, "pin{}".format(pin))

    def _error(self, cause: str) -> SensorError:
        return SensorError(CHIP, "pin{}".format(self._pin), cause)

    async def start(self) -> None:
        """Refuses what can't work."""
        if not is_adc1(self._pin, getattr(sys.implementation, "_machine", "")):
            raise self._error("pin is not of ADC1, the other does not work beside Wi-Fi")
        if not _SAMPLES_MIN <= self._samples <= _SAMPLES_MAX:
            raise self._error("samples {} are not 16 to 64".format(self._samples))
        if not 1 <= self._divider <= 20:
            raise self._error("divider {} is not 1 to 20".format(self._divider))

    async def measure(self) -> tuple[int]:
        """(the battery's voltage in mV,), the mean of 16 to 64 samples."""
        total_uv = 0
        for _ in range(self._samples):
            total_uv += self._adc.read_uv()
        mean_uv = total_uv // self._samples
        if not _LOW_UV <= mean_uv <= _HIGH_UV:
            raise self._error("{} mV at the pin, not 150 to 2450".format(mean_uv // 1000))
        # In whole numbers as far as possible: the chip's floats have 24 bits.
        return (mean_uv * round(self._divider * 1000) // 1_000_000,)
