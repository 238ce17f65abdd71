"""Every scenario that comes with Préau passes, and fails when what it guards is broken."""

import contextlib
import itertools
from pathlib import Path

import pytest

import ingest.pipeline
import ingest.senml.decode
from gateway.cli import run
from ingest.forwarder.errors import InfluxAwayError
from ingest.forwarder.v1 import InfluxV1
from ingest.readings import Quality
from simulators.node import VirtualNode
from simulators.outbox import Outbox
from simulators.scenario.load import SHIPPED, load_scenario, shipped_names
from simulators.scenario.perform import Outcome, perform
from simulators.scenario.report import as_table
from tests.servers import require, require_micropython

NEEDS_INFLUX = {"influxdb-outage-weekend"}
NEEDS_MICROPYTHON = {"firmware-outage"}
POWER_CUTS = """
begin = 2027-01-12T00:00:00
end = 2027-01-12T12:00:00
nodes = 3

[[fault]]
what = "power_cut"
times = 4

[[fault]]
what = "power_cut"
rooms = ["prevert/cp"]
since = 2027-01-12T03:00:00
until = 2027-01-12T05:00:00

# Over the end of the one before: power is back when both are over.
[[fault]]
what = "power_cut"
rooms = ["prevert/cp"]
since = 2027-01-12T04:00:00
until = 2027-01-12T06:00:00

[[expect]]
what = "nothing_missing"

[[expect]]
what = "nothing_twice"
"""


def require_servers(name: str) -> None:
    require("mosquitto")
    if name in NEEDS_INFLUX:
        require("influxd", "influxdb")
    if name in NEEDS_MICROPYTHON:
        require_micropython()


def failed(outcome: Outcome) -> set[str]:
    """What did not hold; that a run came to its end is expected of every one."""
    assert outcome.broke is None, outcome.broke
    return {verdict.name.split()[0] for verdict in outcome.verdicts if not verdict.holds}


async def played(name: str, tmp_path: Path, changes: dict[str, str], **options) -> Outcome:
    """The short form of a shipped scenario, with other words in its file."""
    require_servers(name)
    text = (SHIPPED / f"{name}.toml").read_text()
    for old, new in {**changes, '"estates/': f'"{SHIPPED}/estates/'}.items():
        assert old in text or old == '"estates/', old
        text = text.replace(old, new)
    file = tmp_path / f"{name}.toml"
    file.write_text(text)
    return await perform(load_scenario(file, short=True), **options)


@pytest.mark.parametrize("name", shipped_names())
async def test_it_passes(name: str, tmp_path: Path):
    outcome = await played(name, tmp_path, {})
    assert outcome.holds, as_table(outcome)
    # Boards take as many as the machine lets them, a second each.
    assert outcome.packs > (50 if outcome.firmware else 100)


@pytest.mark.parametrize(
    ("name", "changes", "found"),
    [
        (
            "winter-week",
            {
                '[[expect]]\nwhat = "nothing_twice"': '[[fault]]\nwhat = "boiler_down"\n'
                'building = "prevert/principal"\nsince = 2027-01-11T00:00:00'
            },
            "temperature",
        ),
        ("heat-wave-june", {"anomaly_k = 9": "anomaly_k = -3"}, "temperature"),
        ("stuffy-classroom", {"airing = 0.05": "airing = 1\nairing_ppm = 700"}, "co2"),
        (
            "frost-in-the-gym",
            {"since = 2027-01-15T06:00:00": "since = 2027-01-18T08:59:00"},
            "temperature",
        ),
        (
            "heating-left-on-in-the-holidays",
            {"since = 2026-12-22T00:00:00\n\n": "since = 2026-12-26T00:00:00\n\n"},
            "temperature",
        ),
    ],
)
async def test_a_building_that_behaves_otherwise_is_noticed(
    name: str, changes: dict[str, str], found: str, tmp_path: Path
):
    assert found in failed(await played(name, tmp_path, changes))


