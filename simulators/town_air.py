"""The air of a whole town at any instant: weather, calendar, people, heating and physics together.

It is computed in stretches of two weeks, each from two weeks before, in which any initial state is
forgotten; so what was asked before does not matter. It has no clock and knows no sensors.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np

from ingest.estate.calendar import OccupancyCalendar
from simulators.dynamics import Course, Drive, State, run
from simulators.fabric import Fabric, Rooms
from simulators.faults import BuildingFault, Fault, StuckValve
from simulators.heating import Programme, Regime, programme
from simulators.people import Use
from simulators.presence import local_days, presence
from simulators.room import AirCourse, RoomState
from simulators.seeds import Floats, Integers
from simulators.sun import on_facade
from simulators.weather import DAY_S, Sky, Weather

STEP_S: Final = 300
COARSE_STEP_S: Final = 1800
STRETCH_S: Final = 14 * DAY_S
_COARSE_S: Final = 13 * DAY_S
_FINE_S: Final = DAY_S
# 1 January 1970 was a Thursday: four days later weeks begin on Mondays.
_FIRST_MONDAY_S: Final = 4 * DAY_S
_FEWEST_KEPT: Final = 3
_KEPT_VALUES: Final = 2_000_000
"""Of each of four quantities: 64 MB, a year of 18 rooms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRoom:
    """A room of a town: `ref` is `site/room`, `building` `site/building`.

    `airing` is the share of sessions after which windows are opened, `airing_ppm` the CO2 above
    which somebody opens one during a session, `valve_c` what the radiators' valves are set to.
    """

    ref: str
    building: str
    fabric: Fabric
    use: Use
    airing: float = 0.5
    airing_ppm: float = math.inf
    valve_c: float = 19.5


