"""Heating by calendar and weather, and what goes wrong with it."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ingest.estate.calendar import OccupancyCalendar
from ingest.estate.load import load_estate
from simulators.faults import BoilerDown, ClockOnWinterTime, HeatingLeftOn, StuckValve
from simulators.heating import Regime, emission, programme
from simulators.weather import Weather

PARIS = ZoneInfo("Europe/Paris")
REGIME = Regime()
ROOMS = ["prevert/cp"]
BUILDING = "prevert/principal"


@pytest.fixture(scope="module")
def calendar():
    return OccupancyCalendar.of(load_estate(Path("simulators/estates/demo.toml")))


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp() * 1000)


def aims(calendar, times: list[str], faults=(), refs=ROOMS) -> list[float]:
    """What the heating aims at, at local times within three weeks."""
    wanted = [ms(time) // 1000 for time in times]
    steps = np.arange(min(wanted) - 3600, max(wanted) + 3600, 300)
    sky = Weather(1).over(steps.astype(float))
    plan = programme(REGIME, calendar, refs, unix_s=steps, sky=sky, faults=faults)
    return [float(plan.target_c[(at_s - steps[0]) // 300]) for at_s in wanted]


def test_it_is_set_back_at_night_lower_at_weekends_and_boosted_before_people_come(calendar):
    assert aims(
        calendar,
        [
            *("2026-11-17 09:00", "2026-11-17 12:30", "2026-11-17 23:00", "2026-11-20 05:50"),
            *("2026-11-20 06:10", "2026-11-21 12:00", "2026-11-23 02:20", "2026-11-23 02:40"),
        ],
    ) == [19.5, 19.5, 16, 16, 19.5, 11, 11, 19.5]


def test_a_wednesday_off_is_a_long_night_and_holidays_are_away(calendar):
    # From Tuesday 16:30 to Thursday 8:30 are 40 hours; Christmas 2026 is more than two weeks.
    assert aims(calendar, ["2026-11-18 12:00"]) == [16]
    assert aims(calendar, ["2026-12-24 10:00", "2027-01-01 10:00"]) == [11, 11]


def test_one_room_in_use_keeps_the_building_warm(calendar):
    nursery = ["tilleuls/petite-section", "tilleuls/grande-section"]
    assert aims(calendar, ["2026-11-18 10:00"], refs=nursery[:1]) == [16]
    assert aims(calendar, ["2026-11-18 10:00"], refs=nursery) == [19.5]


def test_a_clock_on_winter_time_is_an_hour_late_in_summer_only(calendar):
    late = [ClockOnWinterTime(building=BUILDING)]
    # Boost ends the night at 6:00; school ends at 16:30.
    summer = ["2026-05-19 06:30", "2026-05-19 07:30", "2026-05-19 17:00", "2026-05-19 18:00"]
    assert aims(calendar, summer) == [19.5, 19.5, 16, 16]
    assert aims(calendar, summer, late) == [16, 19.5, 19.5, 16]
    winter = ["2026-11-20 06:10", "2026-11-20 16:40"]
    assert aims(calendar, winter, late) == aims(calendar, winter)


def test_heating_left_on_knows_no_holidays_while_it_lasts(calendar):
    left_on = HeatingLeftOn(
        building=BUILDING, since_ms=ms("2026-12-18 17:00"), until_ms=ms("2026-12-26 00:00")
    )
    times = ["2026-12-18 16:45", "2026-12-24 03:00", "2026-12-27 12:00"]
    assert aims(calendar, times, [left_on]) == [11, 19.5, 11]


def test_radiators_are_hotter_the_colder_it_is_and_cold_without_boiler_or_need(calendar):
    steps = np.arange(ms("2026-01-01 00:00") // 1000, ms("2026-12-31 00:00") // 1000, 3600)
    sky = Weather(1).over(steps.astype(float))
    down = BoilerDown(
        building=BUILDING, since_ms=ms("2026-02-01 00:00"), until_ms=ms("2026-02-03 00:00")
    )
    plan = programme(REGIME, calendar, ROOMS, unix_s=steps, sky=sky, faults=[down])
    is_down = (steps >= down.since_ms / 1000) & (steps < down.until_ms / 1000)
    assert np.all(plan.radiator_c[is_down] < -200)
    assert np.all(plan.radiator_c[sky.mean_c > 15] < -200)
    usual = plan.is_comfort & ~is_down & (sky.mean_c < 14)
    together = np.corrcoef(plan.radiator_c[usual], sky.temperature_c[usual])[0, 1]
    assert together < -0.6
    assert plan.radiator_c[usual].max() < 90


def test_the_boost_is_hotter_than_what_the_weather_alone_asks_for(calendar):
    steps = np.arange(ms("2027-01-11 00:00") // 1000, ms("2027-01-11 16:00") // 1000, 300)
    sky = Weather(1).over(steps.astype(float))
    plan = programme(REGIME, calendar, ROOMS, unix_s=steps, sky=sky)
    # From 2:30 on, six hours before the first class of the week: at the most there is.
    share = (plan.radiator_c - plan.target_c) / 50
    load = REGIME.boost_margin * (plan.target_c - sky.temperature_c) / 27
    boost, lesson = slice(31, 101), slice(103, 180)
    assert np.all(plan.is_comfort[boost])
    assert share[boost] == pytest.approx(np.minimum(load, 1.4)[boost] ** (1 / 1.3))
    assert np.all(share[lesson] < 0.9 * load[lesson] ** (1 / 1.3))


def test_a_radiator_gives_its_nominal_power_at_50_kelvin_and_nothing_when_cold():
    given = emission(np.full(3, 1000.0), np.array([70.0, 45.0, 15.0]), np.full(3, 20.0))
    assert given[0] == pytest.approx(1000)
    assert given[1] == pytest.approx(1000 * 0.5**1.3)
    assert given[2] == 0


def test_faults_that_can_not_be_are_refused():
    with pytest.raises(ValueError, match="until_ms"):
        BoilerDown(building=BUILDING, since_ms=5, until_ms=5)
    with pytest.raises(ValueError, match="opening"):
        StuckValve(room="prevert/cp", opening=1.2)
