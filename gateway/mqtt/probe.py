"""Asks a broker whether it would let us in, and leaves again. Nothing of it stays there."""

import asyncio
import secrets
import ssl
from dataclasses import dataclass
from typing import Final

from gateway.mqtt import packets
from gateway.mqtt.address import BrokerAddress
from gateway.mqtt.connection import BrokerRefusedError, reason_told
from gateway.mqtt.packets import Connect, MalformedPacketError, Version

_MOST_BYTES: Final = 4096
_GOODBYE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Welcome:
    """A broker that let us in. `certificate` is its own, in DER, where the connection uses TLS."""

    certificate: bytes | None


async def probe(address: BrokerAddress, timeout_s: float) -> Welcome:
    """Connect under a name of our own, be let in, say goodbye.

    Raises `BrokerRefusedError`, `OSError` (`ssl.SSLError` included), `TimeoutError`,
    `MalformedPacketError` where what answers is no broker, and `ConfigurationError` for an
    authority that can't be used.
    """
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=address.tls_context()
        )
        try:
            writer.write(packets.encode_connect(_connect(address), Version.MQTT_311))
            await _await_connack(reader)
            writer.write(packets.DISCONNECT_PACKET)
            secured: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
            return Welcome(None if secured is None else secured.getpeercert(binary_form=True))
        finally:
            await _leave(writer)


async def _leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(_GOODBYE_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        # It has answered, or was given up: how the connection ends tells nothing more.
        writer.transport.abort()


def _connect(address: BrokerAddress) -> Connect:
    return Connect(
        client_id=f"preau-doctor-{secrets.token_hex(4)}",
        keepalive_s=30,
        receive_maximum=1,
        session_expiry_s=0,
        maximum_packet_size=_MOST_BYTES,
        username=address.username,
        password=address.password,
        clean=True,
    )


async def _await_connack(reader: asyncio.StreamReader) -> None:
    buffer = b""
    while (frame := packets.read_frame(buffer, 0)) is None:
        more = await reader.read(_MOST_BYTES)
        if not more or len(buffer) > _MOST_BYTES:
            raise MalformedPacketError("it hung up, or does not speak MQTT")
        buffer += more
    first, start, end = frame
    if first & 0xF0 != packets.CONNACK:
        raise MalformedPacketError("what answers there does not speak MQTT")
    connack = packets.decode_connack(buffer[start:end], Version.MQTT_311)
    if connack.reason:
        raise BrokerRefusedError(reason_told(connack.reason))