async def test_a_gateway_that_does_not_judge_fails_sensor_faults(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(ingest.pipeline, "judge", lambda *_: Quality.GOOD)
    assert "quality" in failed(await played("sensor-faults", tmp_path, {}))


async def test_a_gateway_that_takes_any_time_fails_bad_clocks(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(ingest.senml.decode, "AHEAD_MS", 10**12)
    assert failed(await played("bad-clocks", tmp_path, {})) == {"dead_letters"}


async def test_nodes_that_forget_what_was_under_way_fail_broker_outage(tmp_path: Path, monkeypatch):
    def forget(outbox: Outbox) -> None:
        for seq in list(outbox._flights):
            outbox._forget(seq)

    monkeypatch.setattr(Outbox, "new_session", forget)
    assert "nothing_missing" in failed(await played("broker-outage", tmp_path, {}))


async def test_a_power_cut_costs_what_is_not_measured_meanwhile_and_nothing_else(tmp_path: Path):
    require("mosquitto")
    file = tmp_path / "power.toml"
    file.write_text(POWER_CUTS)
    outcome = await perform(load_scenario(file))
    assert outcome.holds, as_table(outcome)
    # Every five minutes, but for three hours in one room; the others come back at once.
    assert outcome.packs == 3 * 144 - 36
    assert (await perform(load_scenario(file))).digest == outcome.digest


async def test_nodes_that_forget_over_a_power_cut_are_found_out(tmp_path: Path, monkeypatch):
    require("mosquitto")
    crash = VirtualNode.crash

    async def crash_and_forget(node: VirtualNode) -> None:
        await crash(node)
        for seq in list(node.outbox._flights):
            node.outbox._forget(seq)

    monkeypatch.setattr(VirtualNode, "crash", crash_and_forget)
    file = tmp_path / "power.toml"
    file.write_text(POWER_CUTS)
    assert "nothing_missing" in failed(await perform(load_scenario(file)))


async def test_a_forwarder_that_goes_on_without_an_answer_fails_influxdb_outage(
    tmp_path: Path, monkeypatch
):
    write, tries = InfluxV1.write, itertools.count()

    async def write_once(client: InfluxV1, lines: bytes) -> None:
        with contextlib.suppress(InfluxAwayError):
            # A weekend takes a moment here, in which a busy machine may try nothing.
            if next(tries) == 0:
                raise InfluxAwayError("away")
            await write(client, lines)

    monkeypatch.setattr(InfluxV1, "write", write_once)
    assert failed(await played("influxdb-outage-weekend", tmp_path, {})) == {"influxdb_has_all"}


@pytest.mark.parametrize(
    ("name", "gateway", "found"),
    [
        ("gateway-killed", "eager", "nothing_missing"),
        ("battery-school", "eager", "nothing_missing"),
        ("departement", "forgetful", "nothing_missing"),
        ("hostile-payloads", "careless", "dead_letters"),
        ("hostile-payloads", "bloated", "memory"),
    ],
)
async def test_a_broken_gateway_is_found_out(name: str, gateway: str, found: str, tmp_path: Path):
    module = f"tests.broken_gateways.{gateway}"
    outcome = await played(name, tmp_path, {}, gateway_module=module)
    assert found in failed(outcome)


async def test_the_same_seed_gives_the_same_bytes_under_faults_and_another_gives_others(
    tmp_path: Path,
):
    first = await played("gateway-killed", tmp_path, {})
    again = await played("gateway-killed", tmp_path, {})
    other = await played("gateway-killed", tmp_path, {"begin = 2027": "seed = 2\nbegin = 2027"})
    assert first.digest == again.digest != other.digest


def test_what_failed_is_told_with_place_moment_and_seed(tmp_path: Path, capsys):
    require("mosquitto")
    file = tmp_path / "cold.toml"
    file.write_text(
        "begin = 2027-01-12T06:00:00\nend = 2027-01-12T08:00:00\nnodes = 2\n"
        '[[expect]]\nwhat = "temperature"\nroom = "prevert/cp"\nat_least = 30\n'
    )
    report = tmp_path / "junit.xml"
    assert run(["simulate", str(file), "--seed", "7", "--report", str(report)]) == 1
    said = capsys.readouterr().out
    assert f"{file}:4: temperature at least 30 prevert/cp: 1" in said
    assert "in prevert/cp at 2027-01-12 06:0" in said
    assert f"to see it again: preau simulate {file} --seed 7" in said
    assert 'failures="1"' in report.read_text()
    assert "prevert/cp at 2027-01-12 06:0" in report.read_text()
