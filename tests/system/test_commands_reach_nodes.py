"""When a command reaches a node: real gateway and Mosquitto; a client stands for the node."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import paho.mqtt.client as mqtt
import pytest

from ingest.topics import topic_of
from tests.gateway import Gateway
from tests.servers import Server, eventually, running

NODE = "3c71bf4a2b10"
HOURS_S = 7200


class Node:
    """Says what it is told to say, and keeps what it hears, in order."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, NODE)
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        for kind in ("commands", "receipts"):
            self._client.subscribe(topic_of(NODE, kind), qos=1)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client, _data, message) -> None:
        self.heard.append((message.topic.rsplit("/", 1)[1], json.loads(message.payload)))

    def say(self, kind: str, **said: object) -> None:
        self._client.publish(topic_of(NODE, kind), json.dumps(said), 1, retain=kind == "presence")

    def sleep(self) -> None:
        self.say("presence", online=False, asleep=True, next_wake=int(time.time()) + 3600)

    async def wake(self, hello: str) -> list[dict[str, Any]]:
        """The commands that come after a presence and before the answer to another one."""
        before = len(self.heard)
        self.say("presence", online=True, hello=hello)
        await self._answered(hello)
        self.say("presence", online=True, hello=f"{hello}+")
        await self._answered(f"{hello}+")
        end = next(
            number
            for number, (kind, said) in enumerate(self.heard)
            if kind == "receipts" and said["hello"] == f"{hello}+"
        )
        return [said for kind, said in self.heard[before:end] if kind == "commands"]

    async def _answered(self, hello: str) -> None:
        await eventually(
            lambda: any(kind == "receipts" and s["hello"] == hello for kind, s in list(self.heard))
        )


@pytest.fixture
async def gateway(mosquitto: Server, tmp_path) -> AsyncIterator[Gateway]:
    gateway = Gateway(tmp_path / "gateway", mosquitto.port)
    # It logs what it takes, so that a test can wait for that.
    gateway.command.insert(1, "--verbose")
    with running(gateway):
        await eventually(gateway.is_well)
        yield gateway


@pytest.fixture
async def node(gateway: Gateway, mosquitto: Server) -> AsyncIterator[Node]:
    """Asleep for an hour, and the gateway knows."""
    node = Node(mosquitto.port)
    node.sleep()
    await eventually(lambda: is_asleep(gateway))
    yield node
    node.close()


async def is_asleep(gateway: Gateway) -> bool:
    found = (await gateway.get("/api/v1/nodes", node=NODE))["nodes"]
    return bool(found and found[0]["asleep"])


async def ask(gateway: Gateway, timeout_s: float) -> dict[str, Any]:
    token = (gateway.data / "api.token").read_text().strip()
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as client,
        client.post(
            f"{gateway.url}/api/v1/nodes/{NODE}/commands",
            json={"do": "identify", "timeout_s": timeout_s},
        ) as answer,
    ):
        return {"status": answer.status} | await answer.json()


async def waits(gateway: Gateway) -> bool:
    return f"{NODE}: identify, id" in gateway.log.read_text()


async def test_what_waits_is_said_with_the_presence_and_holds_for_a_minute(
    gateway: Gateway, node: Node
) -> None:
    asking = asyncio.create_task(ask(gateway, HOURS_S))
    # Nobody is told anything while it sleeps.
    await eventually(lambda: waits(gateway))
    assert not any(kind == "commands" for kind, _ in node.heard)
    told = await node.wake("a1")
    assert [command["do"] for command in told[:1]] == ["identify"]
    # A node that took it late would do what nobody waits for any more.
    assert told[0]["until"] <= time.time() + 61
    node.sleep()
    # The same one again, until it is answered.
    again = await node.wake("a2")
    assert [command["id"] for command in again[:1]] == [told[0]["id"]]
    node.say("replies", id=told[0]["id"], ok=True)
    assert (await asking)["ok"] is True
    assert await node.wake("a3") == []


async def test_what_nobody_waits_for_any_more_is_withdrawn(gateway: Gateway, node: Node) -> None:
    asking = asyncio.create_task(ask(gateway, HOURS_S))
    await eventually(lambda: waits(gateway))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    hellos = iter(range(1000))

    async def is_told_nothing() -> bool:
        told = await node.wake(f"b{next(hellos)}")
        node.sleep()
        return not told

    await eventually(is_told_nothing)


async def test_a_node_that_sleeps_on_is_named_as_such(gateway: Gateway, node: Node) -> None:
    answer = await ask(gateway, 0.5)
    assert answer["status"] == 504
    assert "sleeps until" in answer["detail"]
    assert "was not told" in answer["detail"]
