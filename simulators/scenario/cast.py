"""Who plays in a scenario: its town, built as rooms and profiles say, and the nodes in it.

More nodes than the estate has stand in copies of its rooms: with chips of their own, in the same
air. It starts nothing and has no clock.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.mqtt.address import BrokerAddress
from ingest.estate.model import Estate, RoomPlace
from simulators.fabric import Fabric
from simulators.faults import Fault
from simulators.history import log_of
from simulators.node import VirtualNode
from simulators.outbox import Repeats
from simulators.people import (
    CLASS_DAY,
    LIBRARY_HOURS,
    LUNCH,
    NAP,
    NURSERY_DAY,
    SMALL_CHILD_L_S,
    Use,
)
from simulators.room import RoomSource
from simulators.scenario.model import RoomTable, UseName
from simulators.scenario.occurrences import of_air_and_nodes
from simulators.scenario.script import Scenario
from simulators.sensors import USUAL
from simulators.session import Pace
from simulators.shared import SharedSession
from simulators.target import address_for
from simulators.town import (
    COPY_NODES,
    DEMO_CHARACTERS,
    DEMO_REGIMES,
    Character,
    Town,
    town_of,
)
from simulators.weather import Spell, Weather

BRISK: Final = Pace(
    Repeats(2.0, 10.0),
    presence_first_s=1.0,
    presence_longest_s=10.0,
    reconnect_first_s=0.05,
    reconnect_longest_s=1.0,
    awake_s=0.3,
)
"""Where time runs faster than life, patience is shorter."""

_USES: Final[dict[UseName, Callable[[int], Use]]] = {
    "class": lambda people: Use(CLASS_DAY, people),
    "nursery": lambda people: Use(NURSERY_DAY, people, adults=2, child_l_s=SMALL_CHILD_L_S),
    "library": lambda people: Use(LIBRARY_HOURS, people),
    "canteen": lambda people: Use(LUNCH, people, adults=5),
    "dormitory": lambda people: Use(NAP, people, child_l_s=SMALL_CHILD_L_S),
    "nobody": lambda _people: Use((), 0, adults=0),
}
_OF_PROFILE: Final[dict[str, UseName]] = {
    "classroom": "class",
    "nursery": "nursery",
    "library": "library",
    "canteen": "canteen",
    "dormitory": "dormitory",
    "gym": "class",
}
_SEATS: Final = 25
_FABRIC: Final = (
    "opaque_w_k",
    "windows_w_k",
    "glazing_m2",
    "leak_ach",
    "ventilation_m3_h",
    "heater_w",
)


@dataclass(frozen=True, slots=True)
class Stand:
    """Where one node stands: `ref` is its room, in a copy of the estate for numbers above 1."""

    node: str
    ref: str
    copy: int
    air: RoomSource
    chips: Sequence[str]
    is_firmware: bool = False
    """It runs the real firmware, on a virtual board."""


@dataclass(frozen=True, slots=True)
class Cast:
    """A town and where its nodes stand, in the order of the estate, copy after copy."""

    town: Town
    faults: Sequence[Fault]
    stands: tuple[Stand, ...]

    def nodes(
        self,
        scenario: Scenario,
        broker: BrokerAddress,
        clock: Callable[[], float],
        *,
        shift_ms: int = 0,
        passwords: Mapping[str, str] | None = None,
    ) -> list[VirtualNode]:
        """The nodes, not yet started; with `passwords` each has an account of its own."""
        head = scenario.head
        shared = SharedSession(broker) if head.sessions == "shared" else None
        return [
            VirtualNode(
                stand.node,
                stand.air,
                address_for(stand.node, broker, passwords),
                # Played again against the same gateway it is another log.
                log=log_of(stand.node, scenario.seed, scenario.begin_ms + shift_ms),
                interval_s=head.interval_s,
                pace=None if head.speed == 1 else BRISK,
                clock=clock,
                faults=self.faults,
                chips=stand.chips,
                seed=scenario.seed,
                measures_from_ms=scenario.begin_ms,
                shift_ms=shift_ms,
                shared=shared,
            )
            for stand in self.stands
        ]


def cast_of(scenario: Scenario) -> Cast:
    """The town of a scenario with all that goes wrong in it, and its nodes' places."""
    head = scenario.head
    faults = of_air_and_nodes(scenario)
    tables = {table.ref: table for table in scenario.rooms}
    estate = _sized(scenario.estate, tables)
    is_demo = head.estate == "demo"
    characters = {
        place.ref: _character(place, tables.get(place.ref), is_demo=is_demo)
        for place in estate.rooms()
    }
    spells = [Spell(s.first, s.last, s.anomaly_k, s.cloud) for s in head.weather.spell]
    seed = head.seed if head.weather.seed is None else head.weather.seed
    town = town_of(
        estate,
        characters,
        seed=scenario.seed,
        weather=Weather(seed, spells),
        regimes=DEMO_REGIMES if is_demo else {},
        faults=faults,
    )
    return Cast(town, faults, tuple(_stands(scenario, town, tables)))


def _stands(scenario: Scenario, town: Town, tables: dict[str, RoomTable]) -> Iterator[Stand]:
    rooms = [
        room
        for room in town.rooms
        if room.node in scenario.estate.nodes_of(room.ref, scenario.begin_ms)
    ]
    count = scenario.head.nodes or len(rooms)
    for number in range(count):
        copy, place = divmod(number, len(rooms))
        room = rooms[place]
        table = tables.get(room.ref)
        yield Stand(
            node=f"{int(room.node, 16) + copy * 4 * COPY_NODES:012x}",
            ref=room.ref,
            copy=copy + 1,
            air=room.model,
            chips=table.chips if table is not None and table.chips else USUAL,
            is_firmware=number < scenario.head.firmware_of(count),
        )


def _sized(estate: Estate, tables: dict[str, RoomTable]) -> Estate:
    """The estate with the sizes of rooms that the scenario gives: for the physics alone."""

    def room(site: str, one: Any) -> Any:
        table = tables.get(f"{site}/{one.id}")
        if table is None:
            return one
        sizes = {"area_m2": table.floor_m2, "volume_m3": table.volume_m3}
        return one.model_copy(update={key: size for key, size in sizes.items() if size})

    sites = tuple(
        site.model_copy(
            update={
                "buildings": tuple(
                    building.model_copy(
                        update={"rooms": tuple(room(site.id, one) for one in building.rooms)}
                    )
                    for building in site.buildings
                )
            }
        )
        for site in estate.sites
    )
    return replace(estate, sites=sites)


def _character(place: RoomPlace, table: RoomTable | None, *, is_demo: bool) -> Character:
    known = DEMO_CHARACTERS.get(place.ref) if is_demo else None
    character = known or _by_profile(place)
    if table is None:
        return character
    given = {key: getattr(table, key) for key in _FABRIC if getattr(table, key) is not None}
    changes: dict[str, Any] = {"fabric": replace(character.fabric, **given)}
    for key in ("airing", "airing_ppm", "valve_c"):
        if getattr(table, key) is not None:
            changes[key] = getattr(table, key)
    if table.use is not None or table.people is not None:
        people = character.use.children if table.people is None else table.people
        if table.use is None:
            changes["use"] = replace(character.use, children=people)
        else:
            changes["use"] = _USES[table.use](people)
    return replace(character, **changes)


def _by_profile(place: RoomPlace) -> Character:
    name = _OF_PROFILE.get(place.room.profile, "nobody")
    return Character(Fabric(), _USES[name](place.room.seats or _SEATS))
