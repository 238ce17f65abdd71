"""The estate: sites, buildings, rooms, nodes and where each node was when.

The tables of the estate files as frozen models, and `Estate`, which answers questions about them.
It knows no file and no line; `load` reads, `references` checks what one table says of another.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationInfo, field_validator

from ingest.estate.fields import (
    EstateModel,
    Exposure,
    Hours,
    Id,
    Instant,
    Name,
    NodeId,
    Spans,
    to_ms,
    until_after_since,
)

Profile = Literal[
    "classroom",
    "nursery",  # very young children (crèche), with the limits of their own
    "dormitory",
    "canteen",
    "gym",
    "library",
    "office",
    "staff",
    "corridor",
    "sanitary",
    "technical",
    "outdoor",
    "other",
]
SchoolZone = Literal["A", "B", "C"]
Region = Literal["57", "67", "68", "971", "972", "973", "974", "976"]
"""Départements with public holidays of their own, by INSEE's number."""
_Degrees = Annotated[float, Field(ge=-40, le=60)]
_Ppm = Annotated[float, Field(ge=400, le=10_000)]
# Compared with the milder threshold, which may have been moved beyond this one's default.
_Compared = Field(validate_default=True)


class Thresholds(EstateModel):
    """Beyond which values something is said; docs/estate.md gives the source of each default."""

    co2_attention_ppm: _Ppm = 800
    co2_insufficient_ppm: Annotated[_Ppm, _Compared] = 1500
    heating_occupied_c: _Degrees = 19
    heating_closed_day_c: _Degrees = 16
    heating_closed_long_c: _Degrees = 8
    nursery_mean_c: _Degrees = 22
    nursery_room_c: Annotated[_Degrees, _Compared] = 24
    cold_c: _Degrees = 16
    frost_warning_c: _Degrees = 8
    frost_critical_c: Annotated[_Degrees, _Compared] = 5
    hot_c: _Degrees = 26
    very_hot_c: Annotated[_Degrees, _Compared] = 28
    silent_after_cadences: Annotated[float, Field(gt=1, le=1000)] = 3

    @field_validator("co2_insufficient_ppm", "frost_critical_c", "very_hot_c", "nursery_room_c")
    @classmethod
    def _beyond_the_milder_one(cls, value: float, info: ValidationInfo) -> float:
        milder, is_above = {
            "co2_insufficient_ppm": ("co2_attention_ppm", True),
            "frost_critical_c": ("frost_warning_c", False),
            "very_hot_c": ("hot_c", True),
            "nursery_room_c": ("nursery_mean_c", True),
        }[info.field_name or ""]
        bound = info.data.get(milder)
        if bound is not None and (value <= bound if is_above else value >= bound):
            raise ValueError(f"must be {'above' if is_above else 'below'} {milder} ({bound:g})")
        return value


class Days(EstateModel):
    """Days from `first` to `last`, both included, that differ from the school calendar."""

    first: date
    last: date
    name: Name | None = None
    sites: tuple[Id, ...] = Field(default=(), strict=False)
    """Where it holds; everywhere if neither sites nor rooms are named."""
    rooms: tuple[str, ...] = Field(default=(), strict=False)
    """Single rooms in which it holds, as `site/room`."""

    @field_validator("last")
    @classmethod
    def _not_before_first(cls, value: date, info: ValidationInfo) -> date:
        first = info.data.get("first")
        if first is not None and value < first:
            raise ValueError("must not be before `first`")
        return value

    def covers(self, day: date) -> bool:
        """Whether a local day is one of them."""
        return self.first <= day <= self.last

    def holds_in(self, site: str, ref: str) -> bool:
        """Whether the room `ref` of `site` is meant."""
        return not (self.sites or self.rooms) or site in self.sites or ref in self.rooms


class Opening(Days):
    """Days on which people are in though the calendar says otherwise."""

    hours: Spans | None = None
    """When, on each of these days; the ordinary hours of their weekday if left out."""


class Calendar(EstateModel):
    """The zone of the school holidays, and local additions and corrections, which win."""

    school_zone: SchoolZone | None = None
    region: Region | None = None
    """Whose public holidays are not quite those of the country."""
    closures: tuple[Days, ...] = Field(default=(), alias="closure", strict=False)
    openings: tuple[Opening, ...] = Field(default=(), alias="opening", strict=False)


