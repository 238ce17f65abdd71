"""People come by timetable and calendar, also on days of 23 and 25 hours."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from simulators.people import ADULT_L_S, CHILD_L_S, CLASS_DAY, WEDNESDAY_CARE, Use
from simulators.presence import Presence, local_days, presence

PARIS = ZoneInfo("Europe/Paris")
CLASS = Use(CLASS_DAY, 26)


def steps_of(day: date, days: int = 1) -> np.ndarray:
    begin, end = (
        int(datetime.combine(day + timedelta(days=n), datetime.min.time(), PARIS).timestamp())
        for n in (0, days)
    )
    return np.arange(begin, end, 300)


def people(
    day: date, use: Use = CLASS, *, airing: float = 0.0, school: bool | None = True, seed: str = "x"
) -> Presence:
    return presence(use, airing, local_days(steps_of(day), PARIS), lambda _day: school, seed)


@pytest.mark.parametrize("day", [date(2026, 11, 17), date(2026, 6, 16)], ids=["winter", "summer"])
def test_a_class_is_in_from_half_past_eight_by_the_clock_on_the_wall(day):
    adults = people(day).adults
    assert not adults[: 8 * 12 + 6].any()
    assert adults[8 * 12 + 6 : 10 * 12].all()
    assert not adults[10 * 12 : 10 * 12 + 3].any()
    assert not adults[16 * 12 + 6 :].any()
    assert adults.sum() * 5 == 5.5 * 60


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_days_of_23_and_25_hours_have_all_their_steps_and_their_noon(day, hours):
    steps = steps_of(day)
    (local,) = local_days(steps, PARIS)
    assert (local.day, len(local.second)) == (day, hours * 12)
    (noon,) = np.flatnonzero(local.second == 12 * 3600)
    assert noon == (hours - 12) * 12
    assert local.second[0] == 0
    assert local.second[-1] == 24 * 3600 - 300


@pytest.mark.parametrize("zone", ["America/Cayenne", "Indian/Reunion", "Pacific/Tahiti"])
def test_overseas_it_is_the_local_day_as_well(zone):
    noon_s = int(datetime(2026, 11, 17, 12, tzinfo=ZoneInfo(zone)).timestamp())
    (local,) = local_days(np.array([noon_s]), ZoneInfo(zone))
    assert (local.day, local.second.tolist()) == (date(2026, 11, 17), [12 * 3600])


def test_every_step_of_a_year_belongs_to_one_day():
    steps = steps_of(date(2026, 1, 1), 365)
    days = local_days(steps, PARIS)
    assert [one.day for one in days] == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    assert [one.steps.stop for one in days[:-1]] == [one.steps.start for one in days[1:]]
    assert (days[0].steps.start, days[-1].steps.stop) == (0, len(steps))


@pytest.mark.parametrize(
    ("day", "school", "is_in"),
    [
        (date(2026, 11, 17), True, True),
        (date(2026, 11, 17), False, False),
        (date(2026, 11, 18), True, False),  # a Wednesday
        (date(2026, 11, 21), True, False),  # a Saturday
        # Beyond the calendar's data pupils come, but not in summer.
        (date(2035, 11, 20), None, True),
        (date(2035, 7, 17), None, False),
    ],
)
def test_nobody_comes_when_there_is_no_school(day, school, is_in):
    assert people(day, school=school).adults.any() == is_in


def test_on_wednesdays_there_is_the_centre_de_loisirs_where_it_is_held():
    assert people(date(2026, 11, 18), Use(CLASS_DAY + WEDNESDAY_CARE, 20)).adults.any()


def test_what_people_give_off_follows_from_how_many_they_are():
    full = people(date(2026, 11, 17))
    at = 9 * 12
    pupils = full.children[at]
    assert 22 <= pupils <= 26
    assert full.co2_l_s[at] == pytest.approx(pupils * CHILD_L_S + ADULT_L_S)
    assert full.heat_w[at] == pytest.approx((pupils + 1) * 70)
    assert full.vapour_g_s[at] * 3600 == pytest.approx((pupils + 1) * 40)


def test_some_are_absent_each_day_and_the_same_ones_for_the_same_seed():
    days = [date(2026, 11, 16) + timedelta(days=7 * n) for n in range(12)]
    counts = [people(day).children.max() for day in days]
    assert len(set(counts)) > 1
    assert counts == [people(day).children.max() for day in days]
    assert counts != [people(day, seed="y").children.max() for day in days]


def test_rooms_are_aired_after_a_share_of_the_sessions_for_a_quarter_of_an_hour():
    day = date(2026, 11, 17)
    assert not people(day).airing.any()
    always = people(day, airing=1.0)
    assert always.airing.sum() * 5 == 4 * 15
    assert not (always.airing & (always.adults > 0)).any()
