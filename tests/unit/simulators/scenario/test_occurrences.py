"""When the faults of a scenario befall it, and what it is played with."""

from pathlib import Path

import pytest

from simulators.faults import (
    BaselineDrift,
    BoilerDown,
    ChecksumErrors,
    ClockOnWinterTime,
    Disconnected,
    Fault,
    Frozen,
    HeatingLeftOn,
    PowerOnValue,
    Spikes,
    StuckValve,
    WornBattery,
    WrongClock,
)
from simulators.scenario.cast import cast_of
from simulators.scenario.load import find_scenario, load_scenario
from simulators.scenario.occurrences import occurrences, of_air_and_nodes
from simulators.scenario.script import Scenario

HEAD = "begin = 2027-01-12T06:00:00\nend = 2027-01-13T06:00:00\n"


def scenario(tmp_path: Path, text: str, *, short: bool = False) -> Scenario:
    file = tmp_path / "mine.toml"
    file.write_text(HEAD + text)
    return load_scenario(file, short=short)


def test_drawn_faults_lie_in_the_period_and_follow_the_seed(tmp_path: Path):
    drawn = scenario(tmp_path, '[[fault]]\nwhat = "broker_down"\ntimes = 50\nlasting_s = 3600\n')
    found = occurrences(drawn)
    assert len(found) == 50
    assert all(drawn.begin_ms <= one.since_ms < one.until_ms <= drawn.end_ms for one in found)
    assert {one.until_ms - one.since_ms for one in found} == {3_600_000}
    assert occurrences(drawn) == found
    assert occurrences(drawn.with_head(seed=2)) != found


def test_a_chip_stays_broken_and_a_server_comes_back_if_nothing_else_is_said(tmp_path: Path):
    text = (
        '[[fault]]\nwhat = "frozen"\nroom = "prevert/cp"\nchip = "sht4x"\n'
        "since = 2027-01-12T08:00:00\n"
        '[[fault]]\nwhat = "broker_down"\nsince = 2027-01-12T09:00:00\n'
    )
    broken = scenario(tmp_path, text)
    chip, broker = occurrences(broken)
    assert chip.until_ms == broken.end_ms
    assert broker.until_ms == broker.since_ms
    (fault,) = of_air_and_nodes(broken)
    assert isinstance(fault, Frozen)
    assert (fault.node, fault.since_ms) == ("3c71bf4a1c08", chip.since_ms)


SINCE_MS = 1_799_737_200_000
UNTIL_MS = SINCE_MS + 3_600_000
HELD = {"since_ms": SINCE_MS, "until_ms": UNTIL_MS}
CP = {"node": "3c71bf4a1c08", **HELD}
PREVERT = {"building": "prevert/principal", **HELD}


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('chip = "sht4x"\nwhat = "frozen"', Frozen(chip="sht4x", **CP)),
        (
            'chip = "sht4x"\nwhat = "spikes"\nshare = 0.3\nheight = -9',
            Spikes(chip="sht4x", share=0.3, height=-9, **CP),
        ),
        (
            'chip = "sht4x"\nwhat = "power_on_value"\nshare = 0.4',
            PowerOnValue(chip="sht4x", share=0.4, **CP),
        ),
        (
            'chip = "scd41"\nwhat = "disconnected"\nvalue = -127',
            Disconnected(chip="scd41", value=-127, **CP),
        ),
        (
            'chip = "scd41"\nwhat = "checksum_errors"\nshare = 0.5',
            ChecksumErrors(chip="scd41", share=0.5, **CP),
        ),
        (
            'chip = "scd41"\nwhat = "baseline_drift"\nppm_a_year = -80',
            BaselineDrift(chip="scd41", ppm_a_year=-80, **CP),
        ),
        ('what = "worn_battery"\nresistance = 6', WornBattery(resistance=6, **CP)),
        ('what = "wrong_clock"\nahead_s = -60', WrongClock(ahead_s=-60, **CP)),
        (
            'what = "stuck_valve"\nopening = 0.2',
            StuckValve(room="prevert/cp", opening=0.2, **HELD),
        ),
        ('what = "boiler_down"', BoilerDown(**PREVERT)),
        ('what = "heating_left_on"', HeatingLeftOn(**PREVERT)),
        ('what = "clock_on_winter_time"', ClockOnWinterTime(**PREVERT)),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Fault) else "",
)
def test_every_fault_of_a_building_chip_or_node_befalls_it_as_written(
    tmp_path: Path, table: str, fault: Fault
):
    where = 'building = "prevert/principal"' if "building" in repr(fault) else 'room = "prevert/cp"'
    when = "since = 2027-01-12T08:00:00\nuntil = 2027-01-12T09:00:00"
    script = scenario(tmp_path, f"[[fault]]\n{table}\n{where}\n{when}\n")
    assert of_air_and_nodes(script) == [fault]
    assert list(cast_of(script).town.air.faults) == [fault]


def test_what_was_wrong_before_a_short_form_begins_is_wrong_in_it(tmp_path: Path):
    text = (
        "[short]\nbegin = 2027-01-12T20:00:00\n"
        '[[fault]]\nwhat = "heating_left_on"\nbuilding = "prevert/principal"\n'
        "since = 2027-01-12T08:00:00\n"
        '[[fault]]\nwhat = "broker_down"\nsince = 2027-01-12T09:00:00\n'
        '[[fault]]\nwhat = "wrong_clock"\nroom = "prevert/cp"\nahead_s = 60\n'
        "since = 2027-01-12T10:00:00\n"
    )
    kinds = [type(fault) for fault in of_air_and_nodes(scenario(tmp_path, text, short=True))]
    assert kinds == [HeatingLeftOn, WrongClock]
    assert [one.fault.what for one in occurrences(scenario(tmp_path, text, short=True))] == [
        "heating_left_on",
        "wrong_clock",
    ]


def test_more_nodes_than_the_estate_has_stand_in_copies_with_chips_of_their_own():
    script = load_scenario(find_scenario("departement")).with_head(nodes=15_000)
    cast = cast_of(script)
    assert len({stand.node for stand in cast.stands}) == 15_000
    assert cast.stands[0].ref == cast.stands[12].ref
    assert (cast.stands[0].copy, cast.stands[12].copy) == (1, 2)
    assert cast.stands[0].air == cast.stands[12].air


def test_what_a_scenario_says_of_a_room_outranks_the_estate(tmp_path: Path):
    plain = scenario(tmp_path, "")
    small = scenario(tmp_path, '[[room]]\nref = "prevert/cm1"\nvolume_m3 = 60\npeople = 40\n')
    noon_s = plain.begin_ms / 1000 + 3.9 * 3600
    rooms = [
        next(one for one in cast_of(script).town.rooms if one.ref == "prevert/cm1")
        for script in (plain, small)
    ]
    usual, crowded = (room.model.state_at(noon_s).co2_ppm for room in rooms)
    assert crowded > usual + 1000
