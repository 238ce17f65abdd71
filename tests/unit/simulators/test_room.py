"""Laws of a room's air, and that the same question always gets the same answer."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.habits import Habits
from simulators.people import ADULT_L_S, CHILD_L_S, CLASS_DAY, MONDAY, Session, Use
from simulators.room import OUTDOOR_CO2_PPM, Fabric, RoomModel, equilibrium_ppm
from simulators.weather import Weather

PARIS = ZoneInfo("Europe/Paris")
WEATHER = Weather(7)
CLASS = Use(CLASS_DAY, children=26)
SEALED = Fabric(leak_ach=0.2, ventilation_ach=0.0)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp()


def room(fabric: Fabric = Fabric(), seed: int = 1, **habits) -> RoomModel:  # noqa: B008 - frozen
    return RoomModel(fabric, Habits(CLASS, **habits), WEATHER, seed)


A_ROOM = room()


@given(st.integers(int(at("2020-01-01")), int(at("2035-01-01"))))
@settings(max_examples=40)
def test_air_keeps_its_laws_at_any_time(unix_s):
    state = A_ROOM.state_at(unix_s)
    assert state.co2_ppm >= OUTDOOR_CO2_PPM - 1e-9
    assert 0 < state.humidity_percent <= 100 + 1e-9
    assert 5 < state.temperature_c < 40


def test_co2_rises_while_a_class_is_in_and_decays_when_it_has_left():
    shut = room(airing=0.0)
    lesson = [
        shut.state_at(at(f"2025-11-18 {time}")).co2_ppm for time in ("08:30", "09:00", "09:30")
    ]
    night = [
        shut.state_at(at(f"2025-11-18 {time}")).co2_ppm for time in ("16:35", "18:00", "22:00")
    ]
    assert lesson == sorted(lesson)
    assert lesson[-1] > lesson[0] + 500
    assert night == sorted(night, reverse=True)
    assert night[-1] < night[0] / 2


def test_decay_in_an_empty_room_follows_its_air_changes():
    shut = room(Fabric(leak_ach=0.3), airing=0.0)
    before, after = (
        shut.state_at(at(f"2025-11-18 {time}")).co2_ppm - OUTDOOR_CO2_PPM
        for time in ("17:00", "20:00")
    )
    assert after / before == pytest.approx(math.exp(-0.3 * 3), rel=0.01)


@pytest.mark.parametrize(("air_changes", "expected_ppm"), [(1, 2080), (2, 1250), (3, 973)])
def test_equilibrium_is_what_the_mass_balance_gives_for_a_class(air_changes, expected_ppm):
    litres_s = 26 * CHILD_L_S + ADULT_L_S
    assert equilibrium_ppm(litres_s, air_changes * 180 / 3600) == pytest.approx(expected_ppm, abs=5)


@pytest.mark.parametrize(("air_changes", "minutes"), [(0.2, 42), (1.0, 63)])
def test_a_full_class_reaches_1500_ppm_when_the_mass_balance_says_so(air_changes, minutes):
    everybody_all_day = Use((Session(8 * 3600, 16 * 3600, frozenset((MONDAY,))),), 26)
    fabric = Fabric(leak_ach=air_changes, ventilation_ach=0.0)
    shut = RoomModel(fabric, Habits(everybody_all_day, airing=0.0), WEATHER, 1)
    # Some children are away: the model's own headcount is put in the place of 26.
    opening_s = at("2025-11-17 08:00")
    children = shut.people_at(opening_s) - 1
    litres_s, flow_m3_s = children * CHILD_L_S + ADULT_L_S, air_changes * 180 / 3600
    end_ppm = equilibrium_ppm(litres_s, flow_m3_s)
    share = (1500 - OUTDOOR_CO2_PPM) / (end_ppm - OUTDOOR_CO2_PPM)
    expected_s = -math.log(1 - share) / air_changes * 3600
    assert expected_s / 60 == pytest.approx(minutes, rel=0.25)
    assert shut.state_at(opening_s + expected_s).co2_ppm == pytest.approx(1500, abs=15)


@pytest.mark.parametrize(
    "time",
    ["2025-11-19 10:00", "2025-11-22 10:00", "2025-11-18 12:30", "2025-07-22 10:00"],
    ids=["wednesday", "saturday", "lunch", "summer"],
)
def test_a_classroom_is_empty_outside_school_hours(time):
    assert A_ROOM.people_at(at(time)) == 0


def test_a_classroom_is_full_in_the_morning_of_winter_and_summer_time():
    for time in ("2025-11-18 09:00", "2025-06-17 09:00"):
        assert A_ROOM.people_at(at(time)) > 20


def test_heating_is_at_comfort_when_school_opens_and_set_back_at_the_weekend():
    heated = room(Fabric(heater_w=9000))
    assert heated.state_at(at("2026-01-12 08:30")).temperature_c == pytest.approx(19.5, abs=0.5)
    assert heated.state_at(at("2026-01-13 02:00")).temperature_c < 18.5
    assert heated.state_at(at("2026-01-11 20:00")).temperature_c == pytest.approx(12, abs=2)


def test_a_room_does_not_jump_where_one_week_is_joined_to_the_next():
    for seed in range(3):
        floating = RoomModel(Fabric(), Habits(CLASS), Weather(seed), seed)
        # Weeks are computed from Monday to Monday, UTC; in July nothing holds the temperature.
        before = floating.state_at(datetime.fromisoformat("2025-07-27T23:55:00+00:00").timestamp())
        after = floating.state_at(datetime.fromisoformat("2025-07-28T00:00:00+00:00").timestamp())
        assert after.temperature_c == pytest.approx(before.temperature_c, abs=0.1)
        assert after.co2_ppm == pytest.approx(before.co2_ppm, abs=1)


def test_the_same_seed_gives_the_same_air_in_any_order_of_asking():
    times = [at("2025-11-18 09:00") + week * 7 * 86_400 for week in range(6)]
    one, other = room(), room()
    assert [one.state_at(t) for t in times] == [other.state_at(t) for t in reversed(times)][::-1]


def test_another_seed_gives_another_day():
    states = {room(seed=seed).state_at(at("2025-11-18 11:00")) for seed in range(4)}
    assert len(states) == 4


def test_windows_opened_in_class_keep_it_fresher_than_a_sealed_room():
    time = at("2025-11-18 11:25")
    sealed = room(SEALED, airing=0.0).state_at(time)
    aired = room(SEALED, airing=0.0, airing_in_class_ppm=1200).state_at(time)
    assert sealed.co2_ppm > 2000
    assert aired.co2_ppm < 1600
