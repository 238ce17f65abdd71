"""Many virtual nodes in one MQTT session: the same bytes, one connection, presence of each."""

import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.mqtt.address import BrokerAddress
from ingest.topics import topic_of
from simulators.node import VirtualNode
from simulators.room import RoomState
from simulators.scenario.load import load_scenario
from simulators.scenario.perform import Outcome, perform
from simulators.shared import SharedSession
from tests.servers import Server, eventually, require

PREAU = Path(sys.executable).with_name("preau")
NODES = ("3c71bf4a2b10", "3c71bf4a2b14")
CROWD = 300
FEW_FILES = 250
HOUR = "begin = 2027-01-12T06:00:00\nend = 2027-01-12T07:00:00\n"
EXPECTED = '[[expect]]\nwhat = "nothing_missing"\n[[expect]]\nwhat = "nothing_twice"\n'
FAULTS = """
[[fault]]
what = "link_cut"
rooms = ["prevert/cp"]
since = 2027-01-12T06:10:00
until = 2027-01-12T06:30:00

[[fault]]
what = "broker_down"
since = 2027-01-12T06:20:00
until = 2027-01-12T06:40:00
"""


class Air:
    def state_at(self, unix_s: float) -> RoomState:
        return RoomState(20.0, 45.0, 800.0)


async def played(folder: Path, head: str) -> Outcome:
    require("mosquitto")
    file = folder / "mine.toml"
    file.write_text(HOUR + head + FAULTS + EXPECTED)
    outcome = await perform(load_scenario(file))
    assert outcome.broke is None, outcome.broke
    return outcome


async def test_the_gateway_stores_the_same_bytes_as_with_sessions_of_their_own(tmp_path: Path):
    """Both runs compare every stored reading with those taken; the digest is of those."""
    own = await played(tmp_path, "stride_s = 300\n")
    shared = await played(tmp_path, 'stride_s = 300\nsessions = "shared"\n')
    assert own.holds
    assert shared.holds
    assert (shared.digest, shared.packs) == (own.digest, own.packs) != ("", 0)


def simulate(*words: object, files: int) -> subprocess.CompletedProcess[str]:
    """With a limit of open files that the command can't raise."""
    return subprocess.run(
        [PREAU, "simulate", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
    )


def test_more_nodes_than_connections_are_refused_with_their_own_and_played_in_one(tmp_path: Path):
    require("mosquitto")
    file = tmp_path / "crowd.toml"
    file.write_text(HOUR + f"nodes = {CROWD}\ninterval_s = 1200\n" + EXPECTED)
    refused = simulate(file, files=FEW_FILES)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"{CROWD} connections need" in refused.stderr
    assert f"may have {FEW_FILES}: raise that (ulimit -n)" in refused.stderr
    ran = simulate(file, "--shared-session", "--json", files=FEW_FILES)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = json.loads(ran.stdout)
    assert (said["nodes"], said["packs"]) == (CROWD, 3 * CROWD)


def test_a_limit_that_may_be_raised_is_raised(tmp_path: Path):
    require("mosquitto")
    file = tmp_path / "crowd.toml"
    file.write_text(HOUR + f"nodes = {CROWD}\ninterval_s = 1200\n" + EXPECTED)
    soft = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, 2000))  # noqa: E731
    command = [PREAU, "simulate", str(file)]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=110, preexec_fn=soft
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


class Watcher:
    """Sees what is retained and said; says what it is told to."""

    def __init__(self, port: int) -> None:
        self.presence: dict[str, dict] = {}
        self.client = Client(CallbackAPIVersion.VERSION2, "watcher")
        self.client.on_message = self._take
        self.client.connect("127.0.0.1", port)
        self.client.subscribe(topic_of("+", "presence"), 1)
        self.client.loop_start()

    def _take(self, _client, _userdata, message) -> None:
        self.presence[message.topic.split("/")[2]] = json.loads(message.payload)

    def settle(self, node: str, version: int) -> None:
        words = json.dumps({"version": version, "interval_s": 60})
        said = self.client.publish(topic_of(node, "settings"), words, qos=1, retain=True)
        said.wait_for_publish(10)


@pytest.fixture
def watcher(mosquitto: Server) -> Iterator[Watcher]:
    watcher = Watcher(mosquitto.port)
    yield watcher
    watcher.client.disconnect()
    watcher.client.loop_stop()


async def test_each_node_is_present_hears_its_settings_and_says_goodbye(
    mosquitto: Server, watcher: Watcher
):
    for version, node in enumerate(NODES, 4):
        watcher.settle(node, version)
    shared = SharedSession(BrokerAddress(port=mosquitto.port))
    first, late = (VirtualNode(node, Air(), BrokerAddress(), shared=shared) for node in NODES)
    first.start()
    await eventually(lambda: first.state.settings_version == 4, what="no settings")
    # The retained settings of all have come by now, and come no more.
    late.start()
    await eventually(lambda: late.state.settings_version == 5, what="no settings for the late one")
    await eventually(
        lambda: [watcher.presence.get(node, {}).get("settings") for node in NODES] == [4, 5],
        what="presence is not that of each",
    )
    await first.stop()
    await eventually(lambda: not watcher.presence[NODES[0]]["online"], what="no goodbye")
    assert watcher.presence[NODES[1]]["online"]
    assert shared.is_open
    await late.stop()
    await eventually(lambda: not watcher.presence[NODES[1]]["online"], what="no goodbye")
    assert not shared.is_open


async def test_nodes_that_give_up_while_connecting_leave_no_connection():
    """The broker is slow: it answers when they are gone."""
    asked, gone, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def accept_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        asked.set()
        await gone.wait()
        writer.write(b"\x20\x02\x00\x00")  # CONNACK: accepted
        # Who has gone without reading that may reset the connection.
        with suppress(ConnectionError):
            while await reader.read(1000):
                pass
        ended.set()
        writer.close()

    async with await asyncio.start_server(accept_late, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        shared = SharedSession(BrokerAddress(port=port))
        nodes = [VirtualNode(node, Air(), BrokerAddress(), shared=shared) for node in NODES]
        for node in nodes:
            node.start()
        async with asyncio.timeout(20):
            await asked.wait()
            for node in nodes:
                await node.stop()
            gone.set()
            await ended.wait()
        assert not shared.is_open


async def test_a_session_that_was_left_is_opened_anew(mosquitto: Server):
    shared = SharedSession(BrokerAddress(port=mosquitto.port))
    node = VirtualNode(NODES[0], Air(), BrokerAddress(), shared=shared)
    for _ in range(2):
        node.start()
        await eventually(lambda: node.connected, what="it does not connect")
        await node.stop()
        assert not shared.is_open
