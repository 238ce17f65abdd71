"""A firmware on its way to twenty nodes: the real command, gateway and Mosquitto. The nodes are
clients that answer `update` as the contract has it, and say afterwards how it went.
"""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from gateway.firmware.bundle import Formats, Release, make_bundle
from gateway.firmware.shelf import Shelf
from ingest.topics import topic_of
from tests.gateway import Gateway
from tests.servers import Server, eventually, running

NODES = [f"3c71bf4a2b{number:02x}" for number in range(20)]
VERSION = "1.1.0"
PREAU = Path(sys.executable).with_name("preau")


class Node:
    """One that runs 1.0.0. With `takes_it` an update ends well, else it goes back by itself."""

    def __init__(self, node: str, port: int, *, takes_it: bool) -> None:
        self.node = node
        self.offered = threading.Event()
        self._takes_it = takes_it
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, node)
        self._client.on_connect = self._greet
        self._client.on_message = self._obey
        self._client.connect("127.0.0.1", port)

    @contextmanager
    def connected(self) -> Iterator["Node"]:
        self._client.loop_start()
        try:
            yield self
        finally:
            self._client.disconnect()
            self._client.loop_stop()

    def _greet(self, client, *_) -> None:
        client.subscribe(topic_of(self.node, "commands"), qos=1)
        self._say(firmware="1.0.0")

    def _say(self, **more: object) -> None:
        said = {"online": True, "hello": "9f31"} | more
        self._client.publish(topic_of(self.node, "presence"), json.dumps(said), 1, retain=True)

    def _obey(self, client, _data, message) -> None:
        command = json.loads(message.payload)
        assert command["do"] == "update"
        self.offered.set()
        reply = {"id": command["id"], "ok": True}
        client.publish(topic_of(self.node, "replies"), json.dumps(reply), 1)
        update = {"id": command["id"], "version": command["version"]}
        if self._takes_it:
            self._say(firmware=VERSION, update=update | {"state": "confirmed"})
        else:
            went = {"state": "rolled_back", "error": "3 crashes"}
            self._say(firmware="1.0.0", update=update | went)


@pytest.fixture
def gateway(mosquitto: Server, tmp_path: Path) -> Iterator[Gateway]:
    """With a signed bundle on its shelf."""
    gateway = Gateway(tmp_path / "gateway", mosquitto.port)
    shelf = Shelf(gateway.data)
    shelf.keys.create()
    release = Release(VERSION, "esp32", 6, Formats(1, 1), Formats(1, 1))
    shelf.put(shelf.keys.sign(make_bundle(release, {"app.mpy": bytes(range(256))})))
    with running(gateway):
        yield gateway


@contextmanager
def twenty(port: int, *, takes_it: bool) -> Iterator[list[Node]]:
    with ExitStack() as stack:
        nodes = [Node(node, port, takes_it=takes_it) for node in NODES]
        yield [stack.enter_context(node.connected()) for node in nodes]


async def update_all(gateway: Gateway) -> subprocess.CompletedProcess[str]:
    async def all_are_there() -> bool:
        told = (await gateway.get("/api/v1/nodes"))["nodes"]
        return len([one for one in told if one["online"]]) == len(NODES)

    await eventually(all_are_there)
    settings = gateway.data.parent / "preau.toml"
    command = [PREAU, "node", "update", "--all", "--canary", "1", "--settings", settings]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=50, check=False
    )


async def test_a_version_that_fails_on_the_canary_reaches_no_other_node(
    gateway: Gateway, mosquitto: Server
) -> None:
    with twenty(mosquitto.port, takes_it=False) as nodes:
        done = await update_all(gateway)
        assert done.returncode == 1
        assert "rolled_back, 3 crashes. 19 nodes were left as they are" in done.stderr
        assert [node.offered.is_set() for node in nodes].count(True) == 1


async def test_a_version_that_does_well_reaches_all_in_three_steps(
    gateway: Gateway, mosquitto: Server
) -> None:
    with twenty(mosquitto.port, takes_it=True) as nodes:
        done = await update_all(gateway)
        assert done.returncode == 0, done.stdout + done.stderr
        steps = [line for line in done.stdout.splitlines() if line.startswith("step: ")]
        assert steps == [f"step: {size} of 20 nodes" for size in (1, 2, 17)]
        assert all(node.offered.is_set() for node in nodes)
