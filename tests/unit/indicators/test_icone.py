"""ICONE against its definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.indicators.icone import STEP_MS, icone, icone_value

DAY = [(0, 36 * STEP_MS)]


def steps(*ppm: float) -> list[tuple[int, float]]:
    return [(n * STEP_MS, value) for n, value in enumerate(ppm)]


@pytest.mark.parametrize(
    ("ppm", "level"),
    [
        ([400.0] * 6, 0),
        ([1000.0] * 6, 0),
        ([1000.5] * 6, 3),  # exactly 2.5, and a half goes up
        ([1700.0] * 6, 3),
        ([1700.5] * 6, 5),
        ([400.0] * 5 + [1200.0], 1),
        ([400.0] * 3 + [1200.0] * 3, 1),
        ([1200.0] * 5 + [1800.0], 3),
        ([1200.0] * 3 + [1800.0] * 3, 4),
    ],
)
def test_the_level_is_that_of_the_arrete(ppm, level):
    assert icone(steps(*ppm), DAY).level == level


def test_both_ends_of_the_scale_are_exact():
    assert (icone_value(0, 0), icone_value(1, 0), icone_value(0, 1)) == (0, 2.5, 5)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_value_is_the_formula_as_it_is_printed(first, second):
    between, above = first * (1 - second), second
    printed = 2.5 / math.log10(2) * math.log10(1 + between + 3 * above)
    assert icone_value(between, above) == pytest.approx(printed, abs=1e-9)
    assert 0 <= icone_value(between, above) <= 5 + 1e-9


def test_only_what_was_measured_while_occupied_counts():
    points = steps(2000, 500, 500, 2000)
    index = icone(points, [(STEP_MS, 3 * STEP_MS)])
    assert (index.level, index.steps, index.occupied_steps) == (0, 2, 2)


def test_a_step_is_the_mean_of_what_was_measured_in_it():
    points = [(minute * 60_000, 1100.0 if minute % 2 else 700.0) for minute in range(10)]
    assert icone(points, DAY).level == 0


def test_coverage_tells_how_much_of_the_occupied_time_was_measured():
    index = icone(steps(*[500.0] * 9), DAY)
    assert index.coverage == pytest.approx(0.25)


def test_nothing_measured_while_occupied_gives_no_index_instead_of_a_good_one():
    assert icone(steps(500, 500), [(10 * STEP_MS, 20 * STEP_MS)]) is None
    assert icone([], DAY) is None


@given(st.lists(st.floats(300, 5000), min_size=1, max_size=36), st.randoms())
def test_the_order_of_points_does_not_matter_and_worse_air_is_never_better(ppm, random):
    points = steps(*ppm)
    shuffled = random.sample(points, len(points))
    assert icone(shuffled, DAY) == icone(points, DAY)
    worse = [(at_ms, value + 300) for at_ms, value in points]
    assert icone(worse, DAY).level >= icone(points, DAY).level
