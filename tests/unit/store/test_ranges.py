"""Ranges behave like a set of numbers, and tell the table what changed."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.store.ranges import Ranges

numbers = st.lists(st.integers(1, 40), max_size=60)


@given(numbers)
def test_ranges_are_the_set_of_what_was_added(added: list[int]):
    ranges = Ranges()
    for number in added:
        ranges.add(number)
    inside = {n for first, last in ranges for n in range(first, last + 1)}
    assert inside == set(added)
    assert ranges.count() == len(inside)
    assert ranges.last() == max(inside, default=0)
    assert all(n in ranges for n in inside)
    lows = [first for first, _ in ranges]
    highs = [last for _, last in ranges]
    assert all(high + 1 < low for high, low in zip(highs, lows[1:], strict=False))


@given(numbers)
def test_the_changes_alone_rebuild_the_ranges(added: list[int]):
    ranges, table = Ranges(), {}
    for number in added:
        changed = ranges.add(number)
        if changed is not None:
            first, last, swallowed = changed
            table.pop(swallowed, None)
            table[first] = last
    assert sorted(table.items()) == list(ranges)


@given(numbers, st.integers(1, 40), st.integers(0, 10))
def test_covers_is_true_only_for_unbroken_stretches(added: list[int], first: int, length: int):
    ranges = Ranges()
    for number in added:
        ranges.add(number)
    wanted = set(range(first, first + length))
    assert ranges.covers(first, first + length - 1) == (wanted <= set(added))
