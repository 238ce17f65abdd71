"""`preau simulate` as an engineer types it: against a gateway of their own, and with recordings."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.archive.csv_file import CsvWriter
from ingest.archive.tables import READINGS
from simulators.scenario.external import shift_of
from simulators.scenario.load import SHIPPED, load_scenario
from simulators.sensors import Sensors
from simulators.town import demo_town
from tests.gateway import Gateway
from tests.servers import Server, require_micropython, running

PREAU = Path(sys.executable).with_name("preau")
SOME_TIME_MS = 1_735_718_400_000  # 1 January 2025
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def simulate(
    *arguments: str | Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [str(PREAU), "simulate", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=110, env=environment
    )


@pytest.fixture
def gateway(mosquitto: Server, tmp_path: Path):
    with running(Gateway(tmp_path / "gateway", mosquitto.port)) as started:
        yield started


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three hours of two nodes, as `preau export` writes them: series after series."""
    file = tmp_path / "readings.csv"
    with CsvWriter(file, READINGS) as writer:
        for room in demo_town().rooms[:2]:
            sensors = Sensors(room.node, room.model)
            readings = [
                reading
                for minute in range(0, 180, 5)
                for reading in sensors.read(SOME_TIME_MS + minute * MINUTE_MS)
            ]
            writer.write(
                (*(room.node, *r[:4], None), *("good", "s", "b", "r", r.measured_at_ms, "node"))
                for r in sorted(readings)
            )
    return file


def test_a_scenario_against_ones_own_gateway_is_judged_over_its_api(mosquitto, gateway):
    target = ("--target", f"mqtt://127.0.0.1:{mosquitto.port}", "--page", gateway.url)
    ran = simulate("stuffy-classroom", "--short", "--json", *target)
    said = json.loads(ran.stdout)
    assert (ran.returncode, said["holds"]) == (0, True), ran.stdout + ran.stderr
    found = {one["name"]: one["found"] for one in said["expectations"]}
    assert found["icone at least 4 prevert/cm1"].startswith("ICONE")
    assert [one["holds"] for one in said["expectations"]] == [True, True, True, True, None]
    with gateway.reader() as reader:
        assert len(reader.logs()) == said["nodes"] == 12


def test_the_real_firmware_reports_to_ones_own_gateway(mosquitto, gateway, tmp_path: Path):
    require_micropython()
    file = tmp_path / "boards.toml"
    file.write_text(
        "begin = 2027-01-12T10:00:00\nend = 2027-01-12T10:00:08\nspeed = 1\ninterval_s = 1\n"
        'nodes = 2\nfirmware = 1\n[[expect]]\nwhat = "nothing_missing"\n'
        '[[expect]]\nwhat = "nothing_twice"\n'
    )
    target = ("--target", f"mqtt://127.0.0.1:{mosquitto.port}", "--page", gateway.url)
    ran = simulate(file, "--json", *target)
    said = json.loads(ran.stdout)
    assert (ran.returncode, said["holds"]) == (0, True), ran.stdout + ran.stderr
    (board,) = said["firmware"]
    # Its time is that of the gateway, which is now.
    assert all(
        abs(at_ms - time.time() * 1000) < HOUR_MS for *_, at_ms, _ in gateway.stored(board["node"])
    )
    assert gateway.stored(board["node"])


def test_what_cannot_be_seen_without_the_page_is_not_said_to_hold(mosquitto, gateway):
    target = ("--target", f"mqtt://127.0.0.1:{mosquitto.port}")
    ran = simulate("stuffy-classroom", "--short", "--nodes", "5", "--json", *target)
    holds = [one["holds"] for one in json.loads(ran.stdout)["expectations"]]
    assert holds == [True, None, None, None, None]


def test_a_gateway_that_is_not_there_fails_the_scenario(tmp_path: Path):
    file = tmp_path / "short.toml"
    file.write_text(
        "begin = 2027-01-12T06:00:00\nend = 2027-01-12T07:00:00\nnodes = 1\npatience_s = 0.5\n"
        '[[expect]]\nwhat = "nothing_missing"\n'
    )
    ran = simulate(file, "--target", "mqtt://127.0.0.1:1")
    assert ran.returncode == 1
    assert "packs have no receipt after 0.5 s" in ran.stdout
    assert "Connection refused" in ran.stdout


def test_the_period_is_moved_to_end_when_the_run_does():
    scenario = load_scenario(SHIPPED / "winter-week.toml")
    now_ms = SOME_TIME_MS
    full = shift_of(scenario, now_ms)
    assert now_ms - 300_000 < scenario.end_ms + full <= now_ms
    hundredfold = shift_of(scenario.with_head(speed=100.0), now_ms)
    lasts_ms = (scenario.end_ms - scenario.begin_ms) / 100
    assert abs(scenario.end_ms + hundredfold - now_ms - lasts_ms) < 300_000


def test_servers_of_others_are_not_broken():
    ran = simulate("broker-outage", "--target", "mqtt://127.0.0.1:1")
    assert ran.returncode == 2
    assert "broker-outage.toml:13: fault[0].what: needs servers of its own" in ran.stderr


