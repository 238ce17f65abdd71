"""Opens an MQTT connection: CONNECT, its answer, the subscriptions. Loaded for that and dropped.

A part of `mqtt`, whose `Client` it fills in.
"""
# ruff: noqa: SLF001 - one class in two files, for the heap's sake

import asyncio
import struct
import time

from micropython import const
from mqtt import MqttError, _length, _text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLContext

    from mqtt import Client
    from node_types import Will

_CONNACK = const(0x20)
_TIMEOUT_MS = const(20_000)


def encode_connect(
    client_id: str, user: str | None, password: str | None, will: Will, keepalive_s: int
) -> bytes:
    """`will` is (topic, payload), retained, QoS 1."""
    flags = 0x02
    payload = _text(client_id)
    if will:
        flags |= 0x04 | 0x08 | 0x20
        payload += _text(will[0]) + _text(will[1])
    if user is not None:
        flags |= 0x80
        payload += _text(user)
    if password is not None:
        flags |= 0x40
        payload += _text(password)
    body = b"\x00\x04MQTT\x04" + struct.pack(">BH", flags, keepalive_s) + payload
    return b"\x10" + _length(len(body)) + body


async def connect(
    client: Client,
    host: str,
    port: int,
    user: str | None,
    password: str | None,
    will: Will,
    ssl: SSLContext | None,
    topics: list[str],
) -> None:
    """`ssl` is an SSLContext or None. Asks for `topics` with QoS 1; where that is refused the
    connection ends from within `run`. Raises MqttError or OSError, ValueError for a certificate.
    """
    try:
        await asyncio.wait_for_ms(_open(client, host, port, user, password, will, ssl), _TIMEOUT_MS)
    except (asyncio.TimeoutError, EOFError):
        raise MqttError("no answer from {}:{}".format(host, port))
    body = struct.pack(">H", await client._claim_id())
    for topic in topics:
        body += _text(topic) + b"\x01"
    await client._send(b"\x82" + _length(len(body)) + body)


async def _open(
    client: Client,
    host: str,
    port: int,
    user: str | None,
    password: str | None,
    will: Will,
    ssl: SSLContext | None,
) -> None:
    if ssl:
        opening = asyncio.open_connection(host, port, ssl=ssl, server_hostname=host)
    else:
        opening = asyncio.open_connection(host, port)
    client.reader, client.writer = await opening
    client.opened = True
    await client._send(
        encode_connect(client._client_id, user, password, will, client._keepalive_ms // 1000)
    )
    answer = await client.reader.readexactly(4)
    if answer[0] != _CONNACK or answer[1] != 2:
        raise MqttError("not an MQTT broker: {!r}".format(answer))
    if answer[3]:
        # 4: wrong user or password, 5: not authorised (MQTT 3.1.1 §3.2.2.3).
        raise MqttError("broker refuses with code {}".format(answer[3]))
    client._heard_ms = time.ticks_ms()
