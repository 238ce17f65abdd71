"""Where every node was when, as InfluxDB's tags say it, and what a corrected estate changes there.

Pure. A node that nobody has placed is `unplaced`, so that no tag is ever empty.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ingest.estate.model import Estate, Stay

NEVER_ENDS: Final = float("inf")
_ALWAYS: Final = -(2**62)


class Tags(NamedTuple):
    """The place of a point; the ids of the estate, which never change."""

    site: str
    building: str
    room: str


UNPLACED: Final = Tags("unplaced", "unplaced", "unplaced")


class TaggedStay(NamedTuple):
    """From `since_ms` until `until_ms` (excluded) a node's points have these tags."""

    since_ms: int
    until_ms: float
    tags: Tags


class Correction(NamedTuple):
    """Points of a node from `from_ms` until `to_ms` (excluded) that stand under wrong tags."""

    node: str
    from_ms: int
    to_ms: float
    wrong: Tags


Changes = Sequence[tuple[int, Tags]]
"""When a node's tags changed, and to what, by time; before the first it is unplaced."""


class Placements:
    """One state of all placements. Never changes."""

    def __init__(self, changes: Mapping[str, Changes]) -> None:
        self._changes = {node: tuple(found) for node, found in changes.items() if found}

    @classmethod
    def of(cls, estate: Estate) -> "Placements":
        """What the estate says."""
        return cls(
            {
                node.id: _changes_of(estate.placements_of_node(node.id), estate)
                for node in estate.nodes
            }
        )

    def nodes(self) -> list[str]:
        """Every node that was ever placed."""
        return list(self._changes)

    def changes(self, node: str) -> Changes:
        """When the node's tags changed."""
        return self._changes.get(node, ())

    def at(self, node: str, at_ms: int) -> TaggedStay:
        """The stay that covers a time; there always is one."""
        changes = self._changes.get(node, ())
        position = bisect_right(changes, at_ms, key=_since)
        until = changes[position][0] if position < len(changes) else NEVER_ENDS
        if position == 0:
            return TaggedStay(_ALWAYS, until, UNPLACED)
        since, tags = changes[position - 1]
        return TaggedStay(since, until, tags)

    def corrections(self, corrected: "Placements") -> Iterator[Correction]:
        """What stands under other tags here than `corrected` says, node by node, by time."""
        for node in dict.fromkeys([*self.nodes(), *corrected.nodes()]):
            if self.changes(node) != corrected.changes(node):
                yield from self._corrections_of(node, corrected)

    def _corrections_of(self, node: str, corrected: "Placements") -> Iterator[Correction]:
        instants = {at for at, _ in (*self.changes(node), *corrected.changes(node))}
        bounds = [_ALWAYS, *sorted(instants)]
        for since, until in zip(bounds, [*bounds[1:], NEVER_ENDS], strict=True):
            said = self.at(node, since).tags
            if said != corrected.at(node, since).tags:
                yield Correction(node, since, until, said)


def _since(change: tuple[int, Tags]) -> int:
    return change[0]


def _changes_of(stays: Sequence[Stay], estate: Estate) -> Changes:
    changes: list[tuple[int, Tags]] = []
    for stay in stays:
        place = estate.room(stay.room)
        if place is None:
            continue
        if changes and changes[-1][0] == stay.since_ms:
            del changes[-1]
        changes.append((stay.since_ms, Tags(place.site.id, place.building.id, place.room.id)))
        if stay.until_ms is not None:
            changes.append((stay.until_ms, UNPLACED))
    return changes
