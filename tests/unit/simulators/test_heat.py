"""The heat of rooms against closed forms, and its books."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.dynamics import Course, Moment, State, run
from simulators.fabric import Fabric, Rooms
from simulators.heat import AIR_J_M3K, outflow_w
from tests.unit.simulators.physics import steady

OLD = Fabric(opaque_w_k=82, windows_w_k=54, leak_ach=0.5)
RENOVATED = Fabric()


def cooled(fabric: Fabric, hours: float, step_s: int) -> tuple[float, float]:
    """Excess over the outdoors of mass and air after some hours, from 1 K of the mass."""
    rooms = Rooms.of([fabric])
    state = State.at_rest(rooms, np.array([11.0]), 5.0)
    course = run(rooms, steady(round(hours * 3600 / step_s)), state, step_s)
    return float(state.mass_c[0]) - 10, float(course.temperature_c[-1, 0]) - 10


@pytest.mark.parametrize("fabric", [OLD, RENOVATED, Fabric(capacity_j_m2k=260e3, mass_of_floor=3)])
@pytest.mark.parametrize("step_s", [300, 1800])
def test_an_empty_room_cools_exponentially_with_the_time_constant_of_its_parameters(fabric, step_s):
    rooms = Rooms.of([fabric])
    tau_s = float(rooms.network.time_constant_s(rooms.tight_loss_w_k)[0])
    for hours in (6, 24, 72):
        mass_k, _ = cooled(fabric, hours, step_s)
        assert mass_k == pytest.approx(math.exp(-hours * 3600 / tau_s), rel=0.002)
    air_k = [cooled(fabric, hours, step_s)[1] for hours in (12, 36)]
    assert air_k[1] / air_k[0] == pytest.approx(math.exp(-24 * 3600 / tau_s), rel=0.002)


@pytest.mark.parametrize(("fabric", "hours"), [(OLD, 17), (RENOVATED, 34)])
def test_classrooms_have_the_time_constants_of_their_kind(fabric, hours):
    rooms = Rooms.of([fabric])
    assert rooms.network.time_constant_s(rooms.tight_loss_w_k)[0] / 3600 == pytest.approx(
        hours, rel=0.15
    )


def test_the_time_constant_is_capacity_over_all_ways_outdoors():
    """All conductances by hand, for one room."""
    rooms = Rooms.of([RENOVATED])
    ventilation = AIR_J_M3K * 0.3 * 180 / 3600
    to_air, to_surface = 3.45 * 4.5 * 60, 9.1 * 2.5 * 60
    by_air = 1 / (1 / ventilation + 1 / to_air)
    by_surface = 1 / (1 / (by_air + 22) + 1 / to_surface)
    through_walls = 1 / (1 / 40 - 1 / to_surface)
    expected_s = 165e3 * 60 / (by_surface + through_walls)
    assert rooms.network.time_constant_s(rooms.tight_loss_w_k)[0] == pytest.approx(expected_s)


def test_neighbours_tend_to_each_other_and_keep_their_heat():
    rooms = Rooms.of([RENOVATED] * 2, np.array([[0.0, 60.0], [60.0, 0.0]]))
    state = State.at_rest(rooms, np.array([20.0, 14.0]), 5.0)
    alone = State.at_rest(rooms, np.array([17.0, 17.0]), 5.0)
    run(rooms, steady(288), state, 300)
    run(rooms, steady(288), alone, 300)
    assert state.mass_c[0] - state.mass_c[1] < 0.5 * 6
    assert state.mass_c.mean() == pytest.approx(alone.mass_c.mean(), abs=1e-9)


def test_a_heated_room_settles_where_losses_and_heating_agree():
    rooms = Rooms.of([RENOVATED])
    state = State.at_rest(rooms, np.array([19.0]), 5.0)
    drive = steady(30 * 48, outdoors_c=0.0, valve_c=19.5, radiator_c=65.0)
    course = run(rooms, drive, state, 1800)
    assert course.temperature_c[-1, 0] == pytest.approx(19.5, abs=0.5)
    loss_w_k = float(course.heating_w[-1, 0]) / float(course.temperature_c[-1, 0])
    assert loss_w_k == pytest.approx(80, rel=0.08)


def test_a_radiator_that_is_too_small_stays_at_its_most():
    rooms = Rooms.of([Fabric(heater_w=800)])
    state = State.at_rest(rooms, np.array([15.0]), 5.0)
    drive = steady(20 * 48, outdoors_c=-5.0, valve_c=19.5, radiator_c=70.0)
    course = run(rooms, drive, state, 1800)
    assert course.temperature_c[-1, 0] < 12
    assert course.heating_w[-1, 0] > 800


FABRICS = st.builds(
    Fabric,
    floor_m2=st.floats(15, 300),
    volume_m3=st.floats(40, 1500),
    opaque_w_k=st.floats(10, 300),
    windows_w_k=st.floats(0, 200),
    capacity_j_m2k=st.floats(80e3, 370e3),
    mass_of_floor=st.floats(2.5, 3.5),
    glazing_m2=st.floats(0, 60),
    leak_ach=st.floats(0.05, 2),
    ventilation_m3_h=st.floats(0, 2000),
    heat_recovery=st.floats(0, 0.9),
    opening_m2=st.floats(0, 4),
    heater_w=st.floats(0, 20_000),
)


class Books:
    """What came in, went out and stayed in each room, in J."""

    def __init__(self, rooms: Rooms, outdoors_c: np.ndarray, step_s: int) -> None:
        self.rooms, self.outdoors_c, self.step_s = rooms, outdoors_c, step_s
        self.came = np.zeros(len(rooms))
        self.went = np.zeros(len(rooms))

    def __call__(self, moment: Moment) -> None:
        came = moment.gains.internal_w + moment.gains.sun_w + moment.moved.heating_w
        went = outflow_w(
            self.rooms.network,
            moment.moved,
            float(self.outdoors_c[moment.index]),
            moment.ventilation_w_k,
            moment.gains,
        )
        self.came += came * self.step_s
        self.went += went * self.step_s


@given(
    fabrics=st.lists(FABRICS, min_size=1, max_size=6),
    wall_w_k=st.floats(0, 80),
    seed=st.integers(0, 2**31),
    step_s=st.sampled_from([3600, 7200]),
)
@settings(max_examples=6, deadline=None)
def test_over_a_year_what_comes_in_goes_out_or_stays(fabrics, wall_w_k, seed, step_s):
    """The energy balance of random rooms closes to 0.1 % of what went through them."""
    count = len(fabrics)
    between = np.diag(np.full(count - 1, wall_w_k), 1) + np.diag(np.full(count - 1, wall_w_k), -1)
    rooms = Rooms.of(fabrics, between)
    steps = 365 * 86_400 // step_s
    random = np.random.default_rng(seed)
    outdoors_c = 11 - 9 * np.cos(2 * np.pi * np.arange(steps) / steps) + random.normal(0, 3, steps)
    drive = steady(steps, count, outdoors_c=outdoors_c, valve_c=19.5, radiator_c=60.0)
    drive.people_w = random.uniform(0, 2000, (steps, count)) * (random.random((steps, 1)) < 0.2)
    drive.sun_w_m2 = random.uniform(0, 400, (steps, count)) * (random.random((steps, 1)) < 0.4)
    drive.is_used = drive.people_w > 0
    drive.co2_l_s = drive.people_w / 70 * 0.003
    drive.airing_ppm = np.full(count, 1000.0)
    state = State.at_rest(rooms, np.full(count, 15.0), 5.0)
    before_c = state.mass_c.copy()
    books = Books(rooms, outdoors_c, step_s)
    course = run(rooms, drive, state, step_s, watch=books)
    stored = rooms.network.capacity_j_k * (state.mass_c - before_c)
    # Neighbours only pass heat on, so the whole must balance.
    gap = books.came.sum() - books.went.sum() - stored.sum()
    assert abs(gap) < 1e-3 * books.came.sum()
    assert np.all(np.isfinite(course.temperature_c))
    assert np.all(course.co2_ppm >= 419.99)
    assert np.all((course.humidity_percent >= 0) & (course.humidity_percent <= 100 + 1e-6))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("volume_m3", -180.0), ("volume_m3", 0.0), ("leak_ach", 0.0)],
        *[("heat_recovery", 1.0), ("glazing_share", 1.5), ("capacity_j_m2k", -1.0)],
    ],
)
def test_a_room_that_there_can_not_be_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Fabric(**{name: value})


def test_walls_that_lose_more_than_the_mass_can_pass_on_are_refused():
    with pytest.raises(ValueError, match="opaque_w_k"):
        Rooms.of([Fabric(opaque_w_k=2000)])


def settled(fabric: Fabric, **drive: float) -> Course:
    """A room after a month in which nothing changes, and how it came there; 10 °C outdoors."""
    rooms = Rooms.of([fabric])
    return run(rooms, steady(30 * 48, **drive), State.at_rest(rooms, np.array([18.0]), 5.0), 1800)


def test_the_sun_on_its_panes_warms_a_room_by_what_the_network_lets_it_keep():
    fabric = Fabric(glazing_m2=4)
    rooms = Rooms.of([fabric])
    sun_w = 4 * 0.42 * 100
    # At rest the masses take up nothing: all that is not lost at the panes at once goes out.
    network = rooms.network
    tight = rooms.tight_loss_w_k
    kept = 1 - float(network.pane_share[0])
    mean_c = float(settled(fabric, sun_w_m2=100).temperature_c[-1, 0])
    dark_c = float(settled(fabric).temperature_c[-1, 0])
    assert dark_c == pytest.approx(10, abs=0.01)
    # Between losses by air alone and losses by walls, panes and air together.
    all_w_k = float(tight[0]) + fabric.windows_w_k + fabric.opaque_w_k
    assert mean_c - dark_c == pytest.approx(sun_w * kept / all_w_k, rel=0.05)


def test_blinds_are_down_in_a_room_that_is_warm_and_keep_out_most_of_the_sun():
    # 24 °C is where they come down: twice the sun then is not twice as warm.
    mild, strong = (settled(Fabric(glazing_m2=20), sun_w_m2=sun) for sun in (110, 500))
    assert 15 < mild.temperature_c[-1, 0] < 24
    excess_k = float(strong.temperature_c[-1, 0]) - 10
    unshaded_k = (float(mild.temperature_c[-1, 0]) - 10) * 500 / 110
    assert excess_k == pytest.approx(0.4 * unshaded_k, rel=0.02)


def test_heat_recovery_gives_back_its_share_of_what_ventilation_costs():
    def loss_w_k(**fabric: float) -> float:
        heated = {"outdoors_c": 0.0, "valve_c": 19.5, "radiator_c": 70.0, "is_used": True}
        course = settled(Fabric(heater_w=9000, **fabric), **heated)
        return float(course.heating_w[-1, 0] / course.temperature_c[-1, 0])

    shut = loss_w_k(ventilation_m3_h=0)
    plain = loss_w_k(ventilation_m3_h=600) - shut
    recovered = loss_w_k(ventilation_m3_h=600, heat_recovery=0.7) - shut
    assert plain == pytest.approx(AIR_J_M3K * 600 / 3600, rel=0.05)
    assert recovered == pytest.approx(0.3 * plain, rel=0.05)


def test_radiators_follow_the_boiler_within_half_an_hour():
    rooms = Rooms.of([Fabric()])
    state = State.at_rest(rooms, np.array([15.0]), 5.0)
    state.radiator_c[:] = 15
    run(rooms, steady(6, valve_c=-50.0, radiator_c=65.0), state, 300)
    assert state.radiator_c[0] == pytest.approx(65 - 50 * math.exp(-1), abs=0.5)
