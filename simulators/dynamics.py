"""Many rooms through time: heat, windows, CO2 and vapour, step by step.

It is handed everything that acts on the rooms as arrays (steps by rooms), and has no clock, no
weather and no calendar of its own. The same arrays give the same course.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulators.airing import OUTDOOR_CO2_PPM, co2_after, vapour_after, window_flow_m3_s
from simulators.fabric import Rooms
from simulators.heat import AIR_J_M3K, Gains, Heating, HeatStep, Paths, paths, step
from simulators.heating import emission
from simulators.presence import Flags
from simulators.seeds import Floats
from simulators.weather import saturation_g_m3

VALVE_BAND_K: Final = 1.0
"""A room's valve is open half a kelvin below its mark and shut half a kelvin above (EN 215)."""
_RADIATOR_S: Final = 1800.0
"""How long water and iron take to follow the boiler (engineering guess)."""
_TOO_WARM_C: Final = 25.0
_TOO_COLD_C: Final = 17.0
_FRESH_AGAIN: Final = 0.65
_BLINDS_ABOVE_W_M2: Final = 120.0
_BLINDS_KEEP_OUT: Final = 0.6


@dataclass(slots=True)
class Drive:
    """What acts on the rooms: a row a step, a column a room; what is outdoors has one column.

    `sun_w_m2` falls on their façades. `stuck` is the opening of a valve that can't move, NaN where
    it can; `airing_ppm` the CO2 above which somebody opens a window while people are in.
    """

    outdoors_c: Floats
    vapour_g_m3: Floats
    wind_m_s: Floats
    sun_w_m2: Floats
    people_w: Floats
    co2_l_s: Floats
    people_g_s: Floats
    is_used: Flags
    is_aired: Flags
    airing_ppm: Floats
    valve_c: Floats
    radiator_c: Floats
    stuck: Floats | None = None

    def __len__(self) -> int:
        return len(self.outdoors_c)


