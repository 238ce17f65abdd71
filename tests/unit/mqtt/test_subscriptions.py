"""Changing what is subscribed to: whatever is wanted and answered meanwhile, the end is right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt import packets
from gateway.mqtt.packets import MalformedPacketError, Version
from gateway.mqtt.subscriptions import FILTERS_A_PACKET, Subscriptions

FILTERS = [f"t{number}" for number in range(8)]
_ASKS = 0x82


class Broker:
    """Takes SUBSCRIBE and UNSUBSCRIBE apart, remembers, and answers; refuses `refusing`."""

    def __init__(self, version: Version, *refusing: str) -> None:
        self.version = version
        self.refusing = set(refusing)
        self.known: set[str] = set()
        self.asked: list[tuple[int, list[str]]] = []

    def answer(self, packet: bytes) -> tuple[int, bytes]:
        frame = packets.read_frame(packet, 0)
        assert frame is not None
        first, start, end = frame
        assert end == len(packet)
        asks = first == _ASKS
        at = start + 2 + (self.version is Version.MQTT_5)
        filters = []
        while at < end:
            stop = at + 2 + int.from_bytes(packet[at : at + 2], "big")
            filters.append(packet[at + 2 : stop].decode())
            at = stop + asks
        self.asked.append((first, filters))
        codes = bytes(0x87 if one in self.refusing else asks for one in filters)
        for one in filters:
            if asks and one not in self.refusing:
                self.known.add(one)
            elif not asks:
                self.known.discard(one)
        head = packet[start : start + 2] + (b"\0" if self.version is Version.MQTT_5 else b"")
        if asks:
            return packets.SUBACK, head + codes
        return packets.UNSUBACK, head + (codes if self.version is Version.MQTT_5 else b"")


def step(subscriptions: Subscriptions, broker: Broker) -> bool:
    packet = subscriptions.next_packet(broker.version)
    if packet is None:
        return False
    if packet[0] == _ASKS or broker.version is Version.MQTT_5:
        assert subscriptions.next_packet(broker.version) is None, "one request at a time"
    subscriptions.take_answer(*broker.answer(packet), broker.version)
    return True


def settle(subscriptions: Subscriptions, broker: Broker) -> None:
    while step(subscriptions, broker):
        pass
    assert subscriptions.is_settled


versions = pytest.mark.parametrize("version", list(Version))


@versions
@given(wishes=st.lists(st.tuples(st.sets(st.sampled_from(FILTERS)), st.integers(0, 2)), min_size=1))
def test_the_last_wish_is_what_the_broker_knows_in_the_end(version, wishes):
    broker, subscriptions = Broker(version), Subscriptions(FILTERS[:3])
    for wanted, answers in wishes:
        subscriptions.want(wanted)
        for _ in range(answers):
            step(subscriptions, broker)
    settle(subscriptions, broker)
    assert broker.known == wishes[-1][0]
    assert not subscriptions.refused


@versions
def test_new_filters_are_asked_for_before_others_are_given_up(version):
    broker, subscriptions = Broker(version), Subscriptions(["kept", "gone"])
    settle(subscriptions, broker)
    subscriptions.want(["kept", "new"])
    settle(subscriptions, broker)
    assert broker.asked[1:] == [(0x82, ["new"]), (0xA2, ["gone"])]


def test_ten_thousand_nodes_are_subscribed_in_packets_of_a_bounded_size():
    filters = [f"preau/v1/{node:012x}/{k}" for node in range(10_000) for k in "abc"]
    broker, subscriptions = Broker(Version.MQTT_5), Subscriptions(filters)
    settle(subscriptions, broker)
    assert broker.known == set(filters)
    assert max(len(asked) for _, asked in broker.asked) == FILTERS_A_PACKET


@versions
def test_a_refused_filter_is_no_subscription_and_can_be_asked_for_again(version):
    broker, subscriptions = Broker(version, "b"), Subscriptions(["a", "b"])
    settle(subscriptions, broker)
    assert subscriptions.refused == {"b": 0x87}
    assert not subscriptions.is_refused, "the other one is delivered"
    subscriptions.ask_again()
    settle(subscriptions, broker)
    assert subscriptions.refused == {"b": 0x87}
    broker.refusing.clear()
    subscriptions.ask_again()
    settle(subscriptions, broker)
    assert not subscriptions.refused
    assert broker.known == {"a", "b"}


def test_all_that_is_wanted_being_refused_is_seen():
    broker, subscriptions = Broker(Version.MQTT_5, "a", "b"), Subscriptions(["a", "b"])
    settle(subscriptions, broker)
    assert subscriptions.is_refused


def test_a_refused_filter_that_nobody_wants_any_more_is_forgotten():
    broker, subscriptions = Broker(Version.MQTT_5, "b"), Subscriptions(["a", "b"])
    settle(subscriptions, broker)
    subscriptions.want(["a"])
    settle(subscriptions, broker)
    assert not subscriptions.refused


def test_what_a_broker_remembers_is_dropped_unless_it_is_wanted():
    broker, subscriptions = Broker(Version.MQTT_5), Subscriptions(["a"])
    broker.known = {"a", "old"}
    subscriptions.drop(["a", "old"])
    settle(subscriptions, broker)
    assert broker.known == {"a"}


def test_the_embedded_broker_may_confirm_an_end_several_times_or_never():
    """rumqttd answers an UNSUBSCRIBE of 3.1.1 once for each filter that it knew."""
    subscriptions = Subscriptions([])
    subscriptions.drop(["never", "known"])
    assert subscriptions.next_packet(Version.MQTT_311) is not None
    assert subscriptions.is_settled
    subscriptions.want(["new"])
    assert subscriptions.next_packet(Version.MQTT_311) is not None
    for _ in range(2):
        subscriptions.take_answer(packets.UNSUBACK, b"\xff\xfe", Version.MQTT_311)
    assert not subscriptions.is_settled
    subscriptions.take_answer(packets.SUBACK, b"\xff\xff\x01", Version.MQTT_311)
    assert subscriptions.is_settled


def test_nothing_is_sent_where_nothing_is_wanted():
    subscriptions = Subscriptions([])
    assert subscriptions.is_settled
    assert not subscriptions.is_refused
    assert subscriptions.next_packet(Version.MQTT_5) is None


@pytest.mark.parametrize(
    "body", [b"\xff\xff\x00", b"\xff\xff\x00\x01\x01\x01", b"\x00\x01\x00\x01"]
)
def test_an_answer_that_does_not_fit_the_request_is_no_mqtt(body):
    subscriptions = Subscriptions(["a", "b"])
    subscriptions.next_packet(Version.MQTT_5)
    with pytest.raises(MalformedPacketError):
        subscriptions.take_answer(packets.SUBACK, body, Version.MQTT_5)
