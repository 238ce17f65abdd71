"""The session against real brokers: Mosquitto with MQTT 5, the embedded one with 3.1.1."""

import asyncio
import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.mqtt.embedded import EmbeddedBroker
from gateway.mqtt.packets import Version, encode_publish
from gateway.mqtt.session import BrokerAddress, Session
from ingest.errors import ConfigurationError
from tests.servers import eventually, free_port, mosquitto_server

TOPIC = "preau/v1/3c71bf4a2b10/readings"
DEADLINE_S = 10.0


class Mosquitto:
    """A Mosquitto that can be killed, stopped for a while and started again."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        # As root it would become another user, who can't read the keys of a test.
        extra += f"log_type all\nuser {getpass.getuser()}\n"
        self.server = mosquitto_server(folder, extra=extra)
        self.address = BrokerAddress(port=self.server.port)

    async def __aenter__(self):
        self.server.start()
        return self

    async def __aexit__(self, *_):
        self.server.kill()

    def wipe(self):
        self.server.kill()
        self.server.start()

    def signal(self, number):
        self.server.process.send_signal(number)

    def log(self):
        return self.server.log.read_text()


async def is_listening(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.fixture
async def mosquitto(tmp_path):
    async with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
async def embedded():
    async with EmbeddedBroker(port=free_port()) as broker:
        yield broker


@pytest.fixture(params=["mosquitto", "embedded"])
def broker(request):
    return request.getfixturevalue(request.param)


async def until(condition):
    await eventually(condition, DEADLINE_S, every_s=0.005)


def session_at(address, **options):
    options = {"subscriptions": ["preau/v1/+/readings"], "keepalive_s": 2} | options
    return Session(address, clock_ms=lambda: time.time_ns() // 1_000_000, **options)


@asynccontextmanager
async def running(address, **options) -> AsyncIterator[Session]:
    async with session_at(address, **options) as session:
        task = asyncio.create_task(session.run())
        try:
            await until(lambda: session.connected)
            yield session
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def publish(address, *payloads):
    """Publish with QoS 1 from a client of its own; returns when the broker has them all."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03pub")
    await reader.readexactly(4)
    for mid, payload in enumerate(payloads, 1):
        writer.write(
            encode_publish(TOPIC.encode(), payload, Version.MQTT_311, mid=mid, retain=False)
        )
    await reader.readexactly(4 * len(payloads))
    writer.close()


async def take(session, *payloads):
    """The deliveries up to the one that completes `payloads`."""
    missing, taken = set(payloads), []
    async with asyncio.timeout(DEADLINE_S):
        while missing:
            taken += await session.next_batch()
            missing -= {delivery.payload for delivery in taken}
    return taken


async def test_a_message_comes_again_until_it_is_acknowledged(broker):
    async with running(broker.address) as session:
        await publish(broker.address, b"1", b"2")
        first, _second = await take(session, b"1", b"2")
        assert (first.topic, first.qos, first.retained) == (TOPIC, 1, False)
        assert abs(first.received_at_ms - time.time() * 1000) < 5000
        session.acknowledge([first])
        # The broker answers in order: once this has come back the acknowledgement is through.
        await publish(broker.address, b"3")
        await take(session, b"3")
    async with running(broker.address) as session:
        again = await take(session, b"2", b"3")
        assert [delivery.payload for delivery in again] == [b"2", b"3"]


async def test_each_broker_is_spoken_to_in_its_own_version(mosquitto, embedded):
    async with running(mosquitto.address) as five, running(embedded.address) as three:
        assert five.version is Version.MQTT_5
        assert three.version is Version.MQTT_311


