"""What a chip with a fault says in the place of what it measures.

Pure numbers: it draws nothing itself and knows neither nodes nor rooms.
"""

from typing import Final

import numpy as np

from simulators.chips import Measure
from simulators.faults import (
    BaselineDrift,
    ChecksumErrors,
    ChipFault,
    Disconnected,
    Frozen,
    PowerOnValue,
    Spikes,
)
from simulators.seeds import Floats, Integers

POWER_ON_C: Final = 85.0
"""The value that a DS18B20 holds before its first conversion (datasheet, temperature register)."""

_YEAR_MS: Final = 365 * 86_400_000


def spoilt(
    fault: ChipFault,
    quantity: Measure,
    sound: Floats,
    at_ms: Integers,
    *,
    drawn: Floats,
    last: float,
) -> Floats:
    """One quantity at every instant as if the fault held all the time; NaN where there is none.

    `sound` is what the chip would say without it, `last` what it said as the fault began, `drawn`
    a number in (0, 1) for each instant, the same for all quantities of the chip.
    """
    wrong = sound
    match fault:
        case Frozen():
            wrong = np.full_like(sound, last)
        case Spikes():
            wrong = np.where(drawn < fault.share, sound + fault.height, sound)
        case PowerOnValue() if quantity == "temperature":
            wrong = np.where(drawn < fault.share, POWER_ON_C, sound)
        case Disconnected():
            wrong = np.full_like(sound, np.nan if fault.value is None else fault.value)
        case ChecksumErrors():
            wrong = np.where(drawn < fault.share, np.nan, sound)
        case BaselineDrift() if quantity == "co2":
            wrong = sound + fault.ppm_a_year * (at_ms - fault.since_ms) / _YEAR_MS
        case _:
            # A fault of another quantity of the chip.
            pass
    return wrong