class Contact(EstateModel):
    """Somebody to tell. Secrets, such as access to a mail server, stand elsewhere."""

    name: Name
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] | None = None
    phone: Annotated[str, Field(pattern=r"^\+?[0-9 .-]{4,30}$")] | None = None
    sites: tuple[Id, ...] = Field(default=(), strict=False)
    """For which sites; for all if empty."""


def _volume_of(room: dict[str, Any]) -> float | None:
    area, height = room["area_m2"], room["height_m"]
    return None if area is None or height is None else area * height


class Room(EstateModel):
    """A room. Its volume weighs it in a building's mean temperature (R241-25)."""

    id: Id
    name: Name
    profile: Profile = "other"
    area_m2: Annotated[float, Field(gt=0, le=100_000)] | None = None
    height_m: Annotated[float, Field(gt=0, le=100)] | None = None
    volume_m3: Annotated[float, Field(gt=0, le=10_000_000)] | None = Field(
        default_factory=_volume_of
    )
    """As written, or area times height; `None` if neither is known."""
    exposure: Exposure | None = None
    seats: Annotated[int, Field(ge=0, le=10_000)] | None = None
    hours: Hours | None = None
    open_in_school_holidays: bool | None = None
    """As its site if left out."""

    @field_validator("volume_m3")
    @classmethod
    def _volume_or_height(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("height_m") is not None:
            raise ValueError("give volume_m3 or height_m, not both")
        return value


class Building(EstateModel):
    """A building of a site."""

    id: Id
    name: Name
    rooms: tuple[Room, ...] = Field(default=(), alias="room", strict=False)
    hours: Hours | None = None


class ProfileHours(EstateModel):
    """Hours that all rooms of one profile have at a site."""

    classroom: Hours | None = None
    nursery: Hours | None = None
    dormitory: Hours | None = None
    canteen: Hours | None = None
    gym: Hours | None = None
    library: Hours | None = None
    office: Hours | None = None
    staff: Hours | None = None
    corridor: Hours | None = None
    sanitary: Hours | None = None
    technical: Hours | None = None
    outdoor: Hours | None = None
    other: Hours | None = None

    def of(self, profile: Profile) -> Hours | None:
        """The hours of a profile; `None` where none are given."""
        hours: Hours | None = getattr(self, profile)
        return hours


class Site(EstateModel):
    """A school, a nursery, a gymnasium: one address."""

    id: Id
    name: Name
    buildings: tuple[Building, ...] = Field(default=(), alias="building", strict=False)
    hours: Hours | None = None
    profile_hours: ProfileHours = ProfileHours()
    open_in_school_holidays: bool = False
    """People come there in the school holidays as well: a town hall, a nursery."""


class Placement(EstateModel):
    """From when, and until when, a node was in a room. Without `until`: until its next placement,
    or still.
    """

    room: str
    """`site/room`"""
    since: Instant
    until: Instant | None = None

    _ordered = field_validator("until")(until_after_since)


class Node(EstateModel):
    """A board on a wall. Without placement it is still to be placed."""

    id: NodeId
    name: Name | None = None
    model: Name | None = None
    """What kind of board and sensors it is, for people."""
    removed: Instant | None = None
    """When it was taken out of service. Its placements stay, since old readings belong there."""
    cadence_s: Annotated[int, Field(ge=1, le=86_400)] = 300
    placements: tuple[Placement, ...] = Field(default=(), alias="placement", strict=False)

    def is_gone(self, last_heard_ms: int | None) -> bool:
        """Whether it was taken out of service and has said nothing since."""
        return self.removed is not None and (last_heard_ms or 0) <= to_ms(self.removed)


class EstateHead(EstateModel):
    """What `estate.toml` says once for all sites."""

    name: Name | None = None
    thresholds: Thresholds = Thresholds()
    calendar: Calendar = Calendar()


class RoomPlace(NamedTuple):
    """A room and what it stands in."""

    site: Site
    building: Building
    room: Room

    @property
    def ref(self) -> str:
        """`site/room`, by which placements and pages name it."""
        return f"{self.site.id}/{self.room.id}"

    @property
    def hours(self) -> Hours | None:
        """The room's opening hours, else those of its profile at the site, else its building's,
        else its site's.
        """
        return (
            self.room.hours
            or self.site.profile_hours.of(self.room.profile)
            or self.building.hours
            or self.site.hours
        )

    @property
    def follows_school(self) -> bool:
        """Whether nobody is in during the school holidays."""
        own = self.room.open_in_school_holidays
        return not (self.site.open_in_school_holidays if own is None else own)


class Stay(NamedTuple):
    """A node in a room, `until_ms` excluded; `None` means that it is still there."""

    node: str
    room: str
    since_ms: int
    until_ms: int | None

    def covers(self, at_ms: int) -> bool:
        """Whether the node was there at that time."""
        return self.since_ms <= at_ms and (self.until_ms is None or at_ms < self.until_ms)


@dataclass(frozen=True)
class Estate:
    """Everything that the estate files say. Never changed: a changed file makes a new one.

    Every question is answered from dictionaries made once, in the order of the files.
    """

    name: str | None = None
    sites: tuple[Site, ...] = ()
    nodes: tuple[Node, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    calendar: Calendar = field(default_factory=Calendar)
    contacts: tuple[Contact, ...] = ()
    _index: "_Index" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", _Index.of(self.sites, self.nodes))

    def rooms(self) -> Iterator[RoomPlace]:
        """Every room, in the order of the files."""
        return iter(self._index.rooms.values())

    def room(self, ref: str) -> RoomPlace | None:
        """The room `site/room`; `None` if there is none of that name."""
        return self._index.rooms.get(ref)

    def node(self, node: str) -> Node | None:
        """The node as declared; `None` for one that nobody declared."""
        return self._index.nodes.get(node)

    def in_service(self) -> list[str]:
        """The ids of the nodes that were not taken out of service: those that have an account."""
        return [node.id for node in self.nodes if node.removed is None]

    def placement(self, node: str, at_ms: int) -> str | None:
        """The room (`site/room`) in which a node was at a time; `None`: nowhere, or unknown."""
        stays = self._index.stays_of_node.get(node, ())
        position = bisect_right(stays, at_ms, key=_since)
        if position == 0:
            return None
        stay = stays[position - 1]
        return stay.room if stay.covers(at_ms) else None

    def nodes_of(self, ref: str, at_ms: int) -> list[str]:
        """The nodes that were in a room at a time, in the order of the files."""
        return [stay.node for stay in self._index.stays_in_room.get(ref, ()) if stay.covers(at_ms)]

    def placements_of_room(self, ref: str) -> tuple[Stay, ...]:
        """Every stay of any node in a room, by node in the order of the files, then by time."""
        return self._index.stays_in_room.get(ref, ())

    def placements_of_node(self, node: str) -> tuple[Stay, ...]:
        """Every stay of a node, by time."""
        return self._index.stays_of_node.get(node, ())


def _since(stay: Stay) -> int:
    return stay.since_ms


def stays_of(node: Node) -> tuple[Stay, ...]:
    """A node's placements by time, each ended by its `until` or by the next one."""
    ordered = sorted(node.placements, key=lambda placement: placement.since)
    stays = []
    for position, placement in enumerate(ordered):
        until = placement.until
        if until is None and position + 1 < len(ordered):
            until = ordered[position + 1].since
        until_ms = None if until is None else to_ms(until)
        stays.append(Stay(node.id, placement.room, to_ms(placement.since), until_ms))
    return tuple(stays)


@dataclass(frozen=True, slots=True)
class _Index:
    rooms: MappingProxyType[str, RoomPlace]
    nodes: MappingProxyType[str, Node]
    stays_of_node: MappingProxyType[str, tuple[Stay, ...]]
    stays_in_room: MappingProxyType[str, tuple[Stay, ...]]

    @classmethod
    def of(cls, sites: tuple[Site, ...], nodes: tuple[Node, ...]) -> Self:
        places = (RoomPlace(s, b, r) for s in sites for b in s.buildings for r in b.rooms)
        stays_of_node = {node.id: stays_of(node) for node in nodes}
        in_room: defaultdict[str, list[Stay]] = defaultdict(list)
        for stays in stays_of_node.values():
            for stay in stays:
                in_room[stay.room].append(stay)
        return cls(
            MappingProxyType({place.ref: place for place in places}),
            MappingProxyType({node.id: node for node in nodes}),
            MappingProxyType(stays_of_node),
            MappingProxyType({ref: tuple(stays) for ref, stays in in_room.items()}),
        )
