"""Whether a value rises or falls: a few samples a series from the last hour, kept in memory.

The overview must not ask the store for each room at each look. A background task samples the
latest readings; what it has not seen itself (a start, a node back after a gap) it reads from the
store once, a few series at a time. It knows no rooms beyond the list of nodes it is given.
"""

import asyncio
import logging
from array import array
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Final

from gateway.readers import ReaderPool
from ingest.errors import StoreError
from ingest.latest import LatestReadings
from ingest.readings import Quality
from ingest.store.reader import Average, StoreReader

WINDOW_MS: Final = 75 * 60_000
_SPACING_MS: Final = 5 * 60_000
_SHORTEST_MS: Final = 20 * 60_000
_GAP_MS: Final = 25 * 60_000
_PRIMED_AT_ONCE: Final = 50
# Each look at a series goes through all that is not yet folded: wait until that is little.
_MOST_UNFOLDED: Final = 2000
_REFRESH_S: Final = 30

# By how much an hour's change must exceed the scatter of a sensor to be worth a word.
STEADY_PER_HOUR: Final = {"temperature": 0.5, "co2": 100.0, "humidity": 5.0}

_log = logging.getLogger(__name__)

_Key = tuple[str, str, str]


class Trend(StrEnum):
    """Which way a value has gone over the last hour."""

    UP = "up"
    STEADY = "steady"
    DOWN = "down"


class _Samples:
    """Times (ms) and values, oldest first, at least `_SPACING_MS` apart."""

    __slots__ = ("times", "values")

    def __init__(self) -> None:
        self.times = array("q")
        self.values = array("d")

    def take(self, at_ms: int, value: float) -> None:
        if self.times and at_ms - self.times[-1] < _SPACING_MS:
            return
        self.times.append(at_ms)
        self.values.append(value)
        while self.times[-1] - self.times[0] > WINDOW_MS:
            del self.times[0], self.values[0]

    def per_hour(self) -> float | None:
        """The slope of the least-squares line; `None` for too short a time."""
        if len(self.times) < 3 or self.times[-1] - self.times[0] < _SHORTEST_MS:
            return None
        hours = [(at - self.times[0]) / 3_600_000 for at in self.times]
        mean_hour = sum(hours) / len(hours)
        mean_value = sum(self.values) / len(hours)
        above = sum(
            (hour - mean_hour) * (value - mean_value)
            for hour, value in zip(hours, self.values, strict=True)
        )
        return above / sum((hour - mean_hour) ** 2 for hour in hours)


class Trends:
    """The trends of the series that were observed."""

    def __init__(self) -> None:
        self._samples: dict[_Key, _Samples] = {}
        self._unprimed: dict[_Key, None] = {}
        self._trends: dict[_Key, Trend] = {}

    def of(self, node: str, quantity: str, channel: str) -> Trend | None:
        """The trend of a series; `None` while too little is known of it."""
        return self._trends.get((node, quantity, channel))

    def observe(self, nodes: Iterable[str], latest: LatestReadings) -> None:
        """Sample what these nodes measured last; forget every other node."""
        kept = set()
        for node in nodes:
            for (quantity, channel), point in latest.of_node(node).items():
                if quantity not in STEADY_PER_HOUR:
                    continue
                key = (node, quantity, channel)
                kept.add(key)
                if point.quality < Quality.BAD:
                    self._sample(key, point.measured_at_ms, point.value)
        for key in self._samples.keys() - kept:
            del self._samples[key]
            self._trends.pop(key, None)
            self._unprimed.pop(key, None)

    def unprimed(self) -> dict[_Key, int]:
        """Some of the series whose last hour is to be read from the store: until when."""
        return {
            key: self._samples[key].times[-1] for key in islice(self._unprimed, _PRIMED_AT_ONCE)
        }

    def prime(self, key: _Key, history: Iterable[tuple[int, float]]) -> None:
        """What a series was before it was first observed, or while it was away."""
        self._unprimed.pop(key, None)
        before = self._samples.get(key)
        if before is None:
            return
        samples = self._samples[key] = _Samples()
        merged = dict(history) | dict(zip(before.times, before.values, strict=True))
        for at_ms, value in sorted(merged.items()):
            samples.take(at_ms, value)
        self._judge(key, samples)

    def _sample(self, key: _Key, at_ms: int, value: float) -> None:
        samples = self._samples.get(key)
        if samples is None:
            samples = self._samples[key] = _Samples()
            self._unprimed[key] = None
        elif at_ms == samples.times[-1]:
            return
        elif at_ms - samples.times[-1] > _GAP_MS:
            self._unprimed[key] = None
        samples.take(at_ms, value)
        self._judge(key, samples)

    def _judge(self, key: _Key, samples: _Samples) -> None:
        slope = samples.per_hour()
        if slope is None:
            self._trends.pop(key, None)
            return
        least = STEADY_PER_HOUR[key[1]]
        self._trends[key] = (
            Trend.UP if slope >= least else Trend.DOWN if slope <= -least else Trend.STEADY
        )


async def refresh_loop(
    trends: Trends,
    nodes: Callable[[], Iterable[str]],
    latest: LatestReadings,
    readers: ReaderPool,
    period_s: float = _REFRESH_S,
) -> None:
    """Keep `trends` up to date for the nodes that `nodes` names, until cancelled."""
    while True:
        trends.observe(nodes(), latest)
        while wanted := trends.unprimed():
            try:
                primed = await readers.run(partial(_last_hour, wanted=wanted))
            except StoreError as error:
                _log.warning("trends wait: the store can't be read: %s", error)
                break
            if primed is None:
                break
            for key, history in primed.items():
                trends.prime(key, ((each.start_ms, each.mean) for each in history))
        await asyncio.sleep(period_s)


def _last_hour(reader: StoreReader, wanted: Mapping[_Key, int]) -> dict[_Key, list[Average]] | None:
    """Five-minute means of each series until its last sample; `None`: not now."""
    if reader.unfolded_packs() > _MOST_UNFOLDED:
        return None
    found: dict[_Key, list[Average]] = {key: [] for key in wanted}
    for node, quantity in {(node, quantity) for node, quantity, _ in wanted}:
        for series in reader.series(node, quantity):
            key = (series.node, series.quantity, series.channel)
            until_ms = wanted.get(key)
            if until_ms is not None:
                found[key] = reader.averages(series, until_ms - WINDOW_MS, until_ms, _SPACING_MS)
    return found
