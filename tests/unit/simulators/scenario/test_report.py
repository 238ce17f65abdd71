"""What is told of a scenario that is over: as a table, as JSON, as JUnit's XML."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

from simulators.scenario.judge import Verdict
from simulators.scenario.load import SHIPPED, load_scenario
from simulators.scenario.perform import Outcome
from simulators.scenario.report import again, as_json, as_junit, as_table

HELD = Verdict("nothing_missing", True, "288 packs", "a.toml:4")
FAILED = Verdict("co2 at most 900", False, "1204 ppm in prevert/cp", "a.toml:7")
UNSEEN = Verdict("memory at most 90", None, "only of its own", "a.toml:11")


def outcome(*verdicts: Verdict, broke: str | None = None) -> Outcome:
    scenario = load_scenario(SHIPPED / "winter-week.toml", short=True).with_head(seed=7, nodes=12)
    return Outcome(scenario, verdicts, broke, scenario.begin_ms, 12, 288, 3, "5f3a9c01", 2.5)


def test_one_that_failed_makes_all_fail_and_one_unseen_does_not():
    assert outcome(HELD, UNSEEN).holds
    assert not outcome(HELD, FAILED, UNSEEN).holds
    assert not outcome(HELD, broke="the gateway has ended").holds


def test_the_table_ends_with_what_failed_and_the_command_that_shows_it_again():
    *_, place, again = as_table(outcome(HELD, FAILED)).splitlines()
    assert place == "a.toml:7: co2 at most 900: 1204 ppm in prevert/cp"
    file = SHIPPED / "winter-week.toml"
    command = f"preau simulate {file} --seed 7 --short --nodes 12"
    assert again == f"to see it again: {command}"
    assert "see it again" not in as_table(outcome(HELD))


def test_nodes_with_the_real_firmware_are_told_everywhere():
    boards = replace(outcome(HELD), firmware=(("3c71bf4a1c08", "prevert/cp"),))
    assert "12 nodes (1 with the real firmware: prevert/cp), 288 packs" in as_table(boards)
    firmware = json.loads(as_json(boards))["firmware"]
    assert firmware == [{"node": "3c71bf4a1c08", "room": "prevert/cp"}]
    suite = ET.fromstring(as_junit(boards))  # noqa: S314 - our own
    (found,) = suite.iter("property")
    assert found.attrib == {"name": "firmware", "value": "3c71bf4a1c08 prevert/cp"}


def test_what_only_virtual_nodes_tell_is_left_out_where_there_are_none():
    boards = replace(outcome(HELD), digest="", resent=0)
    assert "sent again" not in as_table(boards)
    said = json.loads(as_json(boards))
    assert (said["digest"], said["resent"]) == (None, None)


def test_the_command_to_see_it_again_has_all_that_was_asked_for(tmp_path: Path):
    file = tmp_path / "my town.toml"
    file.write_text("begin = 2027-01-12T06:00:00\nend = 2027-01-12T07:00:00\n")
    scenario = load_scenario(file).with_head(speed=60.0, sessions="shared")
    asked = replace(scenario, asked=("--target", "mqtts://h", "--ca", "ca.pem"))
    words = "--seed 1 --speed 60 --shared-session --target mqtts://h --ca ca.pem"
    said = again(replace(outcome(FAILED), scenario=asked))
    assert said == f"preau simulate '{file}' {words}"
    recording = again(replace(outcome(FAILED), scenario=replace(asked, is_recording=True)))
    assert recording.startswith(f"preau simulate --replay '{file}'")


def test_junit_counts_as_many_cases_as_it_has():
    text = as_junit(outcome(HELD, FAILED, UNSEEN, broke="killed\x1b by 9"))
    suite = ET.fromstring(text)  # noqa: S314 - our own
    cases = suite.findall("testcase")
    assert int(suite.attrib["tests"]) == len(cases) == 4
    kinds = [[child.tag for child in case] for case in cases]
    assert kinds == [[], ["failure"], ["skipped"], ["error"]]
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("1", "1")
    assert "--seed 7" in cases[1][0].text


def test_json_says_all_of_it():
    said = json.loads(as_json(outcome(HELD, FAILED)))
    assert (said["holds"], said["seed"], said["packs"], said["digest"]) == (
        False,
        7,
        288,
        "5f3a9c01",
    )
    assert [one["holds"] for one in said["expectations"]] == [True, False]
