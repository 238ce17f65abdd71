"""Every expectation about air and readings can fail, and says what it saw: a judge that is always
content guards nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.readings import MAIN_CHANNEL, Reading
from simulators.scenario.cast import cast_of
from simulators.scenario.evidence import Evidence, Key
from simulators.scenario.judge import Judge, Verdict
from simulators.scenario.load import load_scenario
from simulators.scenario.weight import UNKNOWN, Weight
from tests.unit.simulators.scenario.measured import Measured

# A Tuesday: CM1 is shut, warm in class, colder before; school begins at 8:30.
HEAD = (
    "begin = 2027-01-12T02:00:00\nend = 2027-01-12T11:00:00\nnodes = 4\n"
    '[[room]]\nref = "prevert/cm1"\nairing = 0\nairing_ppm = 9000\n'
)
CM1 = 'room = "prevert/cm1"\n'


def judged(tmp_path: Path, *expected: str, **seen: object) -> list[Verdict]:
    file = tmp_path / "tuesday.toml"
    file.write_text(HEAD + "".join(f"[[expect]]\n{one}\n" for one in expected))
    scenario = load_scenario(file)
    cast = cast_of(scenario)
    records = Measured(scenario, cast)
    nodes = seen.get("nodes")
    evidence = Evidence(records, nodes(records) if nodes else [])
    overviews, weight = seen.get("overviews", {}), seen.get("weight", UNKNOWN)
    return Judge(scenario, cast, evidence, overviews, weight).verdicts()


@pytest.mark.parametrize(
    ("holds", "fails"),
    [
        (
            'what = "co2"\nof = "highest"\nat_least = 1500',
            'what = "co2"\nof = "highest"\nat_most = 1500',
        ),
        (
            'what = "co2"\nof = "lowest"\nat_most = 600',
            'what = "co2"\nof = "lowest"\nat_least = 600',
        ),
        # Each of them, or only those while people are in, or are not.
        ('what = "co2"\nat_least = 350', 'what = "co2"\nat_least = 600'),
        (
            'what = "co2"\nwhen = "unoccupied"\nuntil = 2027-01-12T08:00:00\nat_most = 600',
            'what = "co2"\nat_most = 600',
        ),
        (
            'what = "temperature"\nof = "mean"\nwhen = "occupied"\nat_least = 18.5',
            'what = "temperature"\nof = "mean"\nwhen = "unoccupied"\nat_least = 18.5',
        ),
        ('what = "humidity"\nat_most = 99', 'what = "humidity"\nat_most = 10'),
        ('what = "battery"\nat_least = 3.3', 'what = "battery"\nat_least = 4.3'),
        ('what = "icone"\nat_least = 3', 'what = "icone"\nat_most = 2'),
        (
            'what = "quality"\nquantity = "co2"\nquality = "bad"\nat_most = 0',
            'what = "quality"\nquantity = "co2"\nquality = "bad"\nat_least = 1',
        ),
    ],
)
def test_what_is_within_its_bounds_holds_and_what_is_not_fails(tmp_path, holds, fails):
    verdicts = judged(tmp_path, holds + "\n" + CM1, fails + "\n" + CM1)
    assert [one.holds for one in verdicts] == [True, False], verdicts
    # Where it is written: every expectation's line is its own.
    assert len({one.place for one in verdicts}) == 2


def test_a_reading_out_of_bounds_is_told_with_value_room_and_time(tmp_path):
    (verdict,) = judged(tmp_path, f'what = "co2"\n{CM1}at_most = 1200\n')
    assert not verdict.holds
    assert "ppm in prevert/cm1 at 2027-01-12 0" in verdict.found
    assert "readings are outside" in verdict.found


def test_a_period_without_readings_is_no_success(tmp_path):
    when = "since = 2027-01-12T06:01:00\nuntil = 2027-01-12T06:02:00\n"
    expected = (
        f'what = "co2"\n{CM1}{when}at_most = 9000',
        f'what = "icone"\n{CM1}{when}at_most = 5',
    )
    assert [one.holds for one in judged(tmp_path, *expected)] == [False, False]


def test_the_overview_has_to_say_the_word_itself(tmp_path):
    expected = [
        f'what = "overview"\n{CM1}says = "air_now"',
        f'what = "overview"\n{CM1}says = "hot"',
        f'what = "overview"\n{CM1}says_not = "air_now"',
        f'what = "overview"\n{CM1}says_not = "hot"',
        f'what = "overview"\n{CM1}says_not = "hot"',
    ]
    seen = {index: {"conditions": ["very_hot", "air_now"]} for index in range(4)}
    verdicts = judged(tmp_path, *expected, overviews=seen)
    # The last one was never looked at.
    assert [one.holds for one in verdicts] == [True, False, False, True, False]


def test_memory_that_was_not_seen_is_not_little(tmp_path):
    expected = 'what = "memory"\nat_most_mib = 100'
    found = [
        judged(tmp_path, expected, weight=Weight(mib * 1024, is_peak=True))[0].holds
        for mib in (99, 101, 0)
    ]
    assert found == [True, False, False]


@dataclass
class TakenBy:
    """What a node says of itself."""

    node: str
    readings: dict[Key, float]
    held: int = 0
    taken: int = 1
    numbered: object = None

    def all_readings(self) -> list[Reading]:
        return [Reading(*key, value) for key, value in self.readings.items()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda taken: None, "each reading once"),
        (lambda taken: taken.popitem(), "1 stored readings that no node took"),
        (
            lambda taken: taken.update({next(iter(taken)): 99.25}),
            "1 stored readings that no node took",
        ),
    ],
    ids=["the same", "one more than was taken", "another value"],
)
def test_what_no_node_took_is_found_among_what_is_stored(tmp_path, change, said):
    def nodes(records: Measured) -> list[TakenBy]:
        first = next(iter(records.sensors))
        taken = dict(records.stored(first))
        assert all(key[1] == MAIN_CHANNEL for key in taken)
        change(taken)
        return [TakenBy(first, taken)]

    (verdict,) = judged(tmp_path, 'what = "nothing_twice"', nodes=nodes)
    assert verdict.holds is (said == "each reading once")
    assert said in verdict.found
