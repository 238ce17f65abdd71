"""Seeded chance is chance, and the same in any order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.seeds import key_of, normal, one_uniform, uniform

MANY = np.arange(1_795_000_000_000, 1_795_000_000_000 + 200_000, dtype=np.int64)


def test_uniform_numbers_fill_their_range_evenly():
    drawn = uniform(key_of("test"), MANY)
    counts, _ = np.histogram(drawn, bins=20, range=(0, 1))
    assert counts.min() > 9_500
    assert counts.max() < 10_500
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.01


def test_normal_numbers_have_their_moments():
    drawn = normal(key_of("test"), MANY)
    assert drawn.mean() == pytest.approx(0, abs=0.01)
    assert drawn.std() == pytest.approx(1, abs=0.01)
    assert np.mean(np.abs(drawn) < 1.96) == pytest.approx(0.95, abs=0.005)


@given(st.lists(st.integers(0, 2**52), min_size=1, max_size=40), st.integers(0, 2**64 - 1))
def test_one_by_one_they_are_the_same_as_together(index, key):
    together = normal(key, np.array(index, np.int64))
    alone = [normal(key, np.array([i], np.int64))[0] for i in index]
    assert together.tolist() == alone


def test_other_keys_are_other_numbers_and_a_name_has_one_key():
    assert key_of("a", 1) == key_of("a", "1") != key_of("a", 2)
    correlated = np.corrcoef(uniform(key_of(1), MANY), uniform(key_of(2), MANY))[0, 1]
    assert abs(correlated) < 0.01
    assert 3 <= one_uniform(key_of("x"), 3, 4) <= 4
