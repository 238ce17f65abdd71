"""Simulated nodes against a town's own broker: TLS, an account a node, and what is refused."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from ingest.archive.csv_file import CsvWriter
from ingest.archive.tables import READINGS
from simulators.sensors import Sensors
from simulators.town import demo_town
from tests.secure_town import SecureTown, secure_town
from tests.servers import Server, eventually
from tests.town_broker import TownBroker

PREAU = Path(sys.executable).with_name("preau")
ROOMS = demo_town().rooms
NODES = [room.node for room in ROOMS]


async def preau(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [PREAU, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        env=os.environ | environment,
    )


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[SecureTown]:
    """One whose estate has the nodes of the demo town."""
    async with secure_town(tmp_path, *NODES) as town:
        yield town


@pytest.fixture
def broker(tmp_path: Path):
    """The broker alone."""
    broker = TownBroker(tmp_path / "town", NODES)
    broker.start()
    yield broker
    broker.stop()


def over_tls(broker: TownBroker, host: str = "localhost") -> list[object]:
    return ["--target", f"mqtts://{host}:{broker.port}", "--ca", broker.ca]


def own_accounts(broker: TownBroker) -> list[object]:
    return ["--passwords", broker.given / "credentials"]


def recording(folder: Path) -> Path:
    """Half an hour of two nodes."""
    file = folder / "readings.csv"
    with CsvWriter(file, READINGS) as writer:
        for room in ROOMS[:2]:
            sensors = Sensors(room.node, room.model)
            readings = [
                reading
                for minute in range(0, 30, 5)
                for reading in sensors.read(1_735_718_400_000 + minute * 60_000)
            ]
            writer.write(
                (*(room.node, *r[:4], None), *("good", "s", "b", "r", r.measured_at_ms, "node"))
                for r in sorted(readings)
            )
    return file


async def test_a_scenario_is_played_with_an_account_for_each_node(town: SecureTown):
    listed = await preau("simulate", "stuffy-classroom", "--list-nodes")
    assert listed.stdout.split() == NODES
    ran = await preau(
        *("simulate", "stuffy-classroom", "--short", "--json", "--page", town.gateway.url),
        *over_tls(town.broker),
        *own_accounts(town.broker),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = json.loads(ran.stdout)
    assert (said["holds"], said["nodes"]) == (True, 12)
    with town.gateway.reader() as reader:
        received = {log.node: log.received.count() for log in reader.logs()}
    assert sorted(received) == sorted(NODES)
    assert sum(received.values()) == said["packs"]


async def test_a_recording_is_played_with_an_account_for_each_node(
    town: SecureTown, tmp_path: Path
):
    ran = await preau(
        *("simulate", "--replay", recording(tmp_path), "--page", town.gateway.url),
        *over_tls(town.broker),
        *own_accounts(town.broker),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(town.gateway.stored(NODES[0])) > 6


async def test_the_demo_town_reports_over_tls(town: SecureTown):
    words = ["demo-town", *over_tls(town.broker), *own_accounts(town.broker), "--days", "0"]

    async def all_online() -> bool:
        nodes = (await town.gateway.get("/api/v1/nodes"))["nodes"]
        return {one["id"] for one in nodes if one["online"]} == set(NODES)

    process = await asyncio.create_subprocess_exec(
        PREAU, *map(str, words), stdout=asyncio.subprocess.PIPE
    )
    try:
        await eventually(all_online, what="not all nodes are online", deadline_s=60)
    finally:
        process.terminate()
        said, _ = await process.communicate()
    assert said.startswith(b"preau demo-town: 12 nodes")
    assert process.returncode == 0


async def test_without_a_ca_the_systems_authorities_are_trusted(town: SecureTown):
    ran = await preau(
        *("simulate", "stuffy-classroom", "--short", "--nodes", "5"),
        *("--target", f"mqtts://localhost:{town.broker.port}", *own_accounts(town.broker)),
        SSL_CERT_FILE=str(town.broker.ca),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def wrong_password(broker: TownBroker) -> list[object]:
    """Of the last node alone."""
    file = broker.password_file(NODES[-1])
    file.write_text("not this one\n")
    return own_accounts(broker)


REFUSED: Mapping[str, tuple[object, str]] = {
    "an authority that is unknown": (
        lambda broker, _: [*over_tls(broker)[:2], *own_accounts(broker)],
        "its certificate is not trusted (unable to get local issuer certificate); --ca names",
    ),
    "a name that is not in the certificate": (
        # An old way to write 127.0.0.1, which makes a name of it.
        lambda broker, _: [*over_tls(broker, "127.1"), *own_accounts(broker)],
        "its certificate is not for '127.1'; name it as its certificate does",
    ),
    "TLS to a port without it": (
        lambda broker, plain: ["--target", f"mqtts://localhost:{plain}", "--ca", broker.ca],
        "; mqtt:// is without TLS",
    ),
    "a port that wants TLS without it": (
        lambda broker, _: ["--target", f"mqtt://localhost:{broker.port}", *own_accounts(broker)],
        "it ends the connection without an answer; if that port wants TLS, write mqtts://",
    ),
    "no account where one is asked for": (
        lambda broker, _: over_tls(broker),
        "the broker refuses: Not authorized, without account",
    ),
    "a wrong password of one node of twelve": (
        lambda broker, _: [*over_tls(broker), *wrong_password(broker)],
        f"the broker refuses: Not authorized, the account '{NODES[-1]}'",
    ),
    "a name that no host has": (
        lambda *_: ["--target", "mqtts://no-such-host.invalid"],
        "broker no-such-host.invalid:8883: no host has that name",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_the_broker_does_not_let_in_is_told_before_anything_is_started(
    what: str, broker: TownBroker, mosquitto: Server, tmp_path: Path
):
    words, told = REFUSED[what]
    options = words(broker, mosquitto.port)
    report = tmp_path / "junit.xml"
    played = [
        ("simulate", "winter-week", "--short", "--report", report),
        ("simulate", "--replay", recording(tmp_path)),
        ("demo-town",),
    ]
    for command in played:
        if what.startswith("a wrong password") and "--replay" in command:
            # That node is not in the recording.
            continue
        ran = await preau(*command, *options)
        assert (ran.returncode, ran.stdout) == (2, ""), ran
        assert told in ran.stderr
        assert ran.stderr.count("\n") == 1
        assert ran.stderr.startswith("preau: broker ")
        assert broker.password(NODES[-1]) not in ran.stderr
    assert not report.exists()


async def test_a_stranger_is_not_played_where_each_node_has_an_account(broker: TownBroker):
    options = [*over_tls(broker), *own_accounts(broker)]
    ran = await preau("simulate", "hostile-payloads", "--short", *options)
    assert ran.returncode == 2
    assert "hostile-payloads.toml:" in ran.stderr
    assert "lets one client write for all nodes: leave --passwords out" in ran.stderr


async def test_a_node_without_a_password_is_named(broker: TownBroker):
    broker.password_file(NODES[3]).unlink()
    options = [*over_tls(broker), *own_accounts(broker)]
    ran = await preau("simulate", "winter-week", "--short", *options)
    assert ran.returncode == 2
    assert f"{NODES[3]}.password' can't be read: No such file" in ran.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--ca", "ca.pem"], "--ca goes with --target"),
        (["--page", "http://localhost"], "--page goes with --target"),
        (["--target", "mqtt://localhost", "--ca", "ca.pem"], "a CA goes with mqtts://"),
        (["--target", "mqtts://localhost", "--ca", "none.pem"], "the broker's CA 'none.pem'"),
        (["--target", "mqtts://me@localhost"], "put the password into PREAU_SIMULATE_PASSWORD"),
        (["--target", "mqtts://:8883"], "the host must be a host name or an IP address"),
        (["--target", "mqtt://h?x=1"], "must look like mqtt://127.0.0.1:1883, or mqtts://"),
    ],
)
async def test_options_that_do_not_go_together_are_told(options: list[str], told: str):
    ran = await preau("simulate", "winter-week", "--short", *options)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert told in ran.stderr
    assert ran.stderr.count("\n") == 1
