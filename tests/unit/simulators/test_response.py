"""A slow sensor against the closed form of a first-order lag."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.response import lag_weights, lagged_times


def response(signal, at_s: float, lag_s: float) -> float:
    return float(lag_weights() @ signal(lagged_times(np.array([at_s]), lag_s)[:, 0]))


def test_weights_are_a_mean():
    assert lag_weights().sum() == pytest.approx(1)
    assert (lag_weights() > 0).all()


@given(st.floats(-5, 5), st.floats(10, 600))
def test_a_steady_rise_is_seen_one_time_constant_late(slope, lag_s):
    seen = response(lambda t: slope * t, 1000.0, lag_s)
    # The rest of the past, a quarter of a percent, counts as six time constants ago.
    assert seen == pytest.approx(slope * (1000 - lag_s), abs=abs(slope) * lag_s * 0.01)


def test_after_a_rise_of_five_minutes_it_is_near_the_closed_form():
    lag_s, rise_s = 26.0, 300.0
    for at_s in (100.0, 300.0, 350.0, 450.0):

        def ramp(t: float) -> float:
            return max(0.0, t - lag_s * (1 - np.exp(-max(0.0, t) / lag_s)))

        exact = (ramp(at_s) - ramp(at_s - rise_s)) / rise_s
        seen = response(lambda t: np.clip(t / rise_s, 0, 1), at_s, lag_s)
        assert seen == pytest.approx(exact, abs=0.01)
