"""An MQTT 3.1.1 client on asyncio streams, with clean sessions only.

It knows packets and one connection. It must not know topics' meaning, Wi-Fi, the outbox or
when to connect again: any failure ends the connection with an `MqttError` or `OSError`, and
what was under way is the caller's to repeat.
"""

import asyncio
import struct
import time

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from node_types import Buffer, Ticks

_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_PINGRESP = const(0xD0)

_IO_TIMEOUT_MS = const(10_000)
_ACK_TIMEOUT_MS = const(20_000)
_UNACKED_MAX = const(8)
_PAYLOAD_MAX = const(1024)
# The contract's largest message. What claims to be more is no broker of ours.
_PACKET_MAX = const(16_384 + 256)


class MqttError(Exception):
    """The connection is of no further use."""


def _text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def _length(size: int) -> bytes:
    out = bytearray()
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)


class Client:
    """One connection, opened by `mqtt_open`. `on_message(topic: str, payload: bytes)` is called
    from `run` and must be quick; what it raises ends the connection.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __init__(
        self, client_id: str, on_message: Callable[[str, bytes], None], keepalive_s: int = 60
    ) -> None:
        self._client_id = client_id
        self._on_message = on_message
        self._keepalive_ms = keepalive_s * 1000
        self.opened = False
        self._sending = asyncio.Lock()
        self._acknowledged = asyncio.Event()
        self._unacked: dict[int, Ticks] = {}
        self._packet_id = 0
        self._failure: Exception | None = None
        self._heard_ms = self._sent_ms = time.ticks_ms()
        self.checked_ms = time.ticks_ms()

    async def publish(
        self, topic: str, payload: Buffer | list[bytes], retain: bool = False
    ) -> None:
        """Writes one QoS 1 publish; waits only while 8 are unacknowledged. The broker's
        acknowledgement is watched by `run`: it says nothing about the gateway. A list as `payload`
        is sent piece by piece: for the whole there may be no room.
        """
        pieces = payload if isinstance(payload, list) else (payload,)
        size = sum(len(piece) for piece in pieces)
        packet_id = await self._claim_id()
        head = _text(topic) + struct.pack(">H", packet_id)
        first = bytes((_PUBLISH | 0x02 | (1 if retain else 0),))
        await self._send(first + _length(len(head) + size) + head, *pieces)

    async def _claim_id(self) -> int:
        while len(self._unacked) >= _UNACKED_MAX and not self._failure:
            self._acknowledged.clear()
            await self._acknowledged.wait()
        self._check()
        while True:
            self._packet_id = self._packet_id % 0xFFFF + 1
            if self._packet_id not in self._unacked:
                self._unacked[self._packet_id] = time.ticks_ms()
                return self._packet_id

    async def drained(self) -> None:
        """Waits, 2 s at most, until the broker has acknowledged everything sent so far."""
        for _ in range(100):
            if self._failure or not self._unacked:
                return
            await asyncio.sleep_ms(20)

    async def _send(self, *parts: Buffer) -> None:
        async with self._sending:
            self._check()
            try:
                for part in parts:
                    self.writer.write(part)
                await asyncio.wait_for_ms(self.writer.drain(), _IO_TIMEOUT_MS)
            except (OSError, asyncio.TimeoutError) as error:
                self.fail(error)
                self._check()
            self._sent_ms = time.ticks_ms()

    def fail(self, error: Exception) -> None:
        """Ends the connection: `run` and every waiting call raise."""
        self._failure = self._failure or error
        self._acknowledged.set()

    def _check(self) -> None:
        if self._failure:
            raise MqttError("connection lost: {!r}".format(self._failure))

    async def run(self) -> None:
        """Reads until the connection fails; never returns otherwise."""
        try:
            while True:
                first: bytes | None
                try:
                    first = await asyncio.wait_for_ms(self.reader.readexactly(1), 1000)
                except asyncio.TimeoutError:
                    first = None
                if first:
                    await asyncio.wait_for_ms(self._packet(first[0]), 2 * _IO_TIMEOUT_MS)
                    self._heard_ms = time.ticks_ms()
                self._check()
                await self._keep_alive()
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            self.fail(error)
            self._check()
        finally:
            self.fail(MqttError("closed"))

    async def _keep_alive(self) -> None:
        now_ms = self.checked_ms = time.ticks_ms()
        for sent_ms in self._unacked.values():
            if time.ticks_diff(now_ms, sent_ms) > _ACK_TIMEOUT_MS:
                raise MqttError("no acknowledgement")
        if time.ticks_diff(now_ms, self._heard_ms) > self._keepalive_ms * 3 // 2:
            raise MqttError("broker is silent")
        # Also when we only send: a link that is dead one way shows by the missing PINGRESP.
        quiet_ms = self._keepalive_ms // 2
        if (
            time.ticks_diff(now_ms, self._heard_ms) > quiet_ms
            or time.ticks_diff(now_ms, self._sent_ms) > quiet_ms
        ) and time.ticks_diff(now_ms, self._sent_ms) > 1000:
            await self._send(b"\xc0\x00")

    async def _packet(self, first: int) -> None:
        size = await self._remaining_length()
        kind = first & 0xF0
        if size > _PACKET_MAX:
            raise MqttError("packet of {} bytes".format(size))
        if kind == _PUBLISH:
            await self._message(first, size)
        elif kind == _PINGRESP and size == 0:
            pass
        elif kind == _PUBACK and size == 2:
            self._settle(struct.unpack(">H", await self.reader.readexactly(2))[0])
        elif kind == _SUBACK and 2 < size < 64:
            body = await self.reader.readexactly(size)
            self._settle(struct.unpack(">H", body)[0])
            if 0x80 in body[2:]:
                raise MqttError("subscription refused")
        else:
            raise MqttError("unexpected packet 0x{:02x} of {} bytes".format(first, size))

    def _settle(self, packet_id: int) -> None:
        self._unacked.pop(packet_id, None)
        self._acknowledged.set()

    async def _remaining_length(self) -> int:
        size = shift = 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            size |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return size
            shift += 7
            if shift > 21:
                raise MqttError("malformed length")

    async def _message(self, first: int, size: int) -> None:
        qos = first >> 1 & 3
        topic_size = struct.unpack(">H", await self.reader.readexactly(2))[0]
        head_size = 2 + topic_size + (2 if qos else 0)
        if topic_size > 128 or size < head_size or qos > 1:
            raise MqttError("malformed publish")
        try:
            topic = (await self.reader.readexactly(topic_size)).decode()
        except UnicodeError:
            raise MqttError("topic is no text")
        packet_id = (await self.reader.readexactly(2)) if qos else None
        payload = await self._payload(size - head_size)
        if payload is not None:
            self._on_message(topic, payload)
        if packet_id:
            await self._send(b"\x40\x02" + packet_id)

    async def _payload(self, size: int) -> bytes | None:
        if size <= _PAYLOAD_MAX:
            return await self.reader.readexactly(size)
        # The heap of a node must not be at the mercy of who may publish to it.
        while size:
            size -= len(await self.reader.readexactly(min(size, 256)))
        return None

    async def close(self) -> None:
        """Says goodbye as far as the connection still carries it, and frees the socket."""
        if not self.opened:
            return
        self.opened = False
        try:
            if not self._failure:
                await self._send(b"\xe0\x00")
        except MqttError:
            pass  # It is being closed: nothing is lost that was not lost already.
        self.fail(MqttError("closed"))
        self.writer.close()
        await self.writer.wait_closed()
