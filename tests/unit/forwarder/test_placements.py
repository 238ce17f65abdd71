"""A corrected estate names exactly the times whose points stand under other tags."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.forwarder.placements import UNPLACED, Placements, Tags

NODES = ("3c71bf4a2b10", "3c71bf4a2b11")
PLACES = st.sampled_from([UNPLACED, *(Tags("s", "b", f"r{n}") for n in range(3))])
CHANGES = st.dictionaries(st.integers(0, 12), PLACES, max_size=4).map(lambda d: sorted(d.items()))
STATES = st.dictionaries(st.sampled_from(NODES), CHANGES).map(Placements)


@given(STATES, STATES)
def test_corrections_cover_what_differs_and_nothing_else(said: Placements, wanted: Placements):
    corrections = list(said.corrections(wanted))
    for node in NODES:
        for at in range(-2, 15):
            covering = [c for c in corrections if c.node == node and c.from_ms <= at < c.to_ms]
            before, after = said.at(node, at).tags, wanted.at(node, at).tags
            assert [c.wrong for c in covering] == ([before] if before != after else [])


@given(STATES)
def test_a_stay_covers_the_time_it_is_asked_for(placements: Placements):
    for at in range(-2, 15):
        stay = placements.at(NODES[0], at)
        assert stay.since_ms <= at < stay.until_ms
        if stay.until_ms < 1e9:
            assert placements.at(NODES[0], int(stay.until_ms)) != stay