@dataclass(slots=True)
class State:
    """All that the rooms remember from one step to the next."""

    mass_c: Floats
    air_c: Floats
    vapour_g_m3: Floats
    co2_ppm: Floats
    radiator_c: Floats
    is_open: Flags
    ways: Paths | None = None
    """Of the last step: most of the time nothing changes in how rooms are aired."""

    @classmethod
    def at_rest(cls, rooms: Rooms, temperature_c: Floats, vapour_g_m3: float) -> "State":
        """Rooms that have stood empty."""
        count = len(rooms)
        vapour = np.minimum(vapour_g_m3, saturation_g_m3(temperature_c))
        fresh = np.full(count, OUTDOOR_CO2_PPM)
        return cls(
            mass_c=temperature_c.copy(),
            air_c=temperature_c.copy(),
            vapour_g_m3=vapour,
            co2_ppm=fresh,
            radiator_c=temperature_c.copy(),
            is_open=np.zeros(count, np.bool_),
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """What went on in one step, for whoever keeps books."""

    index: int
    moved: HeatStep
    gains: Gains
    ventilation_w_k: Floats
    flow_m3_s: Floats


@dataclass(slots=True)
class Course:
    """The rooms at the end of each step: a row a step, a column a room."""

    temperature_c: Floats
    humidity_percent: Floats
    co2_ppm: Floats
    heating_w: Floats


@dataclass(frozen=True, slots=True)
class _Known:
    """What can be told of all steps at once, before the first.

    Flow and ventilation are those with shut windows; `somebody` and `bright` say of a step whether
    any room is used, and whether any façade is in the sun.
    """

    rooms: Rooms
    drive: Drive
    flow_m3_s: Floats
    ventilation_w_k: Floats
    sun_w: Floats
    is_bright: Flags
    somebody: Flags
    bright: Flags

    @classmethod
    def of(cls, rooms: Rooms, drive: Drive) -> "_Known":
        """All of it for the steps of `drive`."""
        machine = drive.is_used * rooms.ventilation_m3_s
        is_bright = drive.sun_w_m2 > _BLINDS_ABOVE_W_M2
        return cls(
            rooms=rooms,
            drive=drive,
            flow_m3_s=rooms.leak_m3_s + machine,
            ventilation_w_k=AIR_J_M3K * (rooms.leak_m3_s + machine * (1 - rooms.heat_recovery)),
            sun_w=rooms.glazing_m2 * drive.sun_w_m2,
            is_bright=is_bright,
            somebody=np.logical_or.reduce(drive.is_used, axis=1),
            bright=np.logical_or.reduce(is_bright, axis=1),
        )


def run(
    rooms: Rooms,
    drive: Drive,
    state: State,
    step_s: float,
    *,
    watch: Callable[[Moment], None] | None = None,
) -> Course:
    """Move `state` through all steps of `drive`; what came of it, step by step."""
    known = _Known.of(rooms, drive)
    shape = (len(drive), len(rooms))
    course = Course(*(np.empty(shape) for _ in range(4)))
    vapour = np.empty(shape)
    for index in range(len(drive)):
        moment = _advance(known, state, index, step_s)
        course.temperature_c[index] = state.air_c
        course.co2_ppm[index] = state.co2_ppm
        course.heating_w[index] = moment.moved.heating_w
        vapour[index] = state.vapour_g_m3
        if watch is not None:
            watch(moment)
    course.humidity_percent = 100 * vapour / saturation_g_m3(course.temperature_c)
    return course


def _advance(known: _Known, state: State, index: int, step_s: float) -> Moment:
    rooms, drive = known.rooms, known.drive
    outdoors_c = float(drive.outdoors_c[index])
    state.is_open = _windows(known, state, index)
    flow, ventilation_w_k = _flows(known, state, index)
    gains = Gains(drive.people_w[index], _sun_w(known, state, index))
    moved = step(
        rooms.network,
        state.mass_c,
        outdoors_c=outdoors_c,
        ways=_ways(rooms, state, ventilation_w_k, step_s),
        gains=gains,
        heating=_heating(rooms, drive, state, index, step_s),
    )
    state.mass_c, state.air_c = moved.mass_c, moved.air_c
    state.co2_ppm = co2_after(state.co2_ppm, rooms.volume_m3, flow, drive.co2_l_s[index], step_s)
    state.vapour_g_m3 = vapour_after(
        state.vapour_g_m3,
        outdoors_g_m3=float(drive.vapour_g_m3[index]),
        volume_m3=rooms.volume_m3,
        flow_m3_s=flow,
        source_g_s=drive.people_g_s[index],
        air_c=moved.air_c,
        step_s=step_s,
    )
    return Moment(index, moved, gains, ventilation_w_k, flow)


def _windows(known: _Known, state: State, index: int) -> Flags:
    """Opened for bad air or heat, shut again when it is fresh or cold; in breaks as planned."""
    drive = known.drive
    is_open: Flags = drive.is_aired[index]
    if not known.somebody[index]:
        return is_open
    limit = np.where(state.is_open, _FRESH_AGAIN * drive.airing_ppm, drive.airing_ppm)
    warm_c = _TOO_WARM_C - state.is_open
    is_warm = (state.air_c > warm_c) & (drive.outdoors_c[index] < state.air_c)
    wanted = (state.co2_ppm > limit) & (state.air_c > _TOO_COLD_C)
    is_open = is_open | (drive.is_used[index] & (wanted | is_warm))
    return is_open  # noqa: RET504 - a name for its type


def _flows(known: _Known, state: State, index: int) -> tuple[Floats, Floats]:
    """Air from outdoors in m³/s, and the heat that it costs in W/K."""
    flow: Floats = known.flow_m3_s[index]
    w_k: Floats = known.ventilation_w_k[index]
    if state.is_open.any():
        windows = state.is_open * window_flow_m3_s(
            known.rooms.opening_m2,
            known.rooms.opening_height_m,
            float(known.drive.wind_m_s[index]),
            state.air_c - known.drive.outdoors_c[index],
        )
        return flow + windows, w_k + AIR_J_M3K * windows
    return flow, w_k


def _ways(rooms: Rooms, state: State, ventilation_w_k: Floats, step_s: float) -> Paths:
    ways = state.ways
    if (
        ways is None
        or ways.step_s != step_s
        or not np.array_equal(ways.ventilation_w_k, ventilation_w_k)
    ):
        ways = state.ways = paths(rooms.network, ventilation_w_k, step_s)
    return ways


def _sun_w(known: _Known, state: State, index: int) -> Floats:
    """Sun through the panes; blinds are down in warm rooms, and left down when people go."""
    sun_w: Floats = known.sun_w[index]
    if known.bright[index]:
        is_down = known.is_bright[index] & (state.air_c > _TOO_WARM_C - 1)
        sun_w = sun_w * (1 - _BLINDS_KEEP_OUT * is_down)
    return sun_w


def _heating(rooms: Rooms, drive: Drive, state: State, index: int, step_s: float) -> Heating:
    # A boiler that is off leaves radiators at the temperature of the room.
    flow_c = np.maximum(drive.radiator_c[index], state.air_c)
    state.radiator_c += (flow_c - state.radiator_c) * (1 - math.exp(-step_s / _RADIATOR_S))
    most_w = emission(rooms.heater_w, state.radiator_c, state.air_c)
    fixed_w = None if drive.stuck is None else most_w * drive.stuck[index]
    return Heating(most_w, drive.valve_c[index] - VALVE_BAND_K / 2, VALVE_BAND_K, fixed_w)
