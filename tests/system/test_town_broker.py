"""A Mosquitto that `preau broker config` has configured: who gets in, and what arrives of whom."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.node import VirtualNode
from simulators.outbox import Repeats
from simulators.session import Pace
from simulators.town import demo_town
from tests.gateway import Gateway
from tests.servers import Server, eventually, running
from tests.town_broker import GATEWAY, HOST, TownBroker, TownClient

NODE = "3c71bf4a2b10"
OTHER = "3c71bf4a2b11"
NEW = "3c71bf4a2b12"
FROM_NODES = ("readings", "presence", "replies")
TO_NODES = ("receipts", "settings", "commands")
BRISK = Pace(repeats=Repeats(first_s=1, longest_s=2), reconnect_first_s=0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[TownBroker]:
    with running(TownBroker(tmp_path / "town", [NODE, OTHER])) as server:
        assert isinstance(server, TownBroker)
        yield server


@contextmanager
def as_user(broker: TownBroker, user: str, client_id: str = "") -> Iterator[TownClient]:
    with TownClient(broker, user, broker.password(user)).connected(client_id) as client:
        assert client.answer == "Success"
        yield client


def topics(node: str, kinds: tuple[str, ...]) -> list[str]:
    return [f"preau/v1/{node}/{kind}" for kind in kinds]


def test_nobody_gets_in_without_an_account_and_its_password(broker):
    password = broker.password(NODE)
    for user, given in [
        (None, None),
        (NODE, "0" * 32),
        (NODE, ""),
        (OTHER, password),
        (NEW, password),
        (GATEWAY, password),
    ]:
        with TownClient(broker, user, given).connected(NODE) as client:
            assert client.answer == "Not authorized", user
    with TownClient(broker, NODE, password).connected(NODE) as client:
        assert client.answer == "Success"


async def test_a_node_publishes_under_its_own_id_alone(broker):
    with as_user(broker, GATEWAY) as gateway, as_user(broker, NODE) as node:
        gateway.subscribe(*topics("+", FROM_NODES), "preau/v1/+/+", "#")
        for topic in topics(OTHER, FROM_NODES):
            node.publish(topic, retain=True)
        node.publish("preau/v1/readings")
        node.publish(f"preau/v1/{NODE}/readings/more")
        for topic in topics(NODE, FROM_NODES):
            node.publish(topic, b"own")
        # In order, so what has not arrived before the last one never will.
        last = topics(NODE, FROM_NODES)[-1]
        await eventually(lambda: any(topic == last for topic, _ in gateway.received))
        assert set(gateway.received) == {(topic, b"own") for topic in topics(NODE, FROM_NODES)}


async def test_a_node_reads_what_is_for_it_alone(broker):
    with as_user(broker, GATEWAY) as gateway, as_user(broker, NODE) as node:
        node.subscribe("#", *topics(OTHER, TO_NODES + FROM_NODES), *topics(NODE, TO_NODES))
        with as_user(broker, OTHER) as other:
            for topic in topics(OTHER, FROM_NODES):
                other.publish(topic)
        for topic in topics(NODE, FROM_NODES):
            node.publish(topic)
        for topic in [*topics(OTHER, TO_NODES), *topics(NODE, TO_NODES)]:
            gateway.publish(topic, b"from the gateway")
        last = topics(NODE, TO_NODES)[-1]
        await eventually(lambda: any(topic == last for topic, _ in node.received))
        expected = {(topic, b"from the gateway") for topic in topics(NODE, TO_NODES)}
        assert set(node.received) == expected


async def test_no_node_gives_itself_a_receipt_and_the_gateway_invents_no_reading(broker):
    """Whoever could write a receipt could make a node forget what was never stored."""
    with as_user(broker, GATEWAY) as gateway, as_user(broker, NODE) as node:
        gateway.subscribe(*topics("+", FROM_NODES), *topics("+", TO_NODES))
        node.subscribe(*topics(NODE, TO_NODES))
        for topic in topics(NODE, TO_NODES):
            node.publish(topic, b"forged")
        for kind in ("readings", "replies"):
            gateway.publish(f"preau/v1/{NODE}/{kind}", b"forged")
        gateway.publish(f"preau/v1/{NODE}/receipts", b"true")
        node.publish(f"preau/v1/{NODE}/readings", b"true")
        await eventually(lambda: gateway.received and node.received)
        assert gateway.received == [(f"preau/v1/{NODE}/readings", b"true")]
        assert node.received == [(f"preau/v1/{NODE}/receipts", b"true")]


@pytest.mark.parametrize("stolen_id", [GATEWAY, "preau-gateway", OTHER])
async def test_nobody_throws_another_out_by_taking_its_client_id(broker, stolen_id):
    victim = OTHER if stolen_id == OTHER else GATEWAY
    with (
        as_user(broker, victim, stolen_id) as other,
        as_user(broker, NODE, stolen_id) as node,
    ):
        # A message there and back: by then a session taken over would be closed.
        node.subscribe(f"preau/v1/{NODE}/receipts")
        other.publish(f"preau/v1/{victim}/readings")
        assert other.is_in
        assert not other.is_thrown_out(0)


async def test_a_gateway_that_is_away_misses_no_message(broker):
    """Mosquitto by itself keeps about a thousand and drops the rest without a word."""
    count = 6000
    gateway = TownClient(broker, GATEWAY, broker.password(GATEWAY))
    with gateway.connected("preau-gateway", session=True):
        gateway.subscribe("preau/v1/+/readings")
    with as_user(broker, NODE) as node:
        for number in range(count):
            node.post(f"preau/v1/{NODE}/readings", b"%d" % number)
        node.settle()
    with gateway.connected("preau-gateway", session=True):
        await eventually(lambda: len(gateway.received) >= count)
    assert [int(payload) for _, payload in gateway.received] == list(range(count))


async def test_a_pack_that_is_too_large_arrives_and_one_that_is_absurd_does_not(broker):
    """Over 16 KiB is no pack, but the gateway is to say so."""
    sizes = (16 * 1024 + 1, 64 * 1024 + 1, 64 * 1024, 1)
    with as_user(broker, GATEWAY) as gateway, as_user(broker, NODE) as node:
        gateway.subscribe("preau/v1/+/readings")
        for size in sizes:
            node.publish(f"preau/v1/{NODE}/readings", b"x" * size)
        await eventually(lambda: any(len(payload) == 1 for _, payload in gateway.received))
        assert [len(payload) for _, payload in gateway.received] == [16 * 1024 + 1, 64 * 1024, 1]


def test_a_reload_lets_a_new_node_in_and_drops_nobody(broker):
    with as_user(broker, GATEWAY) as gateway, as_user(broker, NODE) as node:
        broker.declare(NODE, OTHER, NEW)
        told = broker.reconfigure()
        assert f"added: {NEW}" in told
        assert broker.password(NEW) not in told
        _until_let_in(broker, NEW)
        assert gateway.is_in
        assert node.is_in


def test_a_node_that_is_removed_is_out_at_once_and_stays_out(broker):
    password = broker.password(NODE)
    with TownClient(broker, NODE, password).connected(NODE) as node:
        broker.declare(OTHER)
        broker.reconfigure()
        assert node.is_thrown_out(within_s=5)
    assert not broker.password_file(NODE).exists()
    with TownClient(broker, NODE, password).connected(NODE) as again:
        assert again.answer == "Not authorized"


def test_the_broker_keeps_nothing_on_disk(broker):
    """Debian's configuration has it keep what it holds."""
    with as_user(broker, NODE) as node:
        node.publish(f"preau/v1/{NODE}/presence", b"{}", retain=True)
    broker.stop()
    assert "persistence true" in (broker.folder / "main.conf").read_text()
    assert not list(broker.folder.glob("*.db"))


