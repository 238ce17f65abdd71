"""Years of a town straight into a store: judged, committed and folded, without packs on the way.

For whoever wants a long past soon: what lies in the store afterwards is what nodes would have
measured, without logs and numbers, since no pack was ever sent. It has no clock.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from ingest.quality import History, judge
from ingest.quantities import QUANTITIES
from ingest.readings import MAIN_CHANNEL, TimeSource
from ingest.store.writer import PackToStore, StoreWriter
from simulators.node import next_measurement_ms
from simulators.seeds import Floats, Integers
from simulators.sensors import Sensors
from simulators.town import Town

HEALTH_EVERY: Final = 10
"""The firmware tells of battery and radio with every tenth pack."""

_HOUR_MS: Final = 3_600_000
_AT_ONCE_MS: Final = 14 * 24 * _HOUR_MS
_NODES_AT_ONCE: Final = 3
"""What lies together in the store is written together, some 40,000 readings a transaction."""
_BY_NODE: Final = int(TimeSource.NODE)

_Reading = tuple[str, str, int, float, int, int]


def write_straight(
    store: StoreWriter,
    town: Town,
    start_ms: int,
    end_ms: int,
    *,
    step_s: int = 300,
    told: Callable[[int], None] = lambda _at_ms: None,
) -> int:
    """Store what all nodes measure from `start_ms` on and before `end_ms`; how many readings.

    `told` is called with the time that all have reached, every two weeks. Raises what the store
    raises.
    """
    nodes = [_NodePast(room.node, Sensors(room.node, room.model)) for room in town.rooms]
    count = 0
    for begin_ms in range(start_ms, end_ms, _AT_ONCE_MS):
        until_ms = min(begin_ms + _AT_ONCE_MS, end_ms)
        for first in range(0, len(nodes), _NODES_AT_ONCE):
            some = nodes[first : first + _NODES_AT_ONCE]
            packs = [
                pack for node in some for pack in node.packs(begin_ms, until_ms, step_s * 1000)
            ]
            store.commit(packs)
            count += sum(len(pack.readings) for pack in packs)
            while store.fold().has_more:
                pass
        told(until_ms)
    return count


class _NodePast:
    """One node, and what judging its next values needs to know."""

    def __init__(self, node: str, sensors: Sensors) -> None:
        self._node = node
        self._sensors = sensors
        self._histories: dict[str, History] = {}

    def packs(self, begin_ms: int, until_ms: int, step_ms: int) -> Iterator[PackToStore]:
        """An hour each, as if it had been received at its end."""
        first_ms = next_measurement_ms(self._node, step_ms / 1000, begin_ms - 1)
        at_ms = np.arange(first_ms, until_ms, step_ms, dtype=np.int64)
        if not len(at_ms):
            return
        hours = range(int(at_ms[0]) // _HOUR_MS, int(at_ms[-1]) // _HOUR_MS + 1)
        by_hour: list[list[_Reading]] = [[] for _ in hours]
        for column in self._sensors.columns(at_ms):
            readings = self._judged(column.quantity, at_ms, column.values, step_ms)
            place = 0
            for turn, hour in enumerate(hours):
                ends = bisect_left(readings, (hour + 1) * _HOUR_MS, place, key=_measured_at)
                by_hour[turn] += readings[place:ends]
                place = ends
        for hour, inside in zip(hours, by_hour, strict=True):
            if inside:
                received_at_ms = min((hour + 1) * _HOUR_MS, until_ms)
                yield PackToStore(self._node, None, received_at_ms, inside)

    def _judged(
        self, quantity: str, at_ms: Integers, values: Floats, step_ms: int
    ) -> list[_Reading]:
        kind = QUANTITIES[quantity]
        kept = ~np.isnan(values)
        if not kind.room_air:
            kept &= at_ms // step_ms % HEALTH_EVERY == 0
        history = self._histories.setdefault(quantity, History()) if kind.has_history else None
        times, numbers = at_ms[kept].tolist(), values[kept].tolist()
        return [
            (quantity, MAIN_CHANNEL, at, value, int(judge(kind, value, at, history)), _BY_NODE)
            for at, value in zip(times, numbers, strict=True)
        ]


def _measured_at(reading: _Reading) -> int:
    return reading[2]