async def test_late_acknowledgements_release_nothing_at_a_broker_that_was_wiped(mosquitto):
    async with running(mosquitto.address) as session:
        await publish(mosquitto.address, b"a", b"b")
        held = await take(session, b"a", b"b")
        mosquitto.wipe()
        await until(lambda: session.connected and session.connections == 2)
        await publish(mosquitto.address, b"c", b"d")
        new = await take(session, b"c", b"d")
        assert {delivery.mid for delivery in new} == {delivery.mid for delivery in held}
        session.acknowledge(held)
        assert session.counters.dropped_acks == 2
        await publish(mosquitto.address, b"e")
        await take(session, b"e")
    async with running(mosquitto.address) as session:
        again = await take(session, b"c", b"d", b"e")
        assert [delivery.payload for delivery in again] == [b"c", b"d", b"e"]


async def test_the_embedded_broker_accepts_acknowledgements_given_out_of_order(embedded):
    async with running(embedded.address) as session:
        payloads = [b"%d" % n for n in range(60)]
        await publish(embedded.address, *payloads)
        batch = await take(session, *payloads)
        session.acknowledge(batch[30:])
        session.acknowledge(list(reversed(batch[:30])))
        await publish(embedded.address, b"after")
        session.acknowledge(await take(session, b"after"))
        assert session.connections == 1
        assert session.counters.acknowledged == 61


async def test_no_more_than_the_queue_is_ever_held_and_the_rest_follows(broker):
    async with running(broker.address, queue_size=20) as session:
        payloads = [b"%d" % n for n in range(300)]
        await publish(broker.address, *payloads)
        received = []
        while len(received) < 300:
            async with asyncio.timeout(DEADLINE_S):
                batch = await session.next_batch(1000, 0.05)
            assert len(batch) <= 20
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    received += await session.next_batch(1000, 0)
            session.acknowledge(batch)
            received += batch
        assert [delivery.payload for delivery in received] == payloads
        assert session.connections == 1


async def test_every_reconnection_is_announced_once_its_subscription_holds(mosquitto):
    async with running(mosquitto.address) as session:
        announced = []
        session.on_connect.append(lambda: announced.append(session.connections))
        for expected in (2, 3):
            mosquitto.wipe()
            await until(lambda expected=expected: announced[-1:] == [expected])
            await publish(mosquitto.address, b"hello")
            session.acknowledge(await take(session, b"hello"))
        assert announced == [2, 3]
        assert session.counters.reconnects == 2


async def test_a_stalled_broker_is_left_without_blocking_the_loop_and_found_again(mosquitto):
    async with running(mosquitto.address) as session:
        mosquitto.signal(signal.SIGSTOP)
        loop, longest_s, before = asyncio.get_running_loop(), 0.0, 0.0
        async with asyncio.timeout(DEADLINE_S):
            while session.connected:
                before = loop.time()
                await asyncio.sleep(0.005)
                longest_s = max(longest_s, loop.time() - before)
        assert "silent" in session.last_error
        assert longest_s < 0.5
        mosquitto.signal(signal.SIGCONT)
        await until(lambda: session.connected)
        await publish(mosquitto.address, b"awake")
        await take(session, b"awake")


async def test_a_broker_that_is_not_there_yet_is_waited_for(mosquitto):
    mosquitto.server.kill()
    async with session_at(mosquitto.address) as session:
        task = asyncio.create_task(session.run())
        await until(lambda: session.last_error)
        assert not session.publish(TOPIC, b"receipt")
        assert session.counters.publish_failures == 1
        mosquitto.server.start()
        await until(lambda: session.connected)
        assert session.last_error == ""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_stopping_says_goodbye(mosquitto):
    async with running(mosquitto.address):
        pass
    await until(lambda: "Client preau-gateway disconnected" in mosquitto.log())
    assert "Client preau-gateway closed its connection" not in mosquitto.log()


