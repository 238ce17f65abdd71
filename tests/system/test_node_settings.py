"""What the estate wants of a node reaches it, retained, under a version that only rises."""

from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from simulators.board.board import VirtualBoard
from tests.gateway import Gateway
from tests.servers import Server, eventually, require_micropython, running

NODE = "3c71bf4a2b10"


def estate(interval: str) -> str:
    return f'[[node]]\nid = "{NODE}"\ncadence_s = 60\n{interval}'


@pytest.fixture
def gateway(mosquitto: Server, tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path, mosquitto.port, estate=estate("interval_s = 2\n"))
    with running(gateway):
        yield gateway


@pytest.fixture
def retained(mosquitto: Server) -> Iterator[list[bytes]]:
    """Every payload seen on the node's topic `settings`."""
    seen: list[bytes] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: seen.append(message.payload)
    client.on_connect = lambda *_: client.subscribe(f"preau/v1/{NODE}/settings", 1)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    yield seen
    client.disconnect()
    client.loop_stop()


async def has_taken(gateway: Gateway, version: int) -> bool:
    nodes = (await gateway.get("/api/v1/nodes"))["nodes"]
    return any(node["id"] == NODE and node["settings"] == version for node in nodes)


async def test_a_node_takes_what_the_estate_says_and_what_it_says_next(
    gateway: Gateway, mosquitto: Server, tmp_path: Path, retained: list[bytes]
) -> None:
    require_micropython()
    address = ("127.0.0.1", mosquitto.port)
    async with VirtualBoard(NODE, tmp_path / "board", address, interval_s=1) as board:
        await eventually(lambda: has_taken(gateway, 1))
        (tmp_path / "estate.toml").write_text(estate("interval_s = 3\n"))
        await eventually(lambda: has_taken(gateway, 2))
        # The gateway forgets: what the node says of itself is enough to go on.
        gateway.stop()
        (gateway.data / "node-settings.json").unlink()
        (tmp_path / "estate.toml").write_text(estate("interval_s = 1\n"))
        gateway.start()
        await eventually(lambda: has_taken(gateway, 3))
        assert '"interval_s": 1' in (board.flash / "settings.json").read_text()
    assert retained[-1] == b'{"version":3,"interval_s":1}'


async def test_a_broker_that_has_forgotten_is_told_again(
    gateway: Gateway, mosquitto: Server, retained: list[bytes]
) -> None:
    await eventually(lambda: b'{"version":1,"interval_s":2}' in retained)
    retained.clear()
    mosquitto.kill()
    mosquitto.start()
    await eventually(lambda: b'{"version":1,"interval_s":2}' in retained)


async def test_what_the_estate_does_not_say_is_not_published(
    gateway: Gateway, tmp_path: Path, retained: list[bytes]
) -> None:
    await eventually(lambda: retained)
    (tmp_path / "estate.toml").write_text(estate(""))
    await eventually(lambda: retained[-1] == b"")
