"""The air of many rooms at once: what flows in and out, and what it carries of CO2 and vapour.

One value a room in every array. It knows no heat, no clock and no people; what is set free, and
whether a window stands open, are arguments.
"""

from typing import Final

import numpy as np

from simulators.seeds import Floats
from simulators.weather import saturation_g_m3

OUTDOOR_CO2_PPM: Final = 420.0
SORPTION: Final = 4.0
"""Walls, paper and coats take up and give back vapour as if a room were that many times larger
(engineering guess, in the range of the effective-capacitance models of the literature)."""


def window_flow_m3_s(
    opening_m2: Floats, height_m: Floats, wind_m_s: float, gap_k: Floats
) -> Floats:
    """Air through windows on one side of a room, in m³/s: half of the opening times
    `sqrt(0.001 u² + 0.0035 h |dT| + 0.01)`.

    De Gids and Phaff, Ventilation rates and energy consumption due to open windows, Air
    Infiltration Review 4 (1982).
    """
    speed = np.sqrt(0.001 * wind_m_s**2 + 0.0035 * height_m * np.abs(gap_k) + 0.01)
    flow: Floats = 0.5 * opening_m2 * speed
    return flow


def co2_after(
    ppm: Floats, volume_m3: Floats, flow_m3_s: Floats, source_l_s: Floats, step_s: float
) -> Floats:
    """CO2 after a step in which nothing changes: the exact solution of V dC/dt = G + Q (C_out - C).

    A flow of zero is not allowed: no room is that tight.
    """
    end_ppm = equilibrium_ppm(source_l_s, flow_m3_s)
    after: Floats = end_ppm + (ppm - end_ppm) * np.exp(-flow_m3_s / volume_m3 * step_s)
    return after


def equilibrium_ppm(source_l_s: Floats, flow_m3_s: Floats) -> Floats:
    """CO2 that a room tends to: outdoors plus generation over flow."""
    end: Floats = OUTDOOR_CO2_PPM + 1000 * source_l_s / flow_m3_s
    return end


def vapour_after(
    g_m3: Floats,
    *,
    outdoors_g_m3: float,
    volume_m3: Floats,
    flow_m3_s: Floats,
    source_g_s: Floats,
    air_c: Floats,
    step_s: float,
) -> Floats:
    """Vapour after a step, in g/m³: the same balance, slowed down by what walls take up.

    What is beyond saturation condenses on the panes and leaves the air.
    """
    end = outdoors_g_m3 + source_g_s / flow_m3_s
    kept = np.exp(-flow_m3_s / (SORPTION * volume_m3) * step_s)
    after: Floats = np.minimum(end + (g_m3 - end) * kept, saturation_g_m3(air_c))
    return after
