"""Arrays that act on rooms, for tests that play physics without a town."""

import numpy as np

from simulators.dynamics import Drive
from simulators.seeds import Floats


def steady(
    steps: int,
    rooms: int = 1,
    *,
    outdoors_c: float | Floats = 10.0,
    people_w: float = 0.0,
    co2_l_s: float = 0.0,
    sun_w_m2: float | Floats = 0.0,
    valve_c: float = -100.0,
    radiator_c: float = -273.15,
    is_used: bool = False,
    is_aired: bool = False,
    airing_ppm: float = np.inf,
) -> Drive:
    """Nothing changes, and nothing heats unless it is said."""
    shape = (steps, rooms)
    return Drive(
        outdoors_c=np.broadcast_to(np.asarray(outdoors_c, float), steps),
        vapour_g_m3=np.full(steps, 5.0),
        wind_m_s=np.full(steps, 3.0),
        sun_w_m2=np.broadcast_to(np.asarray(sun_w_m2, float), shape),
        people_w=np.full(shape, people_w),
        co2_l_s=np.full(shape, co2_l_s),
        people_g_s=np.full(shape, people_w / 70 * 40 / 3600),
        is_used=np.full(shape, is_used),
        is_aired=np.full(shape, is_aired),
        airing_ppm=np.full(rooms, airing_ppm),
        valve_c=np.full(shape, valve_c),
        radiator_c=np.full(shape, radiator_c),
    )
