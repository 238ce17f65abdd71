"""What a room was over a day to a year: averages that follow the nodes that stood in it.

Pure but for the store reader it is handed. A node's readings count for a room only while it was
there. It knows no words and no HTTP.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from gateway.web.room_state import SHOWN
from ingest.estate.model import Stay
from ingest.store.reader import Average, Series, StoreReader

_MINUTE: Final = 60_000
_DAY: Final = 24 * 60 * _MINUTE

Grain = Literal["hour", "day", "month"]


class Period(StrEnum):
    """How far back a room page looks."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    YEAR = "1y"

    @property
    def span_ms(self) -> int:
        """How long it is."""
        return _SPANS[self]

    @property
    def step_ms(self) -> int:
        """One point of the chart: 288 to 366 of them make a period."""
        return _STEPS[self]

    @property
    def grain(self) -> Grain:
        """One row of the table."""
        return _GRAINS[self]


_SPANS: Final = {
    Period.DAY: _DAY,
    Period.WEEK: 7 * _DAY,
    Period.MONTH: 30 * _DAY,
    Period.YEAR: 365 * _DAY,
}
_STEPS: Final = {
    Period.DAY: 5 * _MINUTE,
    Period.WEEK: 30 * _MINUTE,
    Period.MONTH: 120 * _MINUTE,
    Period.YEAR: _DAY,
}
_GRAINS: Final[dict[Period, Grain]] = {
    Period.DAY: "hour",
    Period.WEEK: "day",
    Period.MONTH: "day",
    Period.YEAR: "month",
}


class Line(NamedTuple):
    """One line of a chart: what one node measured of one quantity in the room."""

    node: str
    quantity: str
    channel: str
    steps: tuple[Average, ...]


class Row(NamedTuple):
    """One row of the table: an hour, day or month in local time, by quantity."""

    start: datetime
    cells: dict[str, Average]


@dataclass(frozen=True, slots=True)
class RoomHistory:
    """A room over one period, until `to_ms`."""

    period: Period
    from_ms: int
    to_ms: int
    lines: tuple[Line, ...]

    def quantities(self) -> list[str]:
        """The quantities that were measured, in the order of the cards."""
        measured = {line.quantity for line in self.lines}
        return [quantity for quantity in SHOWN if quantity in measured]

    def whole(self, quantity: str) -> Average | None:
        """One average over the whole period, of all nodes; `None` where nothing was measured."""
        return combined(
            (step for line in self.lines if line.quantity == quantity for step in line.steps),
            self.from_ms,
        )

    def rows(self, zone: ZoneInfo) -> list[Row]:
        """The table, the newest first."""
        found: dict[datetime, dict[str, list[Average]]] = {}
        for line in self.lines:
            for step in line.steps:
                start = _start_of(step.start_ms, self.period.grain, zone)
                found.setdefault(start, {}).setdefault(line.quantity, []).append(step)
        return [
            Row(
                start,
                {
                    name: average
                    for name, steps in by_quantity.items()
                    if (average := combined(steps, 0)) is not None
                },
            )
            for start, by_quantity in sorted(found.items(), reverse=True)
        ]


def combined(steps: Iterable[Average], start_ms: int) -> Average | None:
    """One average of several, each weighing by its samples; `None` of none."""
    total, samples = 0.0, 0
    least, most = float("inf"), float("-inf")
    for step in steps:
        total += step.mean * step.samples
        samples += step.samples
        least = min(least, step.minimum)
        most = max(most, step.maximum)
    return Average(start_ms, total / samples, least, most, samples) if samples else None


def room_history(
    reader: StoreReader, stays: Sequence[Stay], period: Period, now_ms: int
) -> RoomHistory:
    """What the nodes of `stays` measured in the period that ends at `now_ms`."""
    from_ms = (now_ms - period.span_ms) // period.step_ms * period.step_ms
    found: dict[tuple[str, str, str], dict[int, Average]] = {}
    for series, since_ms, until_ms in spells(reader, stays, SHOWN, from_ms, now_ms + 1):
        steps = found.setdefault((series.quantity, series.node, series.channel), {})
        for step in reader.averages(series, since_ms, until_ms, period.step_ms):
            standing = steps.get(step.start_ms)
            # Out of the room and back within one step: the two halves make one.
            merged = step if standing is None else combined((standing, step), step.start_ms)
            steps[step.start_ms] = merged or step
    lines = tuple(
        Line(node, quantity, channel, tuple(step for _, step in sorted(steps.items())))
        for (quantity, node, channel), steps in sorted(found.items())
        if steps
    )
    return RoomHistory(period, from_ms, now_ms, lines)


def spells(
    reader: StoreReader, stays: Iterable[Stay], quantities: Sequence[str], from_ms: int, to_ms: int
) -> Iterator[tuple[Series, int, int]]:
    """Each series of a room with the time in which it was the room's: from, until (excluded)."""
    known: dict[str, list[Series]] = {}
    for stay in stays:
        since_ms = max(from_ms, stay.since_ms)
        until_ms = to_ms if stay.until_ms is None else min(to_ms, stay.until_ms)
        if since_ms >= until_ms:
            continue
        if stay.node not in known:
            known[stay.node] = reader.series(stay.node)
        for series in known[stay.node]:
            if series.quantity in quantities:
                yield series, since_ms, until_ms


def _start_of(at_ms: int, grain: Grain, zone: ZoneInfo) -> datetime:
    local = datetime.fromtimestamp(at_ms // 1000, zone)
    if grain == "hour":
        return local.replace(minute=0, second=0)
    midnight = local.replace(hour=0, minute=0, second=0)
    return midnight if grain == "day" else midnight.replace(day=1)
