"""What is asked of one series, wherever the answer comes from."""

from dataclasses import dataclass
from typing import NamedTuple

from ingest.readings import MAIN_CHANNEL


@dataclass(frozen=True, slots=True)
class SeriesQuestion:
    """The readings of a series measured from `from_ms` to before `to_ms`.

    With `step_ms` they are summed up in steps counted from the Unix epoch, bad ones left out;
    without it each is told, bad ones too.
    """

    node: str
    quantity: str
    from_ms: int
    to_ms: int
    channel: str = MAIN_CHANNEL
    step_ms: int | None = None


class Value(NamedTuple):
    """One reading."""

    measured_at_ms: int
    value: float
    quality: int


class Step(NamedTuple):
    """The readings of one step that are not bad; a step without any is not told."""

    start_ms: int
    mean: float
    minimum: float
    maximum: float
    samples: int


Answer = list[Value] | list[Step]
"""By time."""
