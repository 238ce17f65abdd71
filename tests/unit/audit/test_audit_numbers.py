"""One account of several stores: what one received, another need not have."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.audit import audit
from ingest.store.ranges import Ranges
from ingest.store.reader import LogState

NODE, LOG = "3c71bf4a2b10", "aa00aa00"


def log(numbers: set[int], first_held: int = 1, next_announced: int = 1) -> LogState:
    ranges = Ranges()
    for number in numbers:
        ranges.add(number)
    return LogState(NODE, LOG, first_held, next_announced, ranges)


NUMBERS = st.sets(st.integers(1, 30))


@given(NUMBERS, NUMBERS, st.integers(1, 10), st.integers(1, 35))
def test_numbers_of_two_stores_count_once(one: set[int], other: set[int], first: int, upto: int):
    (account,) = audit([log(one), log(other, first, upto)]).logs
    together = one | other
    missing = {n for a, b in account.missing for n in range(a, b + 1)}
    lost = {n for a, b in account.lost for n in range(a, b + 1)}
    top = max([*together, upto - 1])
    assert account.received == len(together)
    assert lost == set(range(1, first)) - together
    assert missing == set(range(first, top + 1)) - together


def test_a_dead_letter_in_two_stores_counts_once():
    dead = {(NODE, LOG): {2, 3}}
    (account,) = audit([log({1, 2, 3}), log({3, 4})], dead).logs
    assert (account.received, account.dead_letters, account.missing) == (4, 2, [])
