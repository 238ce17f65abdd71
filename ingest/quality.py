"""Judges values: physical limits, error codes of sensors, spikes, frozen values.

Pure but for the `History` that it is handed and brings up to date. A judgement is stored with the
value; nothing is dropped for it.
"""

from typing import Final

from ingest.quantities import Quantity
from ingest.readings import Quality

SPIKE_WITHIN_MS: Final = 10 * 60_000
"""Two readings further apart say nothing of how fast the value changed."""


class History:
    """What judging the next value of one series needs to know of those before it."""

    __slots__ = ("at_ms", "same", "trusted", "value")

    def __init__(self) -> None:
        self.at_ms: int | None = None
        self.value = 0.0
        self.trusted = 0.0
        """The last value that was no spike."""
        self.same = 0


def judge(
    quantity: Quantity, value: float, measured_at_ms: int, history: History | None
) -> Quality:
    """The quality of `value`; `history` then includes it, unless it came late or is bad.

    A quantity without one is judged by its limits and error codes alone.
    """
    if value in quantity.error_codes or not quantity.minimum <= value <= quantity.maximum:
        return Quality.BAD
    if history is None or (history.at_ms is not None and measured_at_ms <= history.at_ms):
        return Quality.GOOD
    spike = _is_spike(quantity, value, measured_at_ms, history)
    history.same = history.same + 1 if value == history.value and history.at_ms is not None else 0
    history.at_ms = measured_at_ms
    history.value = value
    if spike:
        return Quality.SUSPECT
    history.trusted = value
    if quantity.frozen_after is not None and history.same >= quantity.frozen_after:
        return Quality.SUSPECT
    return Quality.GOOD


def _is_spike(quantity: Quantity, value: float, measured_at_ms: int, history: History) -> bool:
    """Too far from the last trusted value, and not confirmed by the one just before."""
    if quantity.max_step is None or history.at_ms is None:
        return False
    if measured_at_ms - history.at_ms > SPIKE_WITHIN_MS:
        return False
    return (
        abs(value - history.trusted) > quantity.max_step
        and abs(value - history.value) > quantity.max_step
    )
