"""What acts on the rooms of a town: each room has its own sun, people, neighbours and heating."""

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from simulators.dynamics import Drive
from simulators.faults import StuckValve
from simulators.people import ADULT_L_S, CHILD_L_S
from simulators.town import Town, demo_town
from simulators.town_air import STEP_S, TownAir
from simulators.weather import Spell, Weather

PARIS = ZoneInfo("Europe/Paris")
# A clear Tuesday of March with school, in a cold week.
DAY = datetime(2027, 3, 16, tzinfo=PARIS)
CLEAR = Weather(1, [Spell(date(2027, 3, 10), date(2027, 3, 20), anomaly_k=-4, cloud=0.0)])


def at(hour: float) -> int:
    """The step of the day that begins at a local hour."""
    return round(hour * 3600 / STEP_S)


def day_of(air: TownAir) -> Drive:
    begin_s = int(DAY.timestamp())
    return air.drive(np.arange(begin_s, begin_s + 86_400, STEP_S), STEP_S)


@pytest.fixture(scope="module")
def town() -> Town:
    return demo_town(1, weather=CLEAR)


@pytest.fixture(scope="module")
def day(town: Town) -> Drive:
    return day_of(town.air)


def place(town: Town, ref: str) -> int:
    return [room.ref for room in town.air.rooms].index(ref)


def test_each_room_has_the_sun_of_its_facade(town: Town, day: Drive):
    morning, evening = slice(at(8), at(9)), slice(at(17), at(18))
    east, south, west, north = (
        day.sun_w_m2[:, place(town, ref)]
        for ref in ("prevert/ce2", "prevert/cp", "prevert/cm1", "prevert/ce1-ce2")
    )
    assert east[morning].mean() > 2 * west[morning].mean()
    assert west[evening].mean() > 2 * east[evening].mean()
    assert at(11.5) < south.argmax() < at(14)
    assert north.max() < 0.35 * south.max()


def test_a_room_behind_houses_has_its_sun_later(town: Town):
    cp = town.air.rooms[0]
    rooms = [
        replace(cp, fabric=replace(cp.fabric, azimuth_deg=90.0, obstacle_deg=high))
        for high in (0, 25)
    ]
    rooms[1] = replace(rooms[1], ref="prevert/ce1")
    sun_w_m2 = day_of(TownAir(rooms, CLEAR, town.air.calendar, 1)).sun_w_m2
    dawn, late = at(8), at(11)
    assert sun_w_m2[dawn, 1] < 0.5 * sun_w_m2[dawn, 0]
    assert sun_w_m2[late, 1] == sun_w_m2[late, 0] > 100


def test_people_bring_heat_vapour_and_co2_into_their_room_alone(town: Town, day: Drive):
    cp, canteen = place(town, "prevert/cp"), place(town, "prevert/salle-a-manger")
    lesson, lunch = at(9), at(12)
    heads = day.people_w[lesson, cp] / 70
    assert 20 <= heads <= 24
    assert day.co2_l_s[lesson, cp] == pytest.approx((heads - 1) * CHILD_L_S + ADULT_L_S)
    assert day.people_g_s[lesson, cp] * 3600 == pytest.approx(heads * 40)
    assert day.people_w[lesson, canteen] == day.people_g_s[lesson, canteen] == 0
    assert day.people_w[lunch, canteen] / 70 > 70
    assert day.people_w[lunch, cp] == 0
    assert np.array_equal(day.is_used, day.people_w > 0)


def test_each_building_has_its_regime_and_each_room_its_valve(town: Town, day: Drive):
    valves_c = {room.ref: day.valve_c[at(10), column] for column, room in enumerate(town.air.rooms)}
    assert valves_c["prevert/cp"] == 19.5
    assert valves_c["tilleuls/petite-section"] == 21
    assert valves_c["tilleuls/grande-section"] == 20
    # A hotter room wants hotter radiators at the same hour of the same day.
    warm, usual = (place(town, ref) for ref in ("tilleuls/petite-section", "prevert/cp"))
    assert day.radiator_c[at(10), warm] > day.radiator_c[at(10), usual] + 1
    night = at(23)
    assert {day.valve_c[night, column] for column in range(len(town.air.rooms))} == {16.0}


def test_a_cold_room_is_kept_from_the_worst_by_its_neighbours():
    cold = StuckValve(room="prevert/ce1", opening=0.0)
    air = demo_town(1, [cold], weather=CLEAR).air
    apart = replace(air, walls={})
    morning_s = DAY.timestamp() + 8 * 3600

    def gap_k(one: TownAir) -> float:
        states = [one.room(ref).state_at(morning_s) for ref in ("prevert/ce2", "prevert/ce1")]
        return states[0].temperature_c - states[1].temperature_c

    assert 0 < gap_k(air) < 0.9 * gap_k(apart)
