"""One connection to a broker, from CONNECT to its end: it reads, acknowledges, keeps alive.

It must not know that there are other connections before and after it; what it could not
acknowledge dies with it. The loop owns it, nothing here may be called from another thread.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from gateway.mqtt import packets
from gateway.mqtt.inbox import Delivery, Inbox
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.packets import Connack, Connect, MalformedPacketError, Version
from gateway.mqtt.subscriptions import Subscriptions
from ingest.errors import TransientError

log = logging.getLogger(__name__)

# Reasons that mean "not this protocol version": 5.0 §3.2.2.2, and 1 in a 3.1.1 CONNACK.
_VERSION_REFUSED = frozenset((1, 0x84))

_REASONS = {
    2: "the client id is refused",
    3: "the broker is not available",
    4: "user name or password are wrong",
    5: "not authorized",
    0x80: "it gives no reason",
    0x85: "the client id is refused",
    0x86: "user name or password are wrong",
    0x87: "not authorized",
    0x88: "the broker is not available",
    0x89: "the broker is busy",
    0x8B: "the broker is shutting down",
    0x8D: "the broker heard nothing for too long",
    0x8E: "another client connected with the same client id",
    0x93: "more messages in flight than the broker takes",
    0x95: "a packet was too large",
    0x8F: "the topic filter is invalid",
    0x97: "a quota is used up",
    0xA2: "wildcard subscriptions are not supported",
}

# What may lie unsent before messages are refused: about 7,000 receipts.
_WRITE_LIMIT_BYTES = 1024 * 1024

_CLOSE_TIMEOUT_S = 1.0


class BrokerRefusedError(TransientError):
    """The broker answered and said no; an operator may change its mind, so it is asked again."""


class VersionRefusedError(TransientError):
    """The broker does not speak this version of MQTT, or hung up on hearing it."""


class ConnectionEndedError(TransientError):
    """The connection was lost, or had to be given up."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What both sides of a connection have to agree on."""

    connect: Connect
    version: Version
    filters: Sequence[str]
    ordinal: int
    clock_ms: Callable[[], int]
    on_accepted: Callable[[], None]


