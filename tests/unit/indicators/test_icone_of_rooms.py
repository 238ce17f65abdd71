"""ICONE of simulated rooms: none for an empty one, very high for a class that is shut in."""

import numpy as np
import pytest

from gateway.indicators.icone import icone
from simulators.dynamics import State, run
from simulators.fabric import Fabric, Rooms
from simulators.people import ADULT_L_S, CHILD_L_S
from tests.unit.simulators.physics import steady

STEP_MS = 300_000
HOURS = 3


@pytest.mark.parametrize(
    ("pupils", "air_changes", "levels"),
    [(0, 0.2, {0}), (26, 0.2, {4, 5}), (26, 1.0, {3, 4}), (26, 6.0, {0})],
)
def test_a_morning_of_class_has_the_index_of_its_air_changes(pupils, air_changes, levels):
    rooms = Rooms.of([Fabric(leak_ach=air_changes, ventilation_m3_h=0)])
    litres_s = pupils * CHILD_L_S + (ADULT_L_S if pupils else 0)
    state = State.at_rest(rooms, np.array([20.0]), 8.0)
    course = run(rooms, steady(HOURS * 12, co2_l_s=litres_s), state, STEP_MS / 1000)
    points = [(n * STEP_MS, float(ppm)) for n, ppm in enumerate(course.co2_ppm[:, 0])]
    assert icone(points, [(0, HOURS * 12 * STEP_MS)]).level in levels
