"""Changing subscriptions on a connection that stays, and brokers that refuse some of them."""

import asyncio
import base64
import getpass
import hashlib
import json
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.mqtt.embedded import EmbeddedBroker
from gateway.mqtt.session import BrokerAddress, Session
from ingest.topics import subscriptions, topic_of
from tests.servers import Server, eventually, free_port, mosquitto_server, running

FIRST, SECOND, THIRD = (f"3c71bf4a{number:04x}" for number in (0, 4, 8))
_CONTROL = "$CONTROL/dynamic-security/v1"
_CLIENT = {
    "username": "gateway",
    "password": base64.b64encode(hashlib.pbkdf2_hmac("sha512", b"secret", b"x" * 12, 101)).decode(),
    "salt": base64.b64encode(b"x" * 12).decode(),
    "iterations": 101,
    "roles": [{"rolename": "all"}],
}


@asynccontextmanager
async def session_at(address: BrokerAddress, filters, client_id="gateway"):
    async with Session(
        address,
        client_id=client_id,
        subscriptions=filters,
        clock_ms=lambda: time.time_ns() // 1_000_000,
        keepalive_s=2,
    ) as session:
        task = asyncio.create_task(session.run())
        yield session
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(params=["mosquitto", "embedded"])
async def address(request, tmp_path):
    if request.param == "mosquitto":
        with running(mosquitto_server(tmp_path)) as server:
            yield BrokerAddress(port=server.port)
    else:
        async with EmbeddedBroker(port=free_port()) as broker:
            yield broker.address


async def heard(session: Session, payload: bytes) -> list[str]:
    """The topics of all that came up to the message with `payload`, acknowledged."""
    topics = []
    async with asyncio.timeout(10):
        while True:
            batch = await session.next_batch()
            session.acknowledge(batch)
            topics += [delivery.topic for delivery in batch]
            if any(delivery.payload == payload for delivery in batch):
                return topics


async def test_subscriptions_change_without_a_reconnect(address):
    async with (
        session_at(address, subscriptions((FIRST, SECOND))) as session,
        session_at(address, ["other"], "nodes") as nodes,
    ):
        await eventually(lambda: session.connected and nodes.connected)
        # A retained presence is delivered to whoever subscribes later.
        nodes.publish(topic_of(THIRD, "presence"), b"here", qos=1, retain=True)
        session.subscribe_to(subscriptions((SECOND, THIRD)))
        assert topic_of(THIRD, "presence") in await heard(session, b"here")

        async def first_is_gone() -> bool:
            mark = b"%d" % time.monotonic_ns()
            nodes.publish(topic_of(FIRST, "readings"), b"pack", qos=1)
            nodes.publish(topic_of(SECOND, "readings"), b"pack", qos=1)
            nodes.publish(topic_of(THIRD, "readings"), mark, qos=1)
            topics = await heard(session, mark)
            assert topic_of(SECOND, "readings") in topics, "what stays is delivered throughout"
            return topic_of(FIRST, "readings") not in topics

        await eventually(first_is_gone)
        assert session.connections == 1


async def test_an_earlier_process_leaves_subscriptions_that_can_be_dropped(mosquitto: Server):
    address = BrokerAddress(port=mosquitto.port)
    async with session_at(address, subscriptions((FIRST, SECOND))) as session:
        await eventually(lambda: session.connected)
    async with (
        session_at(address, subscriptions((SECOND,))) as session,
        session_at(address, [], "nodes") as nodes,
    ):
        await eventually(lambda: session.connected and nodes.connected)
        nodes.publish(topic_of(FIRST, "readings"), b"remembered", qos=1)
        await heard(session, b"remembered")
        session.drop_subscriptions(subscriptions((FIRST,)))

        async def first_is_gone() -> bool:
            mark = b"%d" % time.monotonic_ns()
            nodes.publish(topic_of(FIRST, "readings"), b"pack", qos=1)
            nodes.publish(topic_of(SECOND, "readings"), mark, qos=1)
            return await heard(session, mark) == [topic_of(SECOND, "readings")]

        await eventually(first_is_gone)


async def test_ten_thousand_nodes_are_subscribed_one_by_one(mosquitto: Server):
    address = BrokerAddress(port=mosquitto.port)
    nodes = tuple(f"3c71{number * 4:08x}" for number in range(10_000))
    async with (
        session_at(address, subscriptions(nodes)) as session,
        session_at(address, [], "nodes") as sender,
    ):
        await eventually(lambda: session.connected and sender.connected)
        for node in (nodes[0], nodes[-1], FIRST):
            sender.publish(topic_of(node, "readings"), b"", qos=1)
        sender.publish(topic_of(nodes[5000], "readings"), b"last", qos=1)
        topics = await heard(session, b"last")
        assert topics == [topic_of(nodes[n], "readings") for n in (0, -1, 5000)]


def guarded_mosquitto(folder: Path, *allowed: str) -> Server:
    """A Mosquitto that refuses every subscription but those to `allowed`."""
    acls = [
        {"acltype": "subscribeLiteral", "topic": topic, "priority": 0, "allow": True}
        for topic in allowed
    ]
    acls.append({"acltype": "publishClientSend", "topic": _CONTROL, "allow": True})
    settings = folder / "dynsec.json"
    settings.write_text(
        json.dumps(
            {
                "defaultACLAccess": {
                    "publishClientSend": True,
                    "publishClientReceive": True,
                    "subscribe": False,
                    "unsubscribe": True,
                },
                "clients": [_CLIENT],
                "roles": [{"rolename": "all", "acls": acls}],
            }
        )
    )
    plugin = next(Path("/usr/lib").rglob("mosquitto_dynamic_security.so"), None)
    if plugin is None:
        pytest.skip("mosquitto_dynamic_security.so is missing: apt-get install mosquitto")
    # As root it would become another user, who can't read the file.
    extra = f"user {getpass.getuser()}\nplugin {plugin}\nplugin_opt_config_file {settings}\n"
    return mosquitto_server(folder, extra=extra)


async def test_a_refused_subscription_is_told_and_works_once_the_broker_allows_it(tmp_path):
    told, refused = topic_of(FIRST, "readings"), topic_of(SECOND, "readings")
    with running(guarded_mosquitto(tmp_path, told)) as server:
        address = BrokerAddress("127.0.0.1", server.port, "gateway", "secret")
        async with session_at(address, [told, refused]) as session:
            await eventually(lambda: session.connected)
            assert session.refusal == f"it refused the subscription to {refused!r}: not authorized"
            allow = {"acltype": "subscribeLiteral", "topic": refused, "allow": True}
            command = {"command": "addRoleACL", "rolename": "all", **allow}
            session.publish(_CONTROL, json.dumps({"commands": [command]}).encode(), qos=1)

            def is_allowed() -> bool:
                session.ask_again()
                return session.connected and session.refusal is None

            await eventually(is_allowed)
            session.publish(refused, b"pack", qos=1)
            assert await heard(session, b"pack") == [refused]


async def test_a_broker_that_refuses_everything_is_no_connection(tmp_path):
    with running(guarded_mosquitto(tmp_path)) as server:
        address = BrokerAddress("127.0.0.1", server.port, "gateway", "secret")
        async with session_at(address, subscriptions()) as session:
            await eventually(lambda: session.last_error)
            assert not session.connected
            assert "refused the subscription to 'preau/v1/+/readings' and 2 more" in (
                session.last_error
            )
