"""Where the sun stands against an astronomical library, and what its light can be at most."""

from datetime import UTC, datetime

import numpy as np
import pytest
from astral import Observer
from astral.sun import azimuth, elevation
from hypothesis import given
from hypothesis import strategies as st

from simulators.sun import light, on_facade, sun_position

TRILPORT = (48.957, 2.950)
INSTANTS = st.integers(
    int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()),
    int(datetime(2040, 1, 1, tzinfo=UTC).timestamp()),
)


@given(INSTANTS)
def test_the_sun_stands_where_astral_sees_it(unix_s):
    position = sun_position(np.array([float(unix_s)]), *TRILPORT)
    when, observer = datetime.fromtimestamp(unix_s, UTC), Observer(*TRILPORT)
    up_deg = elevation(observer, when, with_refraction=False)
    assert np.degrees(position.elevation_rad[0]) == pytest.approx(up_deg, abs=0.1)
    turned = np.degrees(position.azimuth_rad[0]) - azimuth(observer, when)
    # Near the zenith or below the horizon's far side the azimuth says little; here it never is.
    assert abs((turned + 180) % 360 - 180) * np.cos(np.radians(up_deg)) < 0.15


def day(month: int, number: int) -> np.ndarray:
    return datetime(2026, month, number, tzinfo=UTC).timestamp() + np.arange(0, 86_400, 600.0)


@pytest.mark.parametrize(
    ("month", "number", "noon_deg"),
    # 90 - latitude + declination, at the equinox and both solstices.
    [(3, 20, 41.0), (6, 21, 64.5), (12, 21, 17.6)],
)
def test_noon_is_as_high_as_the_season_has_it(month, number, noon_deg):
    position = sun_position(day(month, number), *TRILPORT)
    assert np.degrees(position.elevation_rad.max()) == pytest.approx(noon_deg, abs=0.3)


@given(INSTANTS, st.floats(0, 1), st.sampled_from([0.0, 90.0, 180.0, 270.0]))
def test_light_is_never_negative_and_never_more_than_outside_the_air(unix_s, cloud, facing):
    at_s = np.array([float(unix_s)])
    position = sun_position(at_s, *TRILPORT)
    given = light(at_s, position, np.array([cloud]))
    assert 0 <= given.diffuse_w_m2[0] <= given.horizontal_w_m2[0] + 1e-9
    assert 0 <= given.beam_w_m2[0] < 1361 * 1.034
    assert 0 <= on_facade(given, position, facing)[0] < 1500
    if position.elevation_rad[0] < 0:
        assert given.horizontal_w_m2[0] == 0
    beam = given.beam_w_m2[0] * np.sin(position.elevation_rad[0])
    assert given.diffuse_w_m2[0] + beam == pytest.approx(given.horizontal_w_m2[0], abs=1e-6)


def test_facades_get_their_sun_at_their_time_of_day_and_behind_houses_less():
    at_s = day(3, 20)
    position = sun_position(at_s, *TRILPORT)
    clear = light(at_s, position, np.zeros(len(at_s)))
    noons = {
        facing: float(at_s[on_facade(clear, position, facing).argmax()] - at_s[0]) / 3600
        for facing in (90.0, 180.0, 270.0)
    }
    assert noons[90.0] < 10 < noons[180.0] < 13.5 < noons[270.0]
    free = on_facade(clear, position, 90.0).sum()
    assert on_facade(clear, position, 90.0, obstacle_deg=15).sum() < 0.9 * free
    assert on_facade(clear, position, 0.0).max() < 0.35 * on_facade(clear, position, 180.0).max()
