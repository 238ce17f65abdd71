"""The simulated weather of many years has the climate that it is drawn from."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from simulators.weather import DAY_S, Spell, Weather, saturation_g_m3

STEP_S = 1800
A_DAY = DAY_S // STEP_S


def days_of(weather: Weather, year: int = 2025, days: int = 365):
    begin_s = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    return weather.over(begin_s + np.arange(0, days * DAY_S, float(STEP_S)))


MONTH = np.array([date.fromordinal(date(2025, 1, 1).toordinal() + n).month for n in range(365)])
YEARS = [days_of(Weather(seed)) for seed in range(12)]


def by_day(figures: np.ndarray) -> np.ndarray:
    return figures.reshape(-1, A_DAY)


@pytest.mark.parametrize(
    ("month", "low_c", "high_c"), [(1, 2.2, 6.6), (4, 6.9, 15.6), (7, 15.2, 24.7)]
)
def test_over_many_years_a_month_has_its_normals_less_one_degree(month, low_c, high_c):
    days = np.concatenate([by_day(year.temperature_c)[month == MONTH] for year in YEARS])
    assert days.min(axis=1).mean() == pytest.approx(low_c, abs=1.0)
    assert days.max(axis=1).mean() == pytest.approx(high_c, abs=1.0)


def test_a_year_has_the_degree_days_of_the_region():
    # Météo method, base 18: some 2,400 to 2,700 in the Île-de-France, a hard year more.
    years = []
    for year in YEARS:
        days = by_day(year.temperature_c)
        years.append(np.maximum(0, 18 - (days.min(axis=1) + days.max(axis=1)) / 2).sum())
    assert np.mean(years) == pytest.approx(2550, abs=200)
    assert 2000 < min(years) < max(years) < 3200


def test_a_year_has_the_sun_of_the_region():
    # About 1,150 kWh/m² a year on the ground, 25 to 35 in December and 150 to 190 in July.
    sums = np.array([by_day(y.light.horizontal_w_m2).sum(axis=1) * STEP_S / 3.6e6 for y in YEARS])
    assert sums.sum(axis=1).mean() == pytest.approx(1150, rel=0.1)
    assert 20 < sums[:, MONTH == 12].sum(axis=1).mean() < 35
    assert 150 < sums[:, MONTH == 7].sum(axis=1).mean() < 190


def test_a_day_resembles_the_one_before_and_not_the_one_two_weeks_ago():
    means = [by_day(year.temperature_c).mean(axis=1)[MONTH <= 2] for year in YEARS]

    def correlated(lag: int) -> float:
        return float(np.mean([np.corrcoef(m[:-lag], m[lag:])[0, 1] for m in means]))

    assert correlated(1) > 0.6
    assert abs(correlated(14)) < 0.25


def test_it_never_jumps_from_one_half_hour_to_the_next():
    assert max(np.abs(np.diff(year.temperature_c)).max() for year in YEARS) < 2.5


def test_air_outdoors_is_never_beyond_saturation_and_nights_have_no_sun():
    for year in YEARS:
        assert np.all(year.vapour_g_m3 <= saturation_g_m3(year.temperature_c) + 1e-9)
        assert np.all(by_day(year.light.horizontal_w_m2)[:, 0] == 0)
        assert np.all(year.wind_m_s > 0)


def test_clear_winter_days_are_cold_and_clear_summer_days_hot():
    for months, sign in (((12, 1, 2), 1), ((6, 7, 8), -1)):
        there = np.isin(MONTH, months)
        together = np.mean(
            [
                np.corrcoef(
                    by_day(year.cloud).mean(axis=1)[there],
                    by_day(year.temperature_c).mean(axis=1)[there],
                )[0, 1]
                for year in YEARS
            ]
        )
        assert sign * together > 0.2


def test_clear_days_have_cold_mornings_and_warm_afternoons():
    together = []
    for year in YEARS:
        days, cloud = by_day(year.temperature_c), by_day(year.cloud).mean(axis=1)
        swing_k = days.max(axis=1) - days.min(axis=1)
        summer = np.isin(MONTH, (5, 6, 7, 8))
        together.append(np.corrcoef(swing_k[summer], cloud[summer])[0, 1])
    assert np.mean(together) < -0.4


def test_the_same_seed_gives_the_same_weather_in_any_order_and_another_seed_another():
    at_s = [1_795_000_000 + n * 77_777 for n in range(40)]
    one, other = Weather(3), Weather(3)
    assert [one.at(t) for t in at_s] == [other.at(t) for t in reversed(at_s)][::-1]
    assert one.at(at_s[0]) != Weather(4).at(at_s[0])


def test_one_by_one_it_is_the_same_as_a_year_at_once():
    year = YEARS[0]
    for place in (0, 100, 5000, 17_519):
        assert Weather(0).at(year.unix_s[place]).temperature_c == year.temperature_c[place]


def test_a_spell_lies_on_top_of_what_the_seed_draws():
    wave = Spell(date(2025, 6, 10), date(2025, 6, 20), anomaly_k=10, cloud=0.0)
    usual, hot = days_of(Weather(2)), days_of(Weather(2, [wave]))
    means = [by_day(sky.temperature_c).mean(axis=1) for sky in (usual, hot)]
    inside = slice(161, 170)
    assert np.all(means[1][inside] > means[0][inside] + 8)
    assert np.array_equal(means[0][:158], means[1][:158])
    assert np.array_equal(means[0][175:], means[1][175:])
    noon = by_day(hot.light.horizontal_w_m2)[inside].max(axis=1)
    assert np.all(noon > 700)


def test_saturation_is_that_of_the_tables():
    # 17.3 g/m3 at 20 °C, 4.85 at 0 °C: any table of humid air.
    assert saturation_g_m3(20) == pytest.approx(17.3, abs=0.1)
    assert saturation_g_m3(0) == pytest.approx(4.85, abs=0.05)
