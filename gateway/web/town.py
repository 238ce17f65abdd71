"""The town as the overview shows it: every room by site, counts by group, nodes to be placed.

Pure: it puts room states in order and counts them. It knows no words and no HTTP.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.heard import last_heard_ms
from gateway.nodes import NodeRegistry
from gateway.web.room_state import SHOWN, Condition, Look, RoomState, room_state
from ingest.estate.model import Site
from ingest.store.reader import Point


class Group(StrEnum):
    """What the summary counts and the reader can pick."""

    AIR = "air"
    TEMPERATURE = "temperature"
    SILENT = "silent"
    UNMEASURED = "unmeasured"
    GOOD = "good"


GROUP_OF: Final = {
    Condition.AIR_NOW: Group.AIR,
    Condition.AIR_SOON: Group.AIR,
    Condition.FROST: Group.TEMPERATURE,
    Condition.COLD: Group.TEMPERATURE,
    Condition.HOT: Group.TEMPERATURE,
    Condition.VERY_HOT: Group.TEMPERATURE,
    Condition.SILENT: Group.SILENT,
    Condition.CHECK: Group.SILENT,
    Condition.UNMEASURED: Group.UNMEASURED,
    Condition.NO_NODE: Group.UNMEASURED,
    Condition.GOOD: Group.GOOD,
}


@dataclass(frozen=True, slots=True)
class SiteRooms:
    """A site and its rooms, in the order of the estate."""

    site: Site
    rooms: tuple[RoomState, ...]


@dataclass(frozen=True, slots=True)
class UnplacedNode:
    """A node that has sent something and is in no room."""

    node: str
    name: str | None
    last_heard_ms: int
    latest: tuple[tuple[str, str, Point], ...]
    """(quantity, channel, point) of what a room's card would show."""


@dataclass(frozen=True, slots=True)
class Town:
    """All rooms, and what stands beside them."""

    name: str | None
    sites: tuple[SiteRooms, ...]
    counts: Counter[Group]
    unplaced: tuple[UnplacedNode, ...]

    @property
    def rooms(self) -> int:
        """How many rooms there are."""
        return sum(len(site.rooms) for site in self.sites)

    def only(self, group: Group | None) -> tuple[SiteRooms, ...]:
        """The rooms of one group, without the sites that have none; all for `None`."""
        if group is None:
            return self.sites
        picked = (
            SiteRooms(site.site, tuple(room for room in site.rooms if group_of(room) is group))
            for site in self.sites
        )
        return tuple(site for site in picked if site.rooms)


def group_of(room: RoomState) -> Group:
    """The group under which a room is counted: that of its most pressing condition."""
    return GROUP_OF[room.conditions[0]]


def town_of(look: Look, nodes: NodeRegistry) -> Town:
    """The town at the moment of `look`."""
    estate = look.estate
    by_site: dict[str, list[RoomState]] = {site.id: [] for site in estate.sites}
    for place in estate.rooms():
        by_site[place.site.id].append(room_state(place, look))
    sites = tuple(SiteRooms(site, tuple(by_site[site.id])) for site in estate.sites)
    return Town(
        estate.name,
        sites,
        Counter(group_of(room) for site in sites for room in site.rooms),
        tuple(_unplaced(look, nodes)),
    )


def _unplaced(look: Look, nodes: NodeRegistry) -> Iterable[UnplacedNode]:
    estate, latest = look.estate, look.latest
    heard = {presence.node for presence in nodes.all()} | set(latest.nodes())
    for node in sorted(heard):
        if estate.placement(node, look.now_ms) is not None:
            continue
        heard_ms, declared = last_heard_ms(node, latest, nodes), estate.node(node)
        if heard_ms is None:
            # All that it sent was refused: it is found among the dead letters.
            continue
        if declared is not None and declared.is_gone(heard_ms):
            continue
        readings = latest.of_node(node)
        yield UnplacedNode(
            node,
            declared.name if declared is not None else None,
            heard_ms,
            tuple(
                (quantity, channel, point)
                for shown in SHOWN
                for (quantity, channel), point in sorted(readings.items())
                if quantity == shown
            ),
        )
