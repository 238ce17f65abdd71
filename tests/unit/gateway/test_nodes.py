"""Presences: what can't be one is refused, and a farewell forgets nothing."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.nodes import NodeRegistry, decode_presence, encode_presence
from ingest.errors import PackError

NODE = "3c71bf4a2b10"
SAID = {
    "online": True,
    "hello": "9f31",
    "firmware": "1.0.0",
    "board": "esp32",
    "abi": 2822,
    "boots": 17,
    "reset": "power_on",
    "settings": 3,
    "log": "5f3a9c01",
    "first": 41,
    "next": 51,
    "sensors": ["sht4x@0x44"],
}


def decoded(**changes: object):
    return decode_presence(json.dumps(SAID | changes).encode(), NODE, 5)


def test_the_contracts_sample_is_read():
    presence = decoded()
    assert (presence.node, presence.received_at_ms) == (NODE, 5)
    assert (presence.log, presence.first, presence.next) == ("5f3a9c01", 41, 51)
    assert presence.sensors == ("sht4x@0x44",)


def test_a_node_cannot_name_another():
    assert decoded(node="000000000000", received_at_ms=1).node == NODE


@pytest.mark.parametrize(
    "changes",
    [
        {"online": "yes"},
        {"log": "\ud800"},
        {"log": "5F3A9C01"},
        {"sensors": 5},
        {"sensors": [{}]},
        {"first": 1.5},
        {"next": 2**70},
        {"boots": -1},
        {"hello": "x" * 65},
        {"padding": "x" * 5000},
    ],
)
def test_what_is_no_presence_is_refused(changes: dict):
    with pytest.raises(PackError) as caught:
        decoded(**changes)
    assert caught.value.reason == "bad_presence"


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(SAID)), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_bytes_are_a_presence_or_refused(payload: bytes):
    try:
        presence = decode_presence(payload, NODE, 5)
    except PackError:
        return
    assert decode_presence(encode_presence(presence), NODE, 5) == presence


def test_a_will_keeps_what_the_node_had_said_in_memory_and_in_the_store():
    nodes = NodeRegistry()
    nodes.take(decoded())
    will = nodes.take(decode_presence(b'{"online": false, "hello": "9f31"}', NODE, 9))
    assert not will.online
    stored = decode_presence(encode_presence(will), NODE, 9)
    assert stored == msgspec.structs.replace(decoded(), online=False, received_at_ms=9)


def test_the_will_of_an_earlier_session_does_not_end_the_new_one():
    """The broker notices a lost connection late: the node may be back long before."""
    nodes = NodeRegistry()
    nodes.take(decoded(hello="0001"))
    nodes.take(decoded(hello="0002"))
    assert nodes.take(decode_presence(b'{"online": false, "hello": "0001"}', NODE, 9)).online
    nodes.take(decoded(hello="0002"))
    gone = decode_presence(b'{"online": false, "hello": "0003"}', NODE, 9)
    assert not nodes.take(gone, retained=True).online, "what the broker keeps is the last word"
    nodes.take(decoded(hello="0002"))
    assert not nodes.take(decode_presence(b'{"online": false, "hello": "0002"}', NODE, 9)).online


def test_a_node_that_sleeps_says_until_when():
    nodes = NodeRegistry([decoded()])
    assert nodes.awake_at_ms(NODE) is None
    said = {"online": False, "asleep": True, "next_wake": 1_763_803_600, "awake_ms": 3200}
    nodes.take(decode_presence(json.dumps(said).encode(), NODE, 6))
    assert nodes.awake_at_ms(NODE) == 1_763_803_600_000
    presence = nodes.get(NODE)
    assert presence is not None
    assert (presence.asleep, presence.awake_ms, presence.firmware) == (True, 3200, "1.0.0")
    nodes.take(decoded())
    assert nodes.awake_at_ms(NODE) is None
