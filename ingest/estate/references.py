"""What one table of the estate says of another: ids given once, rooms that exist, one place at a
time for a node.

It is handed tables that are valid each by itself, and returns problems. It reads no file.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ingest.estate.fields import EstateModel
from ingest.estate.lines import KeyPath
from ingest.estate.model import Calendar, Contact, Days, Node, Site, stays_of
from ingest.estate.problems import Problem
from ingest.estate.source import Source

T = TypeVar("T", bound=EstateModel)


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """A table and where it is written."""

    source: Source
    path: KeyPath
    table: T

    def problem(self, inside: KeyPath, reason: str, value: object = None) -> Problem:
        """A problem with what stands at `inside` of this table."""
        return self.source.problem((*self.path, *inside), reason, value)

    def place(self, inside: KeyPath) -> str:
        """File and line of what stands at `inside` of this table."""
        return self.source.place((*self.path, *inside))


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables of all files of an estate.

    `refused_sites` are the ids of sites with mistakes of their own: what refers to them can't be
    judged. An empty string stands for a site whose id can't be read: no reference can be judged.
    """

    sites: Sequence[Written[Site]]
    nodes: Sequence[Written[Node]]
    contacts: Sequence[Written[Contact]]
    calendar: Written[Calendar] | None
    refused_sites: frozenset[str]


def reference_problems(tables: Tables) -> list[Problem]:
    """Everything in which the tables contradict each other."""
    problems = [
        *_repeated((site.table.id, site, ("id",)) for site in tables.sites),
        *_repeated((node.table.id, node, ("id",)) for node in tables.nodes),
    ]
    for site in tables.sites:
        problems += _repeated_in_site(site)
    rooms = {
        f"{site.table.id}/{room.id}"
        for site in tables.sites
        for building in site.table.buildings
        for room in building.rooms
    }
    problems += _unknown_sites(tables)
    problems += _unknown_rooms(tables, rooms)
    for node in tables.nodes:
        problems += _placement_problems(node, rooms, tables.refused_sites)
    return problems


def _repeated(ids: Iterable[tuple[str, Written[T], KeyPath]]) -> Iterator[Problem]:
    seen: dict[str, tuple[Written[T], KeyPath]] = {}
    for text, written, path in ids:
        first, first_path = seen.setdefault(text, (written, path))
        if (first, first_path) != (written, path):
            reason = f"is already used at {first.place(first_path)}"
            yield written.problem(path, reason, text)


def _repeated_in_site(site: Written[Site]) -> Iterator[Problem]:
    buildings = site.table.buildings
    yield from _repeated(
        (building.id, site, ("building", b, "id")) for b, building in enumerate(buildings)
    )
    yield from _repeated(
        (room.id, site, ("building", b, "room", r, "id"))
        for b, building in enumerate(buildings)
        for r, room in enumerate(building.rooms)
    )


def _unknown_sites(tables: Tables) -> Iterator[Problem]:
    known = {site.table.id for site in tables.sites} | tables.refused_sites
    if "" in known:
        return
    reason = "there is no site of this id"
    for contact in tables.contacts:
        for position, site in enumerate(contact.table.sites):
            if site not in known:
                yield contact.problem(("sites", position), reason, site)
    if tables.calendar is None:
        return
    for path, days in _days_of(tables.calendar.table):
        for position, site in enumerate(days.sites):
            if site not in known:
                yield tables.calendar.problem((*path, "sites", position), reason, site)


def _unknown_rooms(tables: Tables, rooms: set[str]) -> Iterator[Problem]:
    if tables.calendar is None:
        return
    for path, days in _days_of(tables.calendar.table):
        for position, room in enumerate(days.rooms):
            reason = _room_reason(room, rooms, tables.refused_sites)
            if reason is not None:
                yield tables.calendar.problem((*path, "rooms", position), reason, room)


def _days_of(calendar: Calendar) -> Iterator[tuple[KeyPath, Days]]:
    for index, closure in enumerate(calendar.closures):
        yield ("closure", index), closure
    for index, opening in enumerate(calendar.openings):
        yield ("opening", index), opening


def _room_reason(room: str, rooms: set[str], refused_sites: frozenset[str]) -> str | None:
    """Why `room` can't be meant; `None` where it can, or where its site can't be judged."""
    if "/" not in room:
        return 'must be written "site/room"'
    is_judged = room.partition("/")[0] not in refused_sites and "" not in refused_sites
    return "there is no such room" if room not in rooms and is_judged else None


def _placement_problems(
    node: Written[Node], rooms: set[str], refused_sites: frozenset[str]
) -> Iterator[Problem]:
    for index, placement in enumerate(node.table.placements):
        reason = _room_reason(placement.room, rooms, refused_sites)
        if reason is not None:
            yield node.problem(("placement", index, "room"), reason, placement.room)
    if len(node.table.placements) > 1:
        yield from _overlaps(node)


def _overlaps(node: Written[Node]) -> Iterator[Problem]:
    placements = node.table.placements
    order = sorted(range(len(placements)), key=lambda index: placements[index].since)
    stays = stays_of(node.table)
    for position in range(1, len(order)):
        before, stay, index = stays[position - 1], stays[position], order[position]
        if before.since_ms == stay.since_ms or (before.until_ms or 0) > stay.since_ms:
            earlier = node.place(("placement", order[position - 1]))
            reason = f"the node is still in {before.room} then, by {earlier}"
            yield node.problem(
                ("placement", index, "since"), reason, placements[index].since.isoformat()
            )
