"""The bytes of MQTT: what is written can be read, and nothing a broker sends breaks the reader."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt import packets
from gateway.mqtt.packets import MalformedPacketError, Version

versions = st.sampled_from(Version)
topics = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60)


@given(topics, st.binary(max_size=400), versions, st.integers(0, 65535), st.booleans())
def test_a_publish_is_read_as_it_was_written(topic, payload, version, mid, retain):
    packet = packets.encode_publish(topic.encode(), payload, version, mid=mid, retain=retain)
    first, start, end = packets.read_frame(packet, 0)
    assert end == len(packet)
    assert first & 0xF0 == packets.PUBLISH
    assert bool(first & 1) == retain
    assert (first >> 1 & 3) == (1 if mid else 0)
    assert packets.decode_publish(packet, first, start, end, version) == (topic, payload, mid)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), versions, st.data())
def test_a_packet_that_is_not_whole_yet_is_waited_for(payloads, version, data):
    stream = b"".join(
        packets.encode_publish(b"t", payload, version, mid=1, retain=False) for payload in payloads
    )
    cut = data.draw(st.integers(0, len(stream)))
    at, frames = 0, 0
    for known in (stream[:cut], stream):
        while (frame := packets.read_frame(known, at)) is not None:
            at, frames = frame[2], frames + 1
    assert frames == len(payloads)
    assert at == len(stream)


@given(st.binary(max_size=200), versions)
def test_arbitrary_bytes_end_in_the_one_error_or_in_values(body, version):
    for decode in (
        lambda: packets.read_frame(body, 0),
        lambda: packets.decode_publish(body, 0x32, 0, len(body), version),
        lambda: packets.decode_connack(body, version),
        lambda: packets.decode_suback(body, version),
        lambda: packets.decode_message_id(body),
    ):
        with contextlib.suppress(MalformedPacketError):
            decode()


def test_a_topic_that_is_no_text_still_gets_through_to_be_refused():
    packet = packets.encode_publish(b"a/\xff", b"p", Version.MQTT_311, mid=7, retain=False)
    first, start, end = packets.read_frame(packet, 0)
    topic, payload, mid = packets.decode_publish(packet, first, start, end, Version.MQTT_311)
    assert (topic, payload, mid) == ("a/�", b"p", 7)


def test_a_length_of_five_bytes_is_refused():
    with pytest.raises(MalformedPacketError, match="more than four bytes"):
        packets.read_frame(b"\x30\xff\xff\xff\xff\x01", 0)


def test_a_connack_tells_what_the_broker_allows():
    # Receive Maximum 20, Server Keep Alive 15, a reason string and a user property.
    properties = b"\x21\x00\x14\x13\x00\x0f\x1f\x00\x02no\x26\x00\x01a\x00\x01b"
    body = b"\x01\x00" + bytes((len(properties),)) + properties
    connack = packets.decode_connack(body, Version.MQTT_5)
    assert connack == packets.Connack(
        session_present=True,
        reason=0,
        receive_maximum=20,
        server_keep_alive_s=15,
        reason_text="no",
    )


def test_a_password_is_not_in_the_text_of_connect_when_there_is_no_user():
    connect = packets.Connect("gw", 30, 10, 60, 1000, None, "secret")
    assert b"secret" not in packets.encode_connect(connect, Version.MQTT_5)
