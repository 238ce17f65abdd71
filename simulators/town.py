"""The demo town: its estate file, and for each of its rooms the building and the people behind it.

Names, volumes and placements come from the estate, as a real town's would. What no estate says,
how a room is built, heated, used and aired, stands here. It has no clock and knows no MQTT.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from ingest.estate.calendar import OccupancyCalendar
from ingest.estate.load import load_estate
from ingest.estate.model import Estate, Node, RoomPlace, Site
from simulators.fabric import AZIMUTH_DEG, Fabric
from simulators.faults import Fault
from simulators.heating import Regime
from simulators.people import (
    CLASS_DAY,
    LIBRARY_HOURS,
    LUNCH,
    NAP,
    NURSERY_DAY,
    SMALL_CHILD_L_S,
    WEDNESDAY_CARE,
    Use,
)
from simulators.town_air import RoomAir, SimulatedRoom, TownAir
from simulators.weather import Weather

DEMO_ESTATE: Final = files("simulators").joinpath("estates/demo.toml")
"""The estate file of the demo town."""

PARTITION_W_K: Final = 40.0
"""A wall of 20 m² between two classrooms, uninsulated (2 W/m²K)."""

_RENOVATED: Final = Fabric()
# Solid walls, single panes, high ceilings: about 166 W/K with its leaks, a time constant of 17 h.
_OLD_WALLS: Final = Fabric(opaque_w_k=82, windows_w_k=54, leak_ach=0.5, heater_w=6500)
_MECHANICAL: Final = Fabric(leak_ach=0.2, ventilation_m3_h=580, heat_recovery=0.7)


@dataclass(frozen=True, slots=True)
class TownRoom:
    """A room of a town, the node on its wall and its air."""

    node: str
    ref: str
    name: str
    model: RoomAir


@dataclass(frozen=True, slots=True)
class Town:
    """An estate and the rooms that are simulated in it, in the order of the estate."""

    estate: Estate
    rooms: tuple[TownRoom, ...]
    air: TownAir


@dataclass(frozen=True, slots=True)
class Character:
    """What no estate says of a room: how it is built, and who uses and airs it how."""

    fabric: Fabric
    use: Use
    airing: float = 0.5
    airing_ppm: float = math.inf
    valve_c: float = 19.5


def _class(
    children: int, airing: float, airing_ppm: float = math.inf, fabric: Fabric = _RENOVATED
) -> Character:
    return Character(fabric, Use(CLASS_DAY, children), airing, airing_ppm)


def _nursery(
    children: int, airing: float, valve_c: float, fabric: Fabric = _RENOVATED
) -> Character:
    use = Use(NURSERY_DAY, children, adults=2, child_l_s=SMALL_CHILD_L_S)
    return Character(fabric, use, airing, 1100, valve_c)


_DORMITORY: Final = replace(_RENOVATED, windows_w_k=8, glazing_m2=3, ventilation_m3_h=70)
_CANTEEN: Final = replace(
    _MECHANICAL, opaque_w_k=150, windows_w_k=60, glazing_m2=18, ventilation_m3_h=1400, heater_w=9000
)
_WEDNESDAYS: Final = Use(NURSERY_DAY + WEDNESDAY_CARE, 25, adults=2, child_l_s=SMALL_CHILD_L_S)
DEMO_CHARACTERS: Final[Mapping[str, Character]] = MappingProxyType(
    {
        "prevert/cp": _class(23, airing=0.9, airing_ppm=1000),
        "prevert/ce1": _class(24, airing=0.7, airing_ppm=1200),
        "prevert/ce2": _class(25, airing=0.5, airing_ppm=1400),
        # Small, full and shut: above 1500 ppm within the hour.
        "prevert/cm1": _class(27, 0.3, fabric=replace(_RENOVATED, ventilation_m3_h=60)),
        "prevert/cm2": _class(26, airing=0.4, fabric=_MECHANICAL),
        # Its radiators are too small for its walls.
        "prevert/ce1-ce2": _class(22, 0.8, 1200, fabric=replace(_OLD_WALLS, heater_w=2200)),
        "prevert/bibliotheque": Character(_OLD_WALLS, Use(LIBRARY_HOURS, 25), airing=0.3),
        "prevert/salle-a-manger": Character(_CANTEEN, Use(LUNCH, 78, adults=5), airing=0.8),
        "tilleuls/petite-section": _nursery(23, airing=0.8, valve_c=21),
        "tilleuls/moyenne-section": _nursery(24, airing=0.6, valve_c=20.5),
        "tilleuls/grande-section": replace(
            _nursery(25, airing=0.9, valve_c=20, fabric=_OLD_WALLS), use=_WEDNESDAYS
        ),
        "tilleuls/dortoir": Character(
            _DORMITORY, Use(NAP, 20, child_l_s=SMALL_CHILD_L_S), airing=1.0, valve_c=20
        ),
    }
)
COPY_NODES: Final = 101
"""Between a node of the demo and its copy: no two of its nodes lie a multiple of that apart."""
DEMO_REGIMES: Final = MappingProxyType({"tilleuls/maternelle": Regime(comfort_c=21)})


def demo_town(
    seed: int = 1,
    faults: Sequence[Fault] = (),
    *,
    weather: Weather | None = None,
    copies: int = 1,
) -> Town:
    """The town of the demonstration, twelve rooms with a node each.

    Without a weather it has that of its seed. With more copies its schools stand there several
    times, as `prevert-2` and so on, with nodes and people of their own.
    """
    with as_file(DEMO_ESTATE) as path:
        first = load_estate(path)
    numbers = range(2, copies + 1)
    estate = Estate(
        name=first.name,
        sites=first.sites + tuple(_site_again(site, n) for n in numbers for site in first.sites),
        nodes=first.nodes + tuple(_node_again(node, n) for n in numbers for node in first.nodes),
        calendar=first.calendar,
    )
    characters = dict(DEMO_CHARACTERS)
    regimes = dict(DEMO_REGIMES)
    for number in numbers:
        characters |= {_again(ref, number): character for ref, character in DEMO_CHARACTERS.items()}
        regimes |= {_again(name, number): regime for name, regime in DEMO_REGIMES.items()}
    return town_of(estate, characters, seed=seed, weather=weather, regimes=regimes, faults=faults)


def _again(ref: str, number: int) -> str:
    site, _, rest = ref.partition("/")
    return f"{site}-{number}/{rest}"


def _site_again(site: Site, number: int) -> Site:
    return site.model_copy(update={"id": f"{site.id}-{number}", "name": f"{site.name} {number}"})


def _node_again(node: Node, number: int) -> Node:
    # Station addresses of ESP32s come in steps of four; the maker's half of the address stays.
    address = f"{int(node.id, 16) + (number - 1) * 4 * COPY_NODES:012x}"
    placements = tuple(
        place.model_copy(update={"room": _again(place.room, number)}) for place in node.placements
    )
    return node.model_copy(update={"id": address, "placements": placements})


def town_of(
    estate: Estate,
    characters: Mapping[str, Character],
    *,
    seed: int,
    weather: Weather | None = None,
    regimes: Mapping[str, Regime] = MappingProxyType({}),
    faults: Sequence[Fault] = (),
) -> Town:
    """The rooms of an estate that have a character, each with the nodes placed in it.

    Rooms that follow each other in a building share a wall.
    """
    places = [place for place in estate.rooms() if place.ref in characters]
    air = TownAir(
        rooms=[_simulated(place, characters[place.ref]) for place in places],
        weather=weather or Weather(seed),
        calendar=OccupancyCalendar.of(estate),
        seed=seed,
        walls=_walls(places),
        regimes=regimes,
        faults=faults,
    )
    rooms = [
        TownRoom(stay.node, place.ref, place.room.name, air.room(place.ref))
        for place in places
        for stay in estate.placements_of_room(place.ref)
    ]
    return Town(estate, tuple(rooms), air)


def _simulated(place: RoomPlace, character: Character) -> SimulatedRoom:
    fabric = character.fabric
    room = place.room
    fabric = replace(
        fabric,
        volume_m3=room.volume_m3 or fabric.volume_m3,
        floor_m2=room.area_m2 or fabric.floor_m2,
        azimuth_deg=AZIMUTH_DEG.get(room.exposure or "", fabric.azimuth_deg),
    )
    return SimulatedRoom(
        ref=place.ref,
        building=building_of(place),
        fabric=fabric,
        use=character.use,
        airing=character.airing,
        airing_ppm=character.airing_ppm,
        valve_c=character.valve_c,
    )


def building_of(place: RoomPlace) -> str:
    """`site/building`, by which regimes and faults name it."""
    return f"{place.site.id}/{place.building.id}"


def _walls(places: Iterable[RoomPlace]) -> dict[tuple[str, str], float]:
    inside: defaultdict[str, list[str]] = defaultdict(list)
    for place in places:
        inside[building_of(place)].append(place.ref)
    return {pair: PARTITION_W_K for refs in inside.values() for pair in pairwise(refs)}