async def test_a_receipt_and_a_retained_setting_reach_their_reader(broker):
    topics = ["preau/v1/+/receipts", "preau/v1/+/settings"]
    async with running(broker.address) as gateway:
        assert gateway.publish("preau/v1/n/settings", b"{}", qos=1, retain=True)
        async with running(broker.address, client_id="node", subscriptions=topics) as node:
            (setting,) = await take(node, b"{}")
            assert setting.retained
            assert gateway.publish("preau/v1/n/receipts", b"r")
            (receipt,) = await take(node, b"r")
            # The embedded broker delivers QoS 0 with the QoS of the subscription.
            node.acknowledge([receipt, setting])
            assert node.counters.acknowledged == receipt.qos + 1


async def test_a_setting_that_was_not_confirmed_is_sent_again(mosquitto):
    async with running(mosquitto.address) as session:
        mosquitto.signal(signal.SIGSTOP)
        assert session.publish("preau/v1/n/settings", b"kept", qos=1, retain=True)
        await asyncio.sleep(0)
        mosquitto.wipe()
        topics = ["preau/v1/+/settings"]
        async with running(mosquitto.address, client_id="node", subscriptions=topics) as node:
            await take(node, b"kept")


async def test_a_wrong_password_is_told_and_tried_again(embedded):
    async with (
        EmbeddedBroker(port=free_port(), credentials={"gateway": "right"}) as guarded,
        running(guarded.address) as session,
    ):
        assert session.connected
        address = replace(guarded.address, password="wrong")  # noqa: S106 - it is to be refused
        assert "wrong" not in repr(address)
        async with session_at(address, client_id="other") as refused:
            task = asyncio.create_task(refused.run())
            await until(lambda: refused.last_error)
            assert not refused.connected
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_tls_trusts_the_towns_own_ca_and_no_other(tmp_path, mosquitto):
    own, other = make_certificate(tmp_path, "own"), make_certificate(tmp_path, "other")
    secured = tmp_path / "secured"
    secured.mkdir()
    tls = f"certfile {own}\nkeyfile {own.with_suffix('.key')}\n"
    async with Mosquitto(secured, tls) as broker:
        port = broker.address.port
        async with running(BrokerAddress(port=port, ca=own)) as session:
            assert session.connected
        async with session_at(BrokerAddress(port=port, ca=other)) as session:
            task = asyncio.create_task(session.run())
            await until(lambda: "CERTIFICATE_VERIFY_FAILED" in session.last_error)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def make_certificate(folder, name):
    certificate = folder / f"{name}.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate


async def test_a_ca_that_is_not_there_is_a_mistake_in_the_settings(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.pem"):
        session_at(BrokerAddress(ca=tmp_path / "nowhere.pem"))


async def test_a_taken_port_is_named_with_the_option_that_changes_it(embedded):
    port = embedded.address.port
    with pytest.raises(ConfigurationError, match=rf"port {port} .* broker.port"):
        await EmbeddedBroker(port=port).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_the_embedded_broker_is_not_opened_to_a_network_without_credentials(host):
    with pytest.raises(ConfigurationError, match="without credentials"):
        EmbeddedBroker(host)


async def test_the_embedded_broker_forgets_all_when_it_is_killed_and_ends_when_stopped(embedded):
    async with running(embedded.address) as session:
        os.kill(embedded.pid, signal.SIGKILL)
        await embedded.wait()
        await until(lambda: not session.connected)
        await embedded.start()
        await until(lambda: session.connected)
    await embedded.stop()
    assert embedded.pid is None
    assert not await is_listening(embedded.address.port)


async def test_the_embedded_broker_ends_with_its_parent():
    port = free_port()
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio\nfrom gateway.mqtt.embedded import EmbeddedBroker\n"
        "async def main():\n"
        f"    async with EmbeddedBroker(port={port}):\n"
        "        print('up', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())",
        stdout=asyncio.subprocess.PIPE,
    )
    assert await parent.stdout.readline() == b"up\n"
    assert await is_listening(port)
    parent.kill()
    await parent.wait()

    async def is_gone():
        return not await is_listening(port)

    await eventually(is_gone, DEADLINE_S)
