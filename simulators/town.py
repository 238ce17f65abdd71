"""The demo town: its estate file, and for each of its rooms the building and the people behind it.

Names, volumes and placements come from the estate, as a real town's would. What no estate says,
how a room is heated, used and aired, stands here. It has no clock and knows no MQTT.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from types import MappingProxyType
from typing import Final

from ingest.estate.load import load_estate
from ingest.estate.model import Estate, RoomPlace
from simulators.habits import Habits
from simulators.people import (
    CLASS_DAY,
    LIBRARY_HOURS,
    LUNCH,
    NAP,
    NURSERY_DAY,
    SMALL_CHILD_L_S,
    Use,
)
from simulators.room import Fabric, RoomModel
from simulators.weather import Weather

DEMO_ESTATE: Final = files("simulators").joinpath("estates/demo.toml")
"""The estate file of the demo town."""

_OLD_WALLS: Final = Fabric(heat_loss_w_k=166, heater_w=8500, leak_ach=0.5)
_RENOVATED: Final = Fabric()
_MECHANICAL: Final = Fabric(leak_ach=0.2, ventilation_ach=3.2)


@dataclass(frozen=True, slots=True)
class TownRoom:
    """A room of a town, the node on its wall and its air."""

    node: str
    ref: str
    name: str
    model: RoomModel


@dataclass(frozen=True, slots=True)
class Town:
    """An estate and the rooms that are simulated in it, in the order of the estate."""

    estate: Estate
    rooms: tuple[TownRoom, ...]


def _class(children: int, airing: float, airing_in_class_ppm: float = math.inf) -> Habits:
    return Habits(Use(CLASS_DAY, children), airing, airing_in_class_ppm)


def _nursery(children: int, airing: float, comfort_c: float) -> Habits:
    use = Use(NURSERY_DAY, children, adults=2, child_l_s=SMALL_CHILD_L_S)
    return Habits(use, airing, comfort_c=comfort_c)


_ROOMS: Final[Mapping[str, tuple[Fabric, Habits]]] = MappingProxyType(
    {
        "prevert/cp": (_RENOVATED, _class(23, airing=0.9)),
        "prevert/ce1": (_RENOVATED, _class(24, airing=0.7, airing_in_class_ppm=1400)),
        "prevert/ce2": (_RENOVATED, _class(25, airing=0.5)),
        # Small, full and shut: above 1500 ppm within the hour.
        "prevert/cm1": (replace(_RENOVATED, ventilation_ach=0.6), _class(27, airing=0.3)),
        "prevert/cm2": (_MECHANICAL, _class(26, airing=0.4)),
        # Its radiators are too small for its walls.
        "prevert/ce1-ce2": (replace(_OLD_WALLS, heater_w=3600), _class(22, airing=0.8)),
        "prevert/bibliotheque": (_OLD_WALLS, Habits(Use(LIBRARY_HOURS, 25), airing=0.3)),
        "prevert/salle-a-manger": (
            replace(_MECHANICAL, heat_loss_w_k=260, capacity_j_k=20e6, heater_w=14_000),
            Habits(Use(LUNCH, 78, adults=5), airing=0.8),
        ),
        "tilleuls/petite-section": (_RENOVATED, _nursery(23, airing=0.8, comfort_c=21)),
        "tilleuls/moyenne-section": (_RENOVATED, _nursery(24, airing=0.6, comfort_c=20.5)),
        "tilleuls/grande-section": (_OLD_WALLS, _nursery(25, airing=0.9, comfort_c=20)),
        "tilleuls/dortoir": (
            replace(_RENOVATED, heat_loss_w_k=55, capacity_j_k=6e6, ventilation_ach=0.6),
            Habits(Use(NAP, 20, child_l_s=SMALL_CHILD_L_S), airing=1.0, comfort_c=20, night_c=17),
        ),
    }
)


def demo_town(seed: int = 1) -> Town:
    """The town of the demonstration, twelve rooms with a node each."""
    with as_file(DEMO_ESTATE) as path:
        estate = load_estate(path)
    weather = Weather(seed)
    rooms = [
        TownRoom(stay.node, place.ref, place.room.name, _model(place, weather, seed))
        for place in estate.rooms()
        for stay in estate.placements_of_room(place.ref)
    ]
    return Town(estate, tuple(rooms))


def _model(place: RoomPlace, weather: Weather, seed: int) -> RoomModel:
    fabric, habits = _ROOMS[place.ref]
    fabric = replace(
        fabric,
        volume_m3=place.room.volume_m3 or fabric.volume_m3,
        exposure=place.room.exposure or fabric.exposure,
    )
    return RoomModel(fabric, habits, weather, f"{seed}/{place.ref}")