def _until_let_in(broker: TownBroker, user: str) -> None:
    """The signal comes back before the broker has read its files."""
    for _ in range(200):
        with TownClient(broker, user, broker.password(user)).connected(user) as client:
            if client.answer == "Success":
                return
    pytest.fail(f"{user} is not let in")


def test_a_renewed_certificate_is_served_after_a_reload(broker):
    before = _served(broker)
    broker.preau("pki", "renew", "broker")
    broker.reconfigure()
    for _ in range(200):
        if _served(broker) != before:
            return
    pytest.fail("the old certificate is still served")


def _served(broker: TownBroker) -> bytes:
    context = ssl.create_default_context(cafile=broker.ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection((HOST, broker.port), 5) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as sock,
    ):
        certificate = sock.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


def test_plain_tcp_gets_no_answer_of_mqtt(broker):
    password = broker.password(NODE).encode()
    body = b"\x00\x04MQTT\x04\xc2\x00\x3c\x00\x00"
    body += b"\x00\x0c" + NODE.encode() + b"\x00\x20" + password
    with socket.create_connection((HOST, broker.port), 5) as sock:
        sock.sendall(b"\x10" + bytes([len(body)]) + body)
        answer = b"".join(iter(lambda: _received(sock), b""))
    assert not answer.startswith(b"\x20"), "CONNACK"


def _received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(4096)
    except ConnectionResetError:
        return b""


def test_tls_1_1_is_refused(broker):
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        _old_tls(broker.port)
    # The same client gets in where the broker allows it: it was the broker that refused.
    file = broker.given / "mosquitto.conf"
    lax = "tls_version tlsv1.1\nciphers ALL:@SECLEVEL=0"
    text = file.read_text().replace("tls_version tlsv1.2", lax)
    file.write_text(text)
    broker.stop()
    broker.start()
    assert _old_tls(broker.port) == "TLSv1.1"


def _old_tls(port: int) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection((HOST, port), 5) as plain,
        context.wrap_socket(plain) as sock,
    ):
        return sock.version()


def gateway_through(broker: TownBroker, folder: Path) -> Gateway:
    gateway = Gateway(folder, broker.port)
    gateway.environment |= {
        "PREAU_BROKER__USERNAME": GATEWAY,
        "PREAU_BROKER__PASSWORD_FILE": str(broker.password_file(GATEWAY)),
        "PREAU_BROKER__TLS_CA": str(broker.ca),
    }
    return gateway


async def test_readings_and_receipts_go_through_with_the_accounts_of_the_town(broker, tmp_path):
    with running(gateway_through(broker, tmp_path / "gateway")) as server:
        gateway: Server = server
        assert isinstance(gateway, Gateway)
        await eventually(gateway.is_well, what="the gateway is not connected")
        node = VirtualNode(
            NODE,
            demo_town().rooms[0].model,
            broker.address(NODE),
            interval_s=0.2,
            pace=BRISK,
            keep_readings=True,
        )
        node.start()
        await eventually(lambda: node.receipted >= 10)
        node.state.interval_s = 3600
        await eventually(lambda: node.held == 0)
        await node.stop()
        assert node.readings is not None
        assert gateway.stored(NODE) == sorted(reading[:4] for reading in node.readings)
        told = (await gateway.get("/api/v1/nodes"))["nodes"]
        assert [one["id"] for one in told] == [NODE], "its presence was heard"
    for log in (gateway.log, broker.log):
        assert broker.password(NODE) not in log.read_text()
        assert broker.password(GATEWAY) not in log.read_text()
