"""A room and its air through the year: temperature, humidity and CO2, by seed and instant.

A first model, good enough for a plausible page: one heat capacity, a mass balance for CO2 and one
for vapour. Better physics will be another `RoomSource`. It has no clock, knows nothing of sensors
and nodes, and gives the same answer for the same instant whatever was asked before.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from simulators.habits import PLAN_STEP_S, Habits, Moment, plan_day
from simulators.people import ADULT_L_S
from simulators.weather import DAY_S, Outdoors, Weather, saturation_g_m3

OUTDOOR_CO2_PPM: Final = 420.0

_ZONE: Final = ZoneInfo("Europe/Paris")
_WEEK_S: Final = 7 * DAY_S
_STEPS_A_WEEK: Final = _WEEK_S // PLAN_STEP_S
# 1 January 1970 was a Thursday: four days later weeks begin on Mondays.
_FIRST_MONDAY_S: Final = 4 * DAY_S
_WEEKS_KEPT: Final = 3

_AIR_J_M3K: Final = 1200.0
_PERSON_W: Final = 70.0
_VAPOUR_G_S: Final = 40 / 3600
# Walls, paper and coats take up and give back vapour as if the room were that many times larger.
_SORPTION: Final = 4.0
_FACADES: Final = ("S", "SW", "W", "NW", "N", "NE", "E", "SE")

_HEATING_BELOW_C: Final = 15.0
_FULL_HEAT_WITHIN_K: Final = 0.5
_TOO_WARM_C: Final = 25.0


@dataclass(frozen=True, slots=True)
class RoomState:
    """The air of a room at one instant."""

    temperature_c: float
    humidity_percent: float
    co2_ppm: float


class RoomSource(Protocol):
    """Anything that tells the air of a room at a Unix time, the same each time it is asked."""

    def state_at(self, unix_s: float) -> RoomState:
        """The air at `unix_s`."""
        ...


@dataclass(frozen=True, slots=True)
class Fabric:
    """What a room is made of.

    80 W/K over 10 MJ/K is a renovated classroom of 60 m² (time constant 34 h), 166 W/K one
    without insulation (17 h). Air changes are per hour: through leaks, by the ventilation while
    the room is used, and by open windows.
    """

    volume_m3: float = 180.0
    exposure: str = "S"
    heat_loss_w_k: float = 80.0
    capacity_j_k: float = 10e6
    heater_w: float = 6000.0
    glazing_m2: float = 8.0
    leak_ach: float = 0.3
    ventilation_ach: float = 1.0
    window_ach: float = 4.0


@dataclass(slots=True)
class _Air:
    temperature_c: float
    vapour_g_m3: float
    co2_ppm: float = OUTDOOR_CO2_PPM


class RoomModel:
    """One room under one weather.

    Each week is computed from the Monday before it, in which any initial state is forgotten (to
    0.03 K where a room floats freely, far below that where it is heated or aired), so that what
    was asked before does not matter. CO2 follows the mass balance V dC/dt = G + Q (C_out - C);
    the generation a person is given in `simulators.people`.
    """

    def __init__(self, fabric: Fabric, habits: Habits, weather: Weather, seed: int | str) -> None:
        self._fabric = fabric
        self._habits = habits
        self._weather = weather
        self._facade_angle = _FACADES.index(fabric.exposure) * math.pi / 4
        self._seed = seed
        self._weeks: dict[int, list[list[float]]] = {}
        self._plans: dict[int, list[Moment]] = {}
        self._offsets: dict[int, int] = {}

    def state_at(self, unix_s: float) -> RoomState:
        """The air at a Unix time, between two steps of five minutes in a straight line."""
        number, second = divmod(unix_s - _FIRST_MONDAY_S, _WEEK_S)
        step, rest = divmod(second, PLAN_STEP_S)
        at, share = int(step), rest / PLAN_STEP_S
        temperature, humidity, co2 = self._week(int(number))
        return RoomState(
            temperature[at] + (temperature[at + 1] - temperature[at]) * share,
            humidity[at] + (humidity[at + 1] - humidity[at]) * share,
            co2[at] + (co2[at + 1] - co2[at]) * share,
        )

    def people_at(self, unix_s: float) -> int:
        """How many people are in the room at a Unix time."""
        moment = self._moment(int(unix_s))
        return moment.children + moment.adults

    def _week(self, number: int) -> list[list[float]]:
        if number not in self._weeks:
            self._weeks[number] = self._compute(_FIRST_MONDAY_S + number * _WEEK_S)
            while len(self._weeks) > _WEEKS_KEPT:
                del self._weeks[next(iter(self._weeks))]
        return self._weeks[number]

    def _compute(self, monday_s: int) -> list[list[float]]:
        """Temperature, humidity and CO2 of a week every five minutes, both ends included."""
        begin_s = monday_s - _WEEK_S
        outdoors = self._weather.at(begin_s)
        air = _Air(max(self._habits.away_c, outdoors.temperature_c), outdoors.vapour_g_m3)
        week: list[list[float]] = [[], [], []]
        for step in range(2 * _STEPS_A_WEEK + 1):
            if step >= _STEPS_A_WEEK:
                week[0].append(air.temperature_c)
                week[1].append(100 * air.vapour_g_m3 / saturation_g_m3(air.temperature_c))
                week[2].append(air.co2_ppm)
            now_s = begin_s + step * PLAN_STEP_S
            self._step(air, self._moment(now_s), self._weather.at(now_s), now_s)
        return week

    def _step(self, air: _Air, moment: Moment, outdoors: Outdoors, now_s: int) -> None:
        flow_m3_s = self._air_changes(air, moment) * self._fabric.volume_m3 / 3600
        kept = math.exp(-flow_m3_s / self._fabric.volume_m3 * PLAN_STEP_S)
        people = moment.children + moment.adults
        litres_s = moment.children * self._habits.use.child_l_s + moment.adults * ADULT_L_S
        co2_end = equilibrium_ppm(litres_s, flow_m3_s)
        air.co2_ppm = co2_end + (air.co2_ppm - co2_end) * kept

        vapour_end = outdoors.vapour_g_m3 + people * _VAPOUR_G_S / flow_m3_s
        gains_w = people * _PERSON_W + self._sun_w(outdoors) + self._heat_w(air, moment, now_s)
        loss_w_k = self._fabric.heat_loss_w_k + _AIR_J_M3K * flow_m3_s
        net_w = gains_w - loss_w_k * (air.temperature_c - outdoors.temperature_c)
        air.temperature_c += net_w * PLAN_STEP_S / self._fabric.capacity_j_k
        # What condenses on the panes leaves the air.
        air.vapour_g_m3 = min(
            vapour_end + (air.vapour_g_m3 - vapour_end) * kept ** (1 / _SORPTION),
            saturation_g_m3(air.temperature_c),
        )

    def _air_changes(self, air: _Air, moment: Moment) -> float:
        air_changes = self._fabric.leak_ach
        open_windows = moment.windows_open
        if moment.adults:
            air_changes += self._fabric.ventilation_ach
            stuffy = air.co2_ppm > self._habits.airing_in_class_ppm
            open_windows = open_windows or stuffy or air.temperature_c > _TOO_WARM_C
        return air_changes + self._fabric.window_ach if open_windows else air_changes

    def _sun_w(self, outdoors: Outdoors) -> float:
        """Sun through the panes: a diffuse part, and a direct one while it faces them."""
        facing = math.cos(outdoors.hour_angle - self._facade_angle)
        return self._fabric.glazing_m2 * outdoors.sun_w_m2 * (0.12 + 0.3 * max(0.0, facing))

    def _heat_w(self, air: _Air, moment: Moment, now_s: int) -> float:
        if self._weather.mean_c(now_s) > _HEATING_BELOW_C:
            return 0.0
        missing_k = moment.setpoint_c - air.temperature_c
        return self._fabric.heater_w * min(1.0, max(0.0, missing_k / _FULL_HEAT_WITHIN_K))

    def _moment(self, now_s: int) -> Moment:
        number, second = divmod(now_s + self._offset_s(now_s // DAY_S), DAY_S)
        if number not in self._plans:
            day = datetime.fromtimestamp(number * DAY_S, UTC).date()
            self._plans[number] = plan_day(self._habits, day, self._seed)
        return self._plans[number][second // PLAN_STEP_S]

    def _offset_s(self, utc_day: int) -> int:
        """Local time less UTC at noon, which serves for the whole day.

        On the two Sundays on which it changes nobody is there in the hours for which it is wrong.
        """
        if utc_day not in self._offsets:
            noon = datetime.fromtimestamp(utc_day * DAY_S + DAY_S // 2, _ZONE)
            self._offsets[utc_day] = int((noon.utcoffset() or timedelta()).total_seconds())
        return self._offsets[utc_day]


def equilibrium_ppm(litres_s: float, flow_m3_s: float) -> float:
    """CO2 that a room tends to: outdoors plus generation over flow."""
    return OUTDOOR_CO2_PPM + litres_s / 1000 / flow_m3_s * 1e6
