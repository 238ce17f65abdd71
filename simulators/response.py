"""How a slow sensor sees air that changes: a first-order lag, without memory of what was asked.

Pure numbers; it knows neither chips nor rooms.
"""

from typing import Final

import numpy as np

from simulators.seeds import Floats

SAMPLES: Final = 7
"""Beyond six time constants a quarter of a percent is left of what was."""


def lag_weights() -> Floats:
    """What samples at t, t - tau, t - 2 tau, … count for in the response at t.

    The response is the integral of x(t - u) exp(-u / tau) / tau; between two samples x runs
    straight, which can be integrated exactly. The rest of the past counts as the last sample.
    """
    kept = np.exp(-1.0)
    first, second = kept, 1 - 2 * kept
    weights = np.zeros(SAMPLES)
    for segment in range(SAMPLES - 1):
        weights[segment] += kept**segment * first
        weights[segment + 1] += kept**segment * second
    weights[-1] += kept ** (SAMPLES - 1)
    return weights


def lagged_times(unix_s: Floats, lag_s: float) -> Floats:
    """When to sample for responses at `unix_s`: a row for each of the weights."""
    times: Floats = unix_s - lag_s * np.arange(SAMPLES)[:, np.newaxis]
    return times
