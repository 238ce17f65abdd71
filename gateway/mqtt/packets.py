"""MQTT packets as bytes: the part of 5.0 and 3.1.1 that a gateway needs, QoS 0 and 1.

Pure functions without socket, clock or state. It must not know sessions, queues or packs.
Section numbers are those of the OASIS standard MQTT 5.0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ingest.errors import TransientError

CONNACK: Final = 0x20
PUBLISH: Final = 0x30
PUBACK: Final = 0x40
SUBACK: Final = 0x90
UNSUBACK: Final = 0xB0
PINGRESP: Final = 0xD0
DISCONNECT: Final = 0xE0

PINGREQ_PACKET: Final = b"\xc0\x00"
DISCONNECT_PACKET: Final = b"\xe0\x00"

# Session Expiry, Receive Maximum, Maximum Packet Size, Server Keep Alive (§2.2.2.2).
_SESSION_EXPIRY: Final = 0x11
_SERVER_KEEP_ALIVE: Final = 0x13
_REASON_STRING: Final = 0x1F
_RECEIVE_MAXIMUM: Final = 0x21
_MAXIMUM_PACKET_SIZE: Final = 0x27
_USER_PROPERTY: Final = 0x26

_PROPERTY_WIDTH: Final = (
    dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1)
    | dict.fromkeys((_SERVER_KEEP_ALIVE, _RECEIVE_MAXIMUM, 0x22, 0x23), 2)
    | dict.fromkeys((0x02, _SESSION_EXPIRY, 0x18, _MAXIMUM_PACKET_SIZE), 4)
)
_PROPERTY_TEXT: Final = frozenset((0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, _REASON_STRING))


class Version(IntEnum):
    """Protocol levels as CONNECT carries them (§3.1.2.2)."""

    MQTT_311 = 4
    MQTT_5 = 5


class MalformedPacketError(TransientError):
    """What the broker sent is not MQTT; only a new connection can help."""


@dataclass(frozen=True, slots=True)
class Connect:
    """What a client says of itself when it connects. With `clean` the broker is to remember nothing
    of it; a session never asks for that.
    """

    client_id: str
    keepalive_s: int
    receive_maximum: int
    session_expiry_s: int
    maximum_packet_size: int
    username: str | None = None
    password: str | None = None
    clean: bool = False


@dataclass(frozen=True, slots=True)
class Connack:
    """The broker's answer to CONNECT; `receive_maximum` is how many QoS 1 it takes at once."""

    session_present: bool
    reason: int
    receive_maximum: int | None = None
    server_keep_alive_s: int | None = None
    reason_text: str = ""