def test_a_recording_is_played_to_a_gateway_of_its_own(recording: Path):
    ran = simulate("--replay", recording, "--json")
    said = json.loads(ran.stdout)
    assert (ran.returncode, said["holds"]) == (0, True), ran.stdout + ran.stderr
    assert (said["nodes"], said["packs"]) == (2, 72)


def test_a_recording_keeps_its_values_and_its_times_but_for_the_shift(
    recording: Path, mosquitto, gateway
):
    target = ("--target", f"mqtt://127.0.0.1:{mosquitto.port}", "--page", gateway.url)
    ran = simulate("--replay", recording, "--shift", "86400", *target)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    room = demo_town().rooms[0]
    expected = sorted(
        (r.quantity, r.channel, r.measured_at_ms + 86_400_000, r.value)
        for minute in range(0, 180, 5)
        for r in Sensors(room.node, room.model).read(SOME_TIME_MS + minute * MINUTE_MS)
    )
    assert gateway.stored(room.node) == expected


def test_a_recording_takes_its_time_by_its_speed_and_ends_now(recording: Path, mosquitto, gateway):
    target = ("--target", f"mqtt://127.0.0.1:{mosquitto.port}", "--page", gateway.url)
    begun_ms = time.time() * 1000
    ran = simulate("--replay", recording, "--speed", "1200", "--json", *target)
    ended_ms = time.time() * 1000
    said = json.loads(ran.stdout)
    assert (ran.returncode, said["packs"]) == (0, 72), ran.stdout + ran.stderr
    lasts_ms = 175 * MINUTE_MS
    assert said["seconds"] * 1000 >= lasts_ms / 1200
    times = [at_ms for _, _, at_ms, _ in gateway.stored(demo_town().rooms[0].node)]
    # In whole seconds, as are the ends of what is played.
    assert begun_ms + lasts_ms / 1200 - 2000 <= max(times) <= ended_ms
    assert max(times) - min(times) == lasts_ms


def test_a_recording_that_cannot_be_read_is_told_with_its_line(recording: Path):
    lines = recording.read_text().splitlines()
    lines[3] = lines[3].replace("battery", "batterie")
    recording.write_text("\n".join(lines))
    ran = simulate("--replay", recording)
    assert ran.returncode == 2
    assert f"{recording}:4: quantity is 'batterie'" in ran.stderr


def test_where_nothing_was_measured_nothing_is_good_or_bad(tmp_path: Path):
    file = tmp_path / "moment.toml"
    judged = (
        '[[expect]]\nwhat = "quality"\nroom = "prevert/cp"\nquantity = "co2"\nquality = "bad"\n'
    )
    file.write_text(
        "begin = 2027-01-12T06:00:00\nend = 2027-01-12T07:00:00\nnodes = 1\n"
        f"{judged}at_most = 0\n{judged}at_most = 0\n"
        "since = 2027-01-12T06:00:00\nuntil = 2027-01-12T06:00:01\n"
    )
    ran = simulate(file)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "ok      quality at most 0 prevert/cp co2 bad  0 of 12 readings are bad" in ran.stdout
    assert "FAILED  quality at most 0 prevert/cp co2 bad  nothing was measured in" in ran.stdout


MISTAKES = {
    "an unknown key": "sed = 3\n",
    "impossible physics": '[[room]]\nref = "prevert/cp"\nvolume_m3 = -174\n',
    "an expectation without a room": '[[expect]]\nwhat = "co2"\nat_most = 900\n',
    "a fault before the start": '[[fault]]\nwhat = "broker_down"\nsince = 2027-01-11T00:00:00\n',
    "a reason that is none": '[[expect]]\nwhat = "dead_letters"\nreason = "wrong"\nat_most = 0\n',
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_nothing_is_started_for_a_file_with_a_mistake(mistake: str, tmp_path: Path):
    """The broker that it would start leaves a mark, and so would a folder for its servers."""
    mark, folder = tmp_path / "started", tmp_path / "temporary"
    folder.mkdir()
    broker = tmp_path / "bin" / "mosquitto"
    broker.parent.mkdir()
    broker.write_text(f"#!/bin/sh\ntouch {mark}\n")
    broker.chmod(0o755)
    file = tmp_path / "mine.toml"
    environment = os.environ | {
        "PATH": f"{broker.parent}:{os.environ['PATH']}",
        "TMPDIR": str(folder),
    }
    head = "begin = 2027-01-12T06:00:00\nend = 2027-01-12T07:00:00\nnodes = 1\n"
    file.write_text(head + MISTAKES[mistake])
    refused = simulate(file, environment=environment)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert re.match(rf"preau: {re.escape(str(file))}:\d+: [\w.\[\]]+.*: .+\n", refused.stderr)
    assert not mark.exists()
    assert not any(folder.iterdir())
    # That both would show: the same without the mistake.
    file.write_text(head)
    assert simulate(file, environment=environment).returncode == 1
    assert mark.exists()
