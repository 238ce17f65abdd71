"""The simulated weather of many years has the climate that it is drawn from."""

from datetime import UTC, datetime
from itertools import pairwise
from statistics import mean

import pytest

from simulators.weather import DAY_S, Weather, saturation_g_m3

HOURS = 24


def month(weather: Weather, year: int, number: int) -> list[list[float]]:
    begin_s = datetime(year, number, 1, tzinfo=UTC).timestamp()
    return [
        [weather.at(begin_s + day * DAY_S + hour * 3600).temperature_c for hour in range(HOURS)]
        for day in range(28)
    ]


@pytest.mark.parametrize(("number", "low_c", "high_c"), [(1, 2.2, 6.6), (7, 15.2, 24.7)])
def test_over_many_years_a_month_has_its_normals_less_one_degree(number, low_c, high_c):
    days = [day for seed in range(30) for day in month(Weather(seed), 2025, number)]
    assert mean(min(day) for day in days) == pytest.approx(low_c, abs=1.0)
    assert mean(max(day) for day in days) == pytest.approx(high_c, abs=1.0)


def test_it_never_jumps_from_one_hour_to_the_next():
    days = month(Weather(3), 2025, 11)
    hours = [hour for day in days for hour in day]
    assert max(abs(b - a) for a, b in pairwise(hours)) < 3


def test_outdoor_air_is_never_beyond_saturation_and_nights_have_no_sun():
    weather = Weather(5)
    for step in range(2000):
        unix_s = 1_750_000_000 + step * 17_777
        outdoors = weather.at(unix_s)
        assert outdoors.vapour_g_m3 <= saturation_g_m3(outdoors.temperature_c) + 1e-9
        assert outdoors.sun_w_m2 >= 0
        if unix_s % DAY_S < 2 * 3600:
            assert outdoors.sun_w_m2 == 0


def test_saturation_is_that_of_the_tables():
    # 17.3 g/m3 at 20 °C, 4.85 at 0 °C: any table of humid air.
    assert saturation_g_m3(20) == pytest.approx(17.3, abs=0.1)
    assert saturation_g_m3(0) == pytest.approx(4.85, abs=0.05)
