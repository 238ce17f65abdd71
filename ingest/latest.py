"""The last measured reading of every series, in memory: what the overview shows.

It is brought up to date after a commit, by the thread that reads it, and filled from the store at
the start. "Latest" means last measured, whatever arrived last.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ingest.store.reader import Point, Series


class LatestUpdate(NamedTuple):
    """A reading that is now in the store."""

    node: str
    quantity: str
    channel: str
    point: Point


class LatestReadings:
    """Points by node and by (quantity, channel)."""

    def __init__(self, stored: Iterable[tuple[Series, Point]] = ()) -> None:
        self._nodes: dict[str, dict[tuple[str, str], Point]] = {}
        self.revision = 0
        """Grows whenever something changed."""
        self.update(LatestUpdate(s.node, s.quantity, s.channel, point) for s, point in stored)

    def update(self, updates: Iterable[LatestUpdate]) -> set[str]:
        """Take in what was stored; the nodes of which something changed."""
        changed = set()
        for node, quantity, channel, point in updates:
            readings = self._nodes.setdefault(node, {})
            standing = readings.get((quantity, channel))
            if standing is None or point.measured_at_ms > standing.measured_at_ms:
                readings[quantity, channel] = point
                changed.add(node)
        self.revision += bool(changed)
        return changed

    def of_node(self, node: str) -> Mapping[tuple[str, str], Point]:
        """Points of one node by (quantity, channel); empty for a node that has sent nothing."""
        return self._nodes.get(node, {})

    def nodes(self) -> list[str]:
        """Every node that has a reading."""
        return list(self._nodes)
