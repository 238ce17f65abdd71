"""Virtual nodes against a real Mosquitto, with a peer that gives receipts as a gateway would."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Self

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.mqtt.address import BrokerAddress
from ingest.readings import Reading
from ingest.senml import decode_pack
from ingest.topics import parse_topic, subscriptions, topic_of
from simulators.mqtt import NodeConnection, Will
from simulators.node import VirtualNode
from simulators.outbox import IN_FLIGHT, Repeats
from simulators.room import RoomState
from simulators.session import Pace
from tests.servers import Server, eventually

BRISK = Pace(
    repeats=Repeats(first_s=0.5, longest_s=1.0),
    presence_first_s=0.3,
    presence_longest_s=0.6,
    reconnect_first_s=0.05,
    reconnect_longest_s=0.2,
)
NODE = "3c71bf4a2b10"
IN_TIME = 4_000_000_000


class SteadyRoom:
    """A room whose air rises by a hundredth of a degree a second, so that readings differ."""

    def state_at(self, unix_s: float) -> RoomState:
        return RoomState(15 + unix_s % 1000 / 100, 45.0, 800.0)


class Peer:
    """Takes what nodes publish; receipts packs and answers presences as long as it is told to."""

    def __init__(self, port: int) -> None:
        self.is_answering = True
        self.readings: set[tuple[str, Reading]] = set()
        self.packs: list[bytes] = []
        self.presences: list[tuple[str, dict]] = []
        self.replies: list[dict] = []
        self._hellos: dict[str, str] = {}
        self._client = Client(CallbackAPIVersion.VERSION2, "peer")
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, node: str, kind: str, message: dict) -> None:
        self._client.publish(topic_of(node, kind), json.dumps(message), qos=1)

    def _subscribe(self, client, _userdata, _flags, _reason, _properties) -> None:
        client.subscribe([(topic_filter, 1) for topic_filter in subscriptions()])

    def _take(self, _client, _userdata, message) -> None:
        node, kind = parse_topic(message.topic)
        if kind == "readings":
            self._take_pack(node, message.payload)
        elif kind == "presence":
            presence = json.loads(message.payload)
            self.presences.append((node, presence))
            if presence["online"]:
                self._hellos[node] = presence["hello"]
                self._receipt(node, presence["log"], [])
        else:
            self.replies.append(json.loads(message.payload))

    def _take_pack(self, node: str, payload: bytes) -> None:
        self.packs.append(payload)
        pack = decode_pack(payload, node, 2_000_000_000_000)
        assert not pack.rejected
        if self.is_answering:
            self.readings.update((node, reading) for reading in pack.readings)
            seq = pack.position.seq
            self._receipt(node, pack.position.log, [[seq, seq]])

    def _receipt(self, node: str, log: str, stored: list) -> None:
        if self.is_answering:
            receipt = {"hello": self._hellos.get(node), "now": 0, "log": log, "stored": stored}
            self._client.publish(topic_of(node, "receipts"), json.dumps(receipt))


@pytest.fixture
def peer(mosquitto: Server) -> Iterator[Peer]:
    with Peer(mosquitto.port) as peer:
        yield peer


def make_node(
    server: Server, node: str = NODE, interval_s: float = 0.05, pace: Pace = BRISK
) -> VirtualNode:
    return VirtualNode(
        node,
        SteadyRoom(),
        BrokerAddress(port=server.port),
        interval_s=interval_s,
        pace=pace,
        keep_readings=True,
    )


@asynccontextmanager
async def powered(*nodes: VirtualNode) -> AsyncIterator[None]:
    for node in nodes:
        node.start()
    try:
        yield
    finally:
        await asyncio.gather(*(node.stop() for node in nodes))


def taken_by(*nodes: VirtualNode) -> set[tuple[str, Reading]]:
    return {(node.node, reading) for node in nodes for reading in node.readings or ()}


def has_taken(node: VirtualNode, count: int) -> bool:
    return node.taken >= count


async def until_settled(*nodes: VirtualNode) -> None:
    """Let the nodes take nothing more, and wait until all they hold is receipted."""
    for node in nodes:
        node.state.interval_s = 3600
    await eventually(lambda: all(node.held == 0 for node in nodes), what="packs stay held")


async def test_everything_taken_is_received_once_receipts_are_given(mosquitto, peer):
    nodes = [make_node(mosquitto, f"3c71bf4a{number:04x}") for number in range(20)]
    async with powered(*nodes):
        await eventually(lambda: all(node.taken >= 10 for node in nodes))
        await until_settled(*nodes)
    assert taken_by(*nodes) == peer.readings
    assert all(node.receipted == node.taken for node in nodes)


async def test_nothing_is_missing_after_the_broker_lost_its_memory(mosquitto, peer):
    nodes = [make_node(mosquitto, f"3c71bf4a{number:04x}") for number in range(10)]
    async with powered(*nodes):
        for _ in range(2):
            await eventually(lambda: all(node.connected and node.taken for node in nodes))
            mosquitto.kill()
            enough = nodes[0].taken + 5
            await eventually(partial(has_taken, nodes[0], enough))
            mosquitto.start()
        await until_settled(*nodes)
    assert taken_by(*nodes) == peer.readings
    assert all(node.sessions > 2 for node in nodes)


async def test_packs_without_receipt_are_sent_again_byte_for_byte(mosquitto, peer):
    peer.is_answering = False
    node = make_node(mosquitto)
    async with powered(node):
        await eventually(lambda: node.resent >= 10)
        assert node.receipted == 0
        peer.is_answering = True
        await until_settled(node)
    sent = Counter(peer.packs)
    assert len(sent) == node.taken
    assert max(sent.values()) > 1
    assert taken_by(node) == peer.readings


async def test_at_most_32_packs_are_under_way_without_receipt(mosquitto, peer):
    peer.is_answering = False
    node = make_node(mosquitto, interval_s=0.01, pace=Pace(reconnect_first_s=0.05))
    async with powered(node):
        await eventually(lambda: node.held > 2 * IN_FLIGHT)
        assert len(peer.packs) == IN_FLIGHT


async def test_what_a_crashed_node_held_arrives_as_soon_as_it_is_back(mosquitto, peer):
    peer.is_answering = False
    node = make_node(mosquitto, pace=Pace(reconnect_first_s=0.05))
    node.start()
    await eventually(lambda: node.taken >= 10)
    await node.crash()
    held, log, next_seq = node.held, node.log, node.next_seq
    assert held == node.taken
    await eventually(lambda: ("online", False) in peer.presences[-1][1].items(), what="no will")
    peer.is_answering = True
    async with powered(node):
        await eventually(lambda: node.receipted >= held)
        await until_settled(node)
    assert (node.log, node.next_seq) == (log, next_seq + node.taken - held)
    assert taken_by(node) == peer.readings
    assert node.state.boots == 2


async def test_a_gateway_that_answers_wakes_a_node_that_had_backed_off(mosquitto, peer):
    peer.is_answering = False
    pace = Pace(Repeats(first_s=0.05), presence_first_s=0.2, presence_longest_s=0.2)
    node = make_node(mosquitto, interval_s=3600, pace=pace)
    async with powered(node):
        await eventually(lambda: node.connected)
        node.measure(1_795_388_400_000)
        await eventually(lambda: node.resent >= 6)
        peer.is_answering = True
        # Its next try would have been 3.2 s away.
        await eventually(lambda: node.receipted == 1, deadline_s=1.5)


async def test_presence_tells_what_the_log_holds_until_it_is_answered(mosquitto, peer):
    peer.is_answering = False
    node = make_node(mosquitto)
    async with powered(node):
        await eventually(lambda: len(peer.presences) >= 3)
        peer.is_answering = True
        await eventually(lambda: node.receipted)
        presences = [presence for _, presence in peer.presences]
        assert len({presence["hello"] for presence in presences}) == 1
        assert presences[-1]["log"] == node.log
        assert presences[-1]["first"] == 1
        assert presences[-1]["next"] > presences[0]["next"]
        # Long enough for three more, had they not been answered.
        taken = node.taken + 3 * BRISK.presence_longest_s / node.state.interval_s
        await eventually(lambda: node.taken > taken)
        assert len(peer.presences) == len(presences)


async def test_a_clean_stop_leaves_an_offline_presence_behind(mosquitto, peer):
    node = make_node(mosquitto)
    async with powered(node):
        await eventually(lambda: peer.presences and node.connected)
    await eventually(lambda: peer.presences[-1][1]["online"] is False)


async def test_settings_change_the_interval_once_for_each_version(mosquitto, peer):
    node = make_node(mosquitto, interval_s=1000)
    async with powered(node):
        await eventually(lambda: node.connected)
        peer.send(NODE, "settings", {"version": 3, "interval_s": 1})
        await eventually(lambda: node.taken)
        peer.send(NODE, "settings", {"version": 2, "interval_s": 60})
        await eventually(lambda: peer.presences[-1][1].get("settings") == 3)
        peer.send(NODE, "commands", {"id": "after", "do": "identify", "until": IN_TIME})
        await eventually(lambda: peer.replies)
    assert node.state.interval_s == 1
    assert node.state.settings_version == 3


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ({"do": "identify", "until": IN_TIME}, ""),
        ({"do": "restart", "until": IN_TIME}, ""),
        ({"do": "identify", "until": 1_600_000_000}, "expired"),
        ({"do": "sing", "until": IN_TIME}, "unknown command 'sing'"),
    ],
)
async def test_commands_are_answered(mosquitto, peer, command, error):
    node = make_node(mosquitto)
    async with powered(node):
        await eventually(lambda: peer.presences)
        peer.send(NODE, "commands", {"id": "c7", **command})
        await eventually(lambda: peer.replies)
        assert len(peer.replies) == 1
        assert peer.replies[0]["id"] == "c7"
        assert peer.replies[0]["ok"] is not bool(error)
        assert peer.replies[0].get("error", "").startswith(error)
        if command["do"] == "restart":
            await eventually(lambda: peer.presences[-1][1].get("boots") == 2)
            assert peer.presences[-1][1]["reset"] == "soft"


async def test_what_was_said_before_the_goodbye_is_heard(mosquitto, peer):
    """The reply to a restart as well, however many packs a busy broker has not acknowledged."""
    will = Will(topic_of(NODE, "presence"), b'{"online": false}')
    node = NodeConnection(
        BrokerAddress("127.0.0.1", mosquitto.port),
        NODE,
        will=will,
        on_message=lambda _topic, _payload: None,
        on_end=lambda: None,
    )
    await node.open()
    for number in range(2 * IN_FLIGHT):
        node.publish(topic_of(NODE, "replies"), b'{"id": %d}' % number)
    await node.close()
    await eventually(lambda: len(peer.replies) == 2 * IN_FLIGHT)
    assert [reply["id"] for reply in peer.replies] == list(range(2 * IN_FLIGHT))
    assert peer.presences == [], "the broker keeps the will to itself"


async def test_a_command_that_comes_twice_is_carried_out_once(mosquitto, peer):
    node = make_node(mosquitto)
    async with powered(node):
        await eventually(lambda: peer.presences)
        for _ in range(2):
            peer.send(NODE, "commands", {"id": "c7", "do": "identify", "until": IN_TIME})
        await eventually(lambda: len(peer.replies) == 2)
    assert node.state.identified == 1


async def test_a_message_it_cannot_read_does_not_stop_a_node(mosquitto, peer, caplog):
    node = make_node(mosquitto)
    async with powered(node):
        await eventually(lambda: node.connected)
        for kind in ("receipts", "settings", "commands"):
            for message in (
                [],
                {},
                {"stored": 3},
                {"version": "x"},
                {"stored": [[1]], "log": NODE},
            ):
                peer.send(NODE, kind, message)
        peer.send(NODE, "commands", {"id": "c8", "do": "identify", "until": IN_TIME})
        await eventually(lambda: peer.replies)
        await until_settled(node)
    assert "can't use" in caplog.text
