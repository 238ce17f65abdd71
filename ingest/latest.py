"""The last measured reading of every series, in memory: what the overview shows.

It is brought up to date after a commit, by the thread that reads it, and filled from the store at
the start. "Latest" means last measured, whatever arrived last.
"""

from collections.abc import Iterable, Mapping

from ingest.forgetting import is_crowded
from ingest.readings import SeriesKey, series_key
from ingest.senml import AHEAD_MS
from ingest.store.reader import Point, Series
from ingest.store.writer import PackToStore


class LatestReadings:
    """Points by node and by (quantity, channel)."""

    def __init__(self, stored: Iterable[tuple[Series, Point]] = ()) -> None:
        self._nodes: dict[str, dict[SeriesKey, Point]] = {}
        self.revision = 0
        """Grows whenever something changed."""
        for series, point in stored:
            if is_crowded(self._nodes, series.node):
                continue
            key = series_key(series.quantity, series.channel)
            self._nodes.setdefault(series.node, {})[key] = point

    def update(self, packs: Iterable[PackToStore]) -> set[str]:
        """Take in packs that are now stored; the nodes of which something changed."""
        changed = set()
        for pack in packs:
            received_at_ms = pack.received_at_ms
            if is_crowded(self._nodes, pack.node):
                continue
            readings = self._nodes.setdefault(pack.node, {})
            for quantity, channel, measured_at_ms, value, quality, source in pack.readings:
                standing = readings.get((quantity, channel))
                if (
                    standing is None
                    or measured_at_ms > standing.measured_at_ms
                    # Stored while a clock was ahead: it is not to stand for days.
                    or standing.measured_at_ms > received_at_ms + AHEAD_MS
                ):
                    point = Point(measured_at_ms, value, quality, received_at_ms, source)
                    readings[series_key(quantity, channel)] = point
                    changed.add(pack.node)
        self.revision += bool(changed)
        return changed

    def of_node(self, node: str) -> Mapping[tuple[str, str], Point]:
        """Points of one node by (quantity, channel); empty for a node that has sent nothing."""
        return self._nodes.get(node, {})

    def nodes(self) -> list[str]:
        """Every node that has a reading."""
        return list(self._nodes)