class Connection(asyncio.Protocol):
    """Speaks MQTT over one transport; deliveries go into `inbox`, QoS 1 comes from `outbox`."""

    def __init__(self, terms: Terms, inbox: Inbox, outbox: Outbox) -> None:
        self._terms = terms
        self._version = terms.version
        self._inbox = inbox
        self._outbox = outbox
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._subscriptions = Subscriptions(terms.filters)
        self._asked_at = 0.0
        self.greeted: asyncio.Future[None] = loop.create_future()
        self.subscribed: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.accepted = False
        self.received = 0
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._paused = False
        self._congested = False
        self._unsent: list[bytes] = []
        self._unacknowledged: deque[Delivery] = deque()
        self._early: dict[int, Delivery] = {}
        self._reason = ""
        self._keepalive_s = terms.connect.keepalive_s
        self._heard_at = 0.0
        self._beat_at = 0.0
        self._beat: asyncio.TimerHandle | None = None

    # Transport callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say CONNECT."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_WRITE_LIMIT_BYTES)
        self._send(packets.encode_connect(self._terms.connect, self._version))

    def data_received(self, data: bytes) -> None:
        """Read all packets that are whole by now."""
        self._heard_at = self._loop.time()
        self._buffer = self._buffer + data if self._buffer else data
        self._read_buffer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits why it ended."""
        self.accepted = False
        if self._beat is not None:
            self._beat.cancel()
        self._disappoint(self._why_not_subscribed(exc))
        if not self.ended.done():
            self.ended.set_exception(ConnectionEndedError(self._reason or _ending(exc)))
            self.ended.exception()

    def pause_writing(self) -> None:
        """Refuse messages from now on: the broker does not take them."""
        self._congested = True

    def resume_writing(self) -> None:
        """Take messages again, those that waited first."""
        self._congested = False
        self._send_outbox()

    # For the session

    def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        """Send the PUBACKs that are due, and return how many.

        They leave in the order of reception, which §4.6 demands and the embedded broker enforces:
        one whose predecessors are still open waits for them.
        """
        order, early = self._unacknowledged, self._early
        due = []
        for delivery in deliveries:
            if order and order[0] is delivery:
                due.append(order.popleft().mid)
            elif delivery.qos:
                early[delivery.mid] = delivery
            while early and order and early.get(order[0].mid) is order[0]:
                mid = order.popleft().mid
                del early[mid]
                due.append(mid)
        if due:
            self._send(packets.encode_pubacks(due))
            self.read_on()
        return len(due)

    def publish(self, topic: bytes, payload: bytes, *, retain: bool) -> bool:
        """Send with QoS 0; False when not connected or the broker does not keep up."""
        if not self.accepted or self._congested:
            return False
        self._send(packets.encode_publish(topic, payload, self._version, retain=retain))
        return True

    def publish_outbox(self) -> None:
        """Send from the outbox what the broker's window leaves room for."""
        if self.accepted and not self._congested:
            self._send_outbox()

    @property
    def refused(self) -> Mapping[str, int]:
        """Filters that the broker said no to, and its reason codes."""
        return self._subscriptions.refused

    def subscribe_to(self, filters: Iterable[str]) -> None:
        """From now on exactly these: new ones are asked for before others are given up."""
        self._subscriptions.want(filters)
        self._send_subscriptions()

    def drop(self, filters: Iterable[str]) -> None:
        """Have the broker forget filters that it may remember of an earlier connection."""
        self._subscriptions.drop(filters)
        self._send_subscriptions()

    def ask_again(self) -> None:
        """Ask once more for the filters that were refused."""
        self._subscriptions.ask_again()
        self._send_subscriptions()

    def read_on(self) -> None:
        """Go on reading if it had stopped for want of room and there is some now."""
        if self._paused and self._room() > 0:
            self._read_buffer()

    async def close(self) -> None:
        """Say goodbye (the broker keeps the session) and end, by force if the broker hangs."""
        transport = self._transport
        if transport is None or self.ended.done():
            return
        if self.accepted:
            self._unsent.append(packets.DISCONNECT_PACKET)
        self._flush()
        transport.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await asyncio.wait((self.ended,))
        except TimeoutError:
            transport.abort()

    # Reading

    def _room(self) -> int:
        if self._inbox.is_heavy:
            return 0
        return self._inbox.size - max(len(self._inbox), len(self._unacknowledged))

    def _read_buffer(self) -> None:
        arrived: list[Delivery] = []
        try:
            at, blocked = self._read_packets(arrived)
        except MalformedPacketError as error:
            self._give_up(str(error))
            return
        self._buffer = self._buffer[at:]
        self._pause_reading(blocked=blocked)
        if arrived:
            self.received += len(arrived)
            self._inbox.extend(arrived)

    def _read_packets(self, arrived: list[Delivery]) -> tuple[int, bool]:
        buffer, version = self._buffer, self._version
        ordinal, now_ms = self._terms.ordinal, self._terms.clock_ms()
        room = self._room()
        at = 0
        while (frame := packets.read_frame(buffer, at)) is not None:
            first, start, end = frame
            if first & 0xF0 == packets.PUBLISH:
                if room <= 0:
                    return at, True
                room -= 1
                topic, payload, mid = packets.decode_publish(buffer, first, start, end, version)
                qos = first >> 1 & 3
                delivery = Delivery(topic, payload, bool(first & 1), now_ms, qos, mid, ordinal)
                arrived.append(delivery)
                if qos:
                    self._unacknowledged.append(delivery)
            else:
                self._handle(first, buffer[start:end])
            at = end
        return at, False

    def _pause_reading(self, *, blocked: bool) -> None:
        if blocked == self._paused or self._transport is None or self._transport.is_closing():
            return
        self._paused = blocked
        if blocked:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _handle(self, first: int, body: bytes) -> None:
        kind = first & 0xF0
        if kind == packets.CONNACK:
            self._on_connack(packets.decode_connack(body, self._version))
        elif kind in (packets.SUBACK, packets.UNSUBACK):
            self._on_answer(kind, body)
        elif kind == packets.PUBACK:
            self._outbox.confirm(packets.decode_message_id(body))
            self._send_outbox()
        elif kind == packets.DISCONNECT:
            self._give_up(f"the broker hung up: {reason_told(body[0] if body else 0)}")
        elif kind != packets.PINGRESP:
            raise MalformedPacketError(f"the broker sent a packet of kind 0x{first:02x}")

    def _on_connack(self, connack: Connack) -> None:
        if connack.reason in _VERSION_REFUSED:
            self._fail(VersionRefusedError(f"the broker does not speak {self._version.name}"))
        elif connack.reason:
            text = connack.reason_text or reason_told(connack.reason)
            self._fail(BrokerRefusedError(f"the broker refused the connection: {text}"))
        else:
            self.accepted = True
            self._terms.on_accepted()
            self._keepalive_s = connack.server_keep_alive_s or self._keepalive_s
            self._outbox.start(connack.receive_maximum, session_present=connack.session_present)
            if not self.greeted.done():
                self.greeted.set_result(None)
            self._send_subscriptions()
            self._send_outbox()
            self._schedule_beat()

    def _on_answer(self, kind: int, body: bytes) -> None:
        subscriptions = self._subscriptions
        refused = subscriptions.take_answer(kind, body, self._version)
        if refused:
            what = "subscription to" if kind == packets.SUBACK else "end of the subscription to"
            log.warning("the broker refused the %s", f"{what} {told_filters(refused)}")
        if not self.subscribed.done() and subscriptions.is_settled and subscriptions.is_refused:
            told = told_filters(self.refused)
            self._fail(BrokerRefusedError(f"the broker refused the subscription to {told}"))
            return
        self._send_subscriptions()

    # Writing

    def _send(self, packet: bytes) -> None:
        # One write for all that is sent in one turn of the loop: a system call for each receipt
        # costs more than all the rest of it.
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(packet)

    def _send_subscriptions(self) -> None:
        if not self.accepted:
            return
        while (packet := self._subscriptions.next_packet(self._version)) is not None:
            self._asked_at = self._loop.time()
            self._send(packet)
        if self._subscriptions.is_settled and not self.subscribed.done():
            self.subscribed.set_result(None)

    def _send_outbox(self) -> None:
        for packet in self._outbox.sendable(self._version):
            self._send(packet)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(unsent))

    # Keeping alive

    def _schedule_beat(self) -> None:
        self._beat_at = self._loop.time()
        self._beat = self._loop.call_later(self._keepalive_s / 2, self._on_beat)

    def _on_beat(self) -> None:
        # While reading has stopped nothing can be heard, and the silence is ours.
        if self._heard_at < self._beat_at and not self._paused:
            self._give_up(f"the broker was silent for {self._keepalive_s / 2:g} s")
            return
        is_waiting = not self._subscriptions.is_settled and self._asked_at < self._beat_at
        if is_waiting and not self._paused:
            self._give_up("the broker did not answer a subscription")
            return
        self._send(packets.PINGREQ_PACKET)
        self._schedule_beat()

    # Ending

    def _fail(self, error: TransientError) -> None:
        self._disappoint(error)
        self._give_up(str(error))

    def _disappoint(self, error: TransientError) -> None:
        for awaited in (self.greeted, self.subscribed):
            if not awaited.done():
                awaited.set_exception(error)
                awaited.exception()

    def _give_up(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def _why_not_subscribed(self, exc: Exception | None) -> TransientError:
        if not self._heard_at and exc is None and not self._reason:
            return VersionRefusedError(f"the broker hung up on hearing {self._version.name}")
        return ConnectionEndedError(self._reason or _ending(exc))


def told_filters(refused: Mapping[str, int]) -> str:
    """Refused filters for people: the first of them, its reason, and how many more."""
    first, code = next(iter(refused.items()))
    more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
    return f"{first!r}{more}: {reason_told(code)}"


def _ending(exc: Exception | None) -> str:
    return f"the connection broke: {exc}" if exc else "the broker closed the connection"


def reason_told(code: int) -> str:
    """What a reason code of MQTT 3.1.1 or 5 means."""
    return _REASONS.get(code, f"reason 0x{code:02x}")