def _length(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _field(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + _length(len(body)) + body


def encode_connect(connect: Connect, version: Version) -> bytes:
    """A CONNECT packet (§3.1)."""
    flags = 0x02 if connect.clean else 0
    payload = _field(connect.client_id.encode())
    if connect.username is not None:
        flags |= 0x80
        payload += _field(connect.username.encode())
        if connect.password is not None:
            flags |= 0x40
            payload += _field(connect.password.encode())
    head = _field(b"MQTT") + bytes((version, flags)) + connect.keepalive_s.to_bytes(2, "big")
    if version is Version.MQTT_5:
        properties = (
            bytes((_SESSION_EXPIRY,))
            + connect.session_expiry_s.to_bytes(4, "big")
            + bytes((_RECEIVE_MAXIMUM,))
            + connect.receive_maximum.to_bytes(2, "big")
            + bytes((_MAXIMUM_PACKET_SIZE,))
            + connect.maximum_packet_size.to_bytes(4, "big")
        )
        head += _length(len(properties)) + properties
    return _packet(0x10, head + payload)


def encode_subscribe(mid: int, filters: Sequence[str], version: Version) -> bytes:
    """A SUBSCRIBE packet that asks for QoS 1 and for retained messages (§3.8)."""
    body = mid.to_bytes(2, "big")
    if version is Version.MQTT_5:
        body += b"\x00"
    body += b"".join([_field(one.encode()) + b"\x01" for one in filters])
    return _packet(0x82, body)


def encode_unsubscribe(mid: int, filters: Sequence[str], version: Version) -> bytes:
    """An UNSUBSCRIBE packet (§3.10)."""
    body = mid.to_bytes(2, "big")
    if version is Version.MQTT_5:
        body += b"\x00"
    return _packet(0xA2, body + b"".join([_field(one.encode()) for one in filters]))


def encode_publish(
    topic: bytes,
    payload: bytes,
    version: Version,
    *,
    mid: int = 0,
    retain: bool,
    again: bool = False,
) -> bytes:
    """A PUBLISH packet (§3.3), QoS 1 when it has a `mid`; `again` sets the DUP flag."""
    body = _field(topic)
    if mid:
        body += mid.to_bytes(2, "big")
    if version is Version.MQTT_5:
        body += b"\x00"
    first = PUBLISH | (again << 3) | (0x02 if mid else 0) | retain
    return _packet(first, body + payload)


def encode_pubacks(mids: Iterable[int]) -> bytes:
    """One PUBACK for each message id, in the order given (§3.4; reason 0 may be left out)."""
    return b"".join([b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids])


def read_frame(buffer: bytes, at: int) -> tuple[int, int, int] | None:
    """First byte, start of the body and end of the packet at `at`; None while it is incomplete.

    Raises MalformedPacketError where the length takes more than four bytes (§1.5.5).
    """
    end_of_buffer = len(buffer)
    start = at + 1
    shift = length = 0
    while start < end_of_buffer:
        byte = buffer[start]
        start += 1
        length |= (byte & 127) << shift
        if byte < 128:
            end = start + length
            return (buffer[at], start, end) if end <= end_of_buffer else None
        shift += 7
        if shift > 21:
            raise MalformedPacketError("the broker sent a packet length of more than four bytes")
    return None


def decode_publish(
    buffer: bytes, first: int, start: int, end: int, version: Version
) -> tuple[str, bytes, int]:
    """Topic, payload and message id (0 for QoS 0) of the PUBLISH between `start` and `end`.

    A topic that is no UTF-8 gets replacement characters instead of an error: the broker would
    deliver it again on every connection, so it has to get past this point to be refused once.
    """
    at = start + 2
    if at > end:
        raise MalformedPacketError("the broker sent a PUBLISH without a topic")
    topic_end = at + (buffer[start] << 8 | buffer[start + 1])
    topic = buffer[at:topic_end].decode(errors="replace")
    at = topic_end
    mid = 0
    if first & 0x06:
        if at + 2 > end:
            raise MalformedPacketError(f"the broker sent a PUBLISH cut short, topic {topic!r}")
        mid = buffer[at] << 8 | buffer[at + 1]
        at += 2
    if version is Version.MQTT_5:
        properties_length, at = _read_length(buffer, at, end)
        at += properties_length
    if at > end:
        raise MalformedPacketError(f"the broker sent a PUBLISH cut short, topic {topic!r}")
    return topic, buffer[at:end], mid


def decode_connack(body: bytes, version: Version) -> Connack:
    """The broker's CONNACK (§3.2); a broker of the other version may have answered."""
    if len(body) < 2:
        raise MalformedPacketError(f"the broker sent a CONNACK of {len(body)} bytes")
    properties: dict[int, int | str] = {}
    if version is Version.MQTT_5 and len(body) > 2:
        properties = _decode_properties(body, 2)
    receive_maximum = properties.get(_RECEIVE_MAXIMUM)
    keep_alive = properties.get(_SERVER_KEEP_ALIVE)
    return Connack(
        session_present=bool(body[0] & 1),
        reason=body[1],
        receive_maximum=receive_maximum if isinstance(receive_maximum, int) else None,
        server_keep_alive_s=keep_alive if isinstance(keep_alive, int) else None,
        reason_text=str(properties.get(_REASON_STRING, "")),
    )


def decode_suback(body: bytes, version: Version) -> bytes:
    """One reason code for each filter, in the order asked; 128 and above is a refusal.

    Holds for an UNSUBACK of MQTT 5 as well; in 3.1.1 that has none.
    """
    at = 2
    if version is Version.MQTT_5:
        properties_length, at = _read_length(body, at, len(body))
        at += properties_length
    return body[at:]


def decode_message_id(body: bytes) -> int:
    """The message id that PUBACK, SUBACK and UNSUBACK begin with."""
    if len(body) < 2:
        raise MalformedPacketError("the broker sent an acknowledgement without a message id")
    return body[0] << 8 | body[1]


def _read_length(buffer: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift <= 21:
        byte = buffer[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise MalformedPacketError("the broker sent properties without a length")


def _decode_properties(body: bytes, at: int) -> dict[int, int | str]:
    length, at = _read_length(body, at, len(body))
    end = at + length
    if end > len(body):
        raise MalformedPacketError("the broker sent properties longer than their packet")
    found: dict[int, int | str] = {}
    while at < end:
        identifier = body[at]
        at += 1
        if identifier in _PROPERTY_WIDTH:
            width = _PROPERTY_WIDTH[identifier]
            found[identifier] = int.from_bytes(body[at : at + width], "big")
            at += width
        elif identifier in _PROPERTY_TEXT:
            found[identifier], at = _read_text(body, at)
        elif identifier == _USER_PROPERTY:
            _, at = _read_text(body, at)
            _, at = _read_text(body, at)
        else:
            raise MalformedPacketError(f"the broker sent an unknown property 0x{identifier:02x}")
    if at > end:
        raise MalformedPacketError("the broker sent a property longer than its packet")
    return found


def _read_text(body: bytes, at: int) -> tuple[str, int]:
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : end].decode(errors="replace"), end
