"""ICONE, the French index of stuffiness of a classroom, from 0 (none) to 5 (extreme).

Arrêté of 1 June 2016, annex II: over the time that a room is occupied, CO2 at steps of ten minutes.
It has no clock, asks no store, and knows no names of levels.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

STEP_MS: Final = 600_000
FIRST_LIMIT_PPM: Final = 1000
SECOND_LIMIT_PPM: Final = 1700


@dataclass(frozen=True, slots=True)
class Icone:
    """An index and what it rests on.

    `level` is the nearest whole number to `value`, a half upwards. `share_between` of the steps
    lay in (1000, 1700] ppm, `share_above` beyond. `steps` of the `occupied_steps` had a
    measurement: the text gives no minimum, so whoever shows the index decides what is enough.
    """

    level: int
    value: float
    share_between: float
    share_above: float
    steps: int
    occupied_steps: int

    @property
    def coverage(self) -> float:
        """The share of the occupied time that was measured, 0 to 1."""
        return self.steps / self.occupied_steps


def icone(points: Iterable[tuple[int, float]], occupied: Iterable[tuple[int, int]]) -> Icone | None:
    """The index of CO2 `points`, (Unix milliseconds, ppm), over the `occupied` stretches.

    Stretches are (begin, end) in Unix milliseconds, the end excluded, without overlap. A step of
    ten minutes is occupied if it begins in one, and its value is the mean of what was measured in
    it. `None` where nothing was measured while the room was occupied. The text wants a whole week.
    """
    steps = {
        step for begin, end in occupied for step in range(-(-begin // STEP_MS), -(-end // STEP_MS))
    }
    measured: defaultdict[int, list[float]] = defaultdict(list)
    for at_ms, ppm in points:
        if at_ms // STEP_MS in steps:
            measured[at_ms // STEP_MS].append(ppm)
    if not measured:
        return None
    means = [sum(values) / len(values) for values in measured.values()]
    above = sum(ppm > SECOND_LIMIT_PPM for ppm in means) / len(means)
    between = sum(FIRST_LIMIT_PPM < ppm <= SECOND_LIMIT_PPM for ppm in means) / len(means)
    value = icone_value(between, above)
    return Icone(_half_up(value), value, between, above, len(means), len(steps))


def icone_value(share_between: float, share_above: float) -> float:
    """`2.5 / log10(2) * log10(1 + f1 + 3 f2)`, which is `2.5 * log2(1 + f1 + 3 f2)`: 0 to 5."""
    return 2.5 * math.log2(1 + share_between + 3 * share_above)


def _half_up(value: float) -> int:
    # round() takes 2.5 to 2, and a share that is a sum of floats may end a hair below a half.
    return math.floor(round(value, 9) + 0.5)