@dataclass(slots=True)
class TownAir:
    """All rooms of a town under one weather.

    `walls` are what two rooms exchange through the wall between them, in W/K. `regimes` are those
    of single buildings. The same arguments give the same air at the same instant.
    """

    rooms: Sequence[SimulatedRoom]
    weather: Weather
    calendar: OccupancyCalendar
    seed: int | str
    walls: Mapping[tuple[str, str], float] = field(default_factory=lambda: MappingProxyType({}))
    regimes: Mapping[str, Regime] = field(default_factory=lambda: MappingProxyType({}))
    faults: Sequence[Fault] = ()
    _places: dict[str, int] = field(init=False, repr=False)
    _arrays: Rooms = field(init=False, repr=False)
    _stretches: dict[int, Course] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._places = {room.ref: place for place, room in enumerate(self.rooms)}
        between = np.zeros((len(self.rooms), len(self.rooms)))
        for (one, other), w_k in self.walls.items():
            between[self._places[one], self._places[other]] = w_k
            between[self._places[other], self._places[one]] = w_k
        self._arrays = Rooms.of([room.fabric for room in self.rooms], between)

    def room(self, ref: str) -> "RoomAir":
        """The air of the room `site/room`. Raises `KeyError` where there is none."""
        return RoomAir(self, self._places[ref])

    def stretch(self, number: int) -> Course:
        """Two weeks of all rooms every five minutes, both ends included; the numbers run on."""
        if number not in self._stretches:
            self._stretches[number] = self._compute(_FIRST_MONDAY_S + number * STRETCH_S)
            # A year of a small town is kept, so that its rooms can be asked one after the other.
            kept = max(_FEWEST_KEPT, _KEPT_VALUES // self._stretches[number].co2_ppm.size)
            while len(self._stretches) > kept:
                del self._stretches[next(iter(self._stretches))]
        return self._stretches[number]

    def drive(self, unix_s: Integers, step_s: int) -> Drive:
        """What acts on the rooms in the steps that begin at `unix_s`."""
        middle_s = unix_s.astype(np.float64) + step_s / 2
        sky = self.weather.over(middle_s)
        days = local_days(unix_s, self.calendar.zone)
        people = [
            presence(
                room.use,
                room.airing,
                days,
                lambda day, ref=room.ref: self.calendar.is_school_day(ref, day),  # type: ignore[misc]
                f"{self.seed}/{room.ref}",
            )
            for room in self.rooms
        ]
        programmes = self._programmes(unix_s, sky)
        of_room = [programmes[room.building] for room in self.rooms]
        return Drive(
            outdoors_c=sky.temperature_c,
            vapour_g_m3=sky.vapour_g_m3,
            wind_m_s=sky.wind_m_s,
            sun_w_m2=self._sun_w_m2(sky),
            people_w=np.column_stack([one.heat_w for one in people]),
            co2_l_s=np.column_stack([one.co2_l_s for one in people]),
            people_g_s=np.column_stack([one.vapour_g_s for one in people]),
            is_used=np.column_stack([one.adults > 0 for one in people]),
            is_aired=np.column_stack([one.airing for one in people]),
            airing_ppm=np.array([room.airing_ppm for room in self.rooms]),
            valve_c=np.column_stack(
                [
                    np.where(plan.is_comfort, room.valve_c, np.minimum(plan.target_c, room.valve_c))
                    for room, plan in zip(self.rooms, of_room, strict=True)
                ]
            ),
            radiator_c=np.column_stack([plan.radiator_c for plan in of_room]),
            stuck=self._stuck(unix_s),
        )

    def _compute(self, begin_s: int) -> Course:
        coarse = np.arange(begin_s - _COARSE_S - _FINE_S, begin_s - _FINE_S, COARSE_STEP_S)
        fine = np.arange(begin_s - _FINE_S, begin_s + STRETCH_S, STEP_S)
        drive = self.drive(coarse, COARSE_STEP_S)
        first_c = max(float(drive.outdoors_c[: DAY_S // COARSE_STEP_S].mean()) + 2, 12.0)
        state = State.at_rest(
            self._arrays, np.full(len(self.rooms), first_c), float(drive.vapour_g_m3[0])
        )
        run(self._arrays, drive, state, COARSE_STEP_S)
        course = run(self._arrays, self.drive(fine, STEP_S), state, STEP_S)
        # A row is the end of its step: the last one before the stretch is its begin.
        kept = slice(_FINE_S // STEP_S - 1, None)
        return Course(
            course.temperature_c[kept],
            course.humidity_percent[kept],
            course.co2_ppm[kept],
            course.heating_w[kept],
        )

    def _programmes(self, unix_s: Integers, sky: Sky) -> dict[str, Programme]:
        """By building."""
        refs: defaultdict[str, list[str]] = defaultdict(list)
        for room in self.rooms:
            refs[room.building].append(room.ref)
        return {
            building: programme(
                self.regimes.get(building, Regime()),
                self.calendar,
                inside,
                unix_s=unix_s,
                sky=sky,
                faults=[
                    fault
                    for fault in self.faults
                    if isinstance(fault, BuildingFault) and fault.building == building
                ],
            )
            for building, inside in refs.items()
        }

    def _sun_w_m2(self, sky: Sky) -> Floats:
        looks = {(room.fabric.azimuth_deg, room.fabric.obstacle_deg) for room in self.rooms}
        by_look = {
            look: on_facade(sky.light, sky.sun, look[0], obstacle_deg=look[1]) for look in looks
        }
        return np.column_stack(
            [by_look[room.fabric.azimuth_deg, room.fabric.obstacle_deg] for room in self.rooms]
        )

    def _stuck(self, unix_s: Integers) -> Floats | None:
        valves = [fault for fault in self.faults if isinstance(fault, StuckValve)]
        if not valves:
            return None
        stuck = np.full((len(unix_s), len(self.rooms)), np.nan)
        for valve in valves:
            held = (valve.since_ms <= unix_s * 1000) & (unix_s * 1000 < valve.until_ms)
            stuck[held, self._places[valve.room]] = valve.opening
        return stuck


@dataclass(frozen=True, slots=True)
class RoomAir:
    """One room of a town, as a sensor on its wall finds it."""

    town: TownAir
    place: int

    def state_at(self, unix_s: float) -> RoomState:
        """The air at a Unix time, between two steps of five minutes in a straight line."""
        course = self.course_at(np.array([float(unix_s)]))
        return RoomState(
            float(course.temperature_c[0]),
            float(course.humidity_percent[0]),
            float(course.co2_ppm[0]),
        )

    def course_at(self, unix_s: Floats) -> AirCourse:
        """The same at many Unix times."""
        numbers = np.floor((unix_s - _FIRST_MONDAY_S) / STRETCH_S).astype(np.int64)
        values = np.empty((3, len(unix_s)))
        for number in np.unique(numbers):
            course, there = self.town.stretch(int(number)), numbers == number
            position = (unix_s[there] - _FIRST_MONDAY_S - number * STRETCH_S) / STEP_S
            low = position.astype(np.int64)
            share = position - low
            for row, every in enumerate(
                (course.temperature_c, course.humidity_percent, course.co2_ppm)
            ):
                mine = every[:, self.place]
                values[row, there] = mine[low] + (mine[low + 1] - mine[low]) * share
        return AirCourse(values[0], values[1], values[2])
