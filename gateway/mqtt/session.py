"""The gateway's MQTT session: connects for ever, hands out batches, acknowledges what is committed.

An acknowledgement belongs to the connection its message came on and is dropped with it: a broker
whose memory was wiped gives the same ids to other messages, and a late one would release a pack
that was never committed. It must not know packs, stores or nodes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gateway.mqtt.address import BrokerAddress
from gateway.mqtt.connection import Connection, Terms, VersionRefusedError, told_filters
from gateway.mqtt.inbox import Delivery, Inbox
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.packets import Connect, Version
from ingest.backoff import backoff_s
from ingest.errors import ConfigurationError, TransientError

__all__ = ["BrokerAddress", "Counters", "Delivery", "Session"]

log = logging.getLogger(__name__)

_CONNECT_TIMEOUT_S = 10.0
_BACKOFF_FIRST_S = 0.2
_BACKOFF_CAP_S = 15.0
# A connection that lasted this long was a good one: the next failure starts a new count.
_STEADY_S = 10.0
_SESSION_EXPIRY_S = 24 * 3600
# The contract ends at 16 KiB; what is over a mebibyte would only fill the memory.
_MAXIMUM_PACKET_SIZE = 1024 * 1024
# Twice the settings of the largest estate that one gateway serves.
_OUTBOX_SIZE = 20_000


@dataclass(slots=True)
class Counters:
    """What happened since the start, for `/metrics`."""

    received: int = 0
    acknowledged: int = 0
    dropped_acks: int = 0
    publish_failures: int = 0
    reconnects: int = 0


class Session:
    """A session that outlives its connections. All methods belong to the event loop's thread.

    `queue_size` bounds what is received and not yet acknowledged. MQTT 5 brokers are told so, but
    Mosquitto 2.0.11 exceeds it, so the socket is not read while it is full, in either version.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str = "preau-gateway",
        subscriptions: Sequence[str],
        queue_size: int = 4000,
        clock_ms: Callable[[], int],
        keepalive_s: int = 30,
    ) -> None:
        if not 1 <= queue_size <= 65535:
            raise ValueError(f"queue_size is {queue_size!r}, MQTT allows 1 to 65535")
        self._address = address
        self._tls = address.tls_context()
        self._subscriptions = tuple(subscriptions)
        self._clock_ms = clock_ms
        self._connect = Connect(
            client_id=client_id,
            keepalive_s=keepalive_s,
            receive_maximum=queue_size,
            session_expiry_s=_SESSION_EXPIRY_S,
            maximum_packet_size=_MAXIMUM_PACKET_SIZE,
            username=address.username,
            password=address.password,
        )
        self._inbox = Inbox(queue_size)
        self._outbox = Outbox(_OUTBOX_SIZE)
        self._connection: Connection | None = None
        self._version = Version.MQTT_5
        self._counters = Counters()
        self._received_before = 0
        self.connected = False
        self.connections = 0
        self.last_error = ""
        self.on_connect: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    @property
    def version(self) -> Version:
        """The MQTT version in use, or to be tried next."""
        return self._version

    @property
    def counters(self) -> Counters:
        """The counts up to now."""
        current = self._connection.received if self._connection is not None else 0
        self._counters.received = self._received_before + current
        return self._counters

    async def run(self) -> None:
        """Connect and reconnect until cancelled; cancelling says goodbye to the broker."""
        pauses = backoff_s(_BACKOFF_FIRST_S, _BACKOFF_CAP_S)
        loop = asyncio.get_running_loop()
        while True:
            started_at = loop.time()
            try:
                await self._run_connection()
            except VersionRefusedError as error:
                if self._version is Version.MQTT_5:
                    log.info("broker %s: %s", self._address, error)
                    self._version = Version.MQTT_311
                    continue
                self._note(error)
            except (TransientError, OSError) as error:
                self._note(error)
            # A broker that hung up may only have been starting, so 5 is always tried first.
            self._version = Version.MQTT_5
            if loop.time() - started_at > _STEADY_S:
                pauses = backoff_s(_BACKOFF_FIRST_S, _BACKOFF_CAP_S)
            await asyncio.sleep(next(pauses))

    @property
    def refusal(self) -> str | None:
        """What the broker refuses to deliver on the connection that there is, in words."""
        refused = self._connection.refused if self._connection is not None else {}
        return f"it refused the subscription to {told_filters(refused)}" if refused else None

    def subscribe_to(self, filters: Iterable[str]) -> None:
        """Have exactly these delivered from now on, without a reconnect.

        New ones are asked for before others are given up.
        """
        self._subscriptions = tuple(filters)
        if self._connection is not None:
            self._connection.subscribe_to(self._subscriptions)

    def drop_subscriptions(self, filters: Iterable[str]) -> None:
        """End subscriptions that the broker remembers of an earlier process of this client id."""
        if self._connection is not None:
            self._connection.drop(filters)

    def ask_again(self) -> None:
        """Ask once more for what the broker refused."""
        if self._connection is not None:
            self._connection.ask_again()

    async def next_batch(self, max_count: int = 2000, max_wait_s: float = 0.02) -> list[Delivery]:
        """Wait for a first message, then gather what arrives within `max_wait_s`, in order.

        For one reader. Cancelling it loses nothing.
        """
        batch = await self._inbox.next_batch(max_count, max_wait_s)
        if self._connection is not None:
            self._connection.read_on()
        return batch

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are safe; those of an earlier connection are dropped.

        PUBACKs leave in the order of reception, whatever the order here.
        """
        self._inbox.release(deliveries)
        connection = self._connection
        if connection is None or not connection.accepted:
            self._counters.dropped_acks += len(deliveries)
            return
        ordinal = self.connections
        current = [delivery for delivery in deliveries if delivery.connection == ordinal]
        self._counters.dropped_acks += len(deliveries) - len(current)
        self._counters.acknowledged += connection.acknowledge(current)
        # Those of an earlier connection may have been what filled the queue.
        connection.read_on()

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Hand a message to the broker; False when not connected or when it does not keep up.

        QoS 0 may be lost on the way. QoS 1 is kept and sent again until the broker confirms it,
        as long as this process lives.
        """
        connection = self._connection
        taken = False
        if connection is not None and connection.accepted:
            if qos == 0:
                taken = connection.publish(topic.encode(), payload, retain=retain)
            else:
                taken = self._outbox.add(topic.encode(), payload, retain=retain)
                connection.publish_outbox()
        self._counters.publish_failures += not taken
        return taken

    async def _run_connection(self) -> None:
        connection = self._new_connection()
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                self._connection = connection
                await self._open(connection)
                await asyncio.shield(connection.greeted)
            # Without a time limit: ten thousand retained presences may come first, and be stored.
            await asyncio.shield(connection.subscribed)
            self._begin()
            await asyncio.shield(connection.ended)
        finally:
            self.connected = False
            await self._close()

    def _new_connection(self) -> Connection:
        terms = Terms(
            connect=self._connect,
            version=self._version,
            filters=self._subscriptions,
            ordinal=self.connections + 1,
            clock_ms=self._clock_ms,
            on_accepted=self._count_connection,
        )
        return Connection(terms, self._inbox, self._outbox)

    def _count_connection(self) -> None:
        self._counters.reconnects += self.connections > 0
        self.connections += 1

    def _read_authorities(self) -> None:
        """Anew for each connection: the town may have changed its authority meanwhile."""
        try:
            self._tls = self._address.tls_context()
        except ConfigurationError as error:
            log.warning("%s; what it held before is used", error)

    async def _open(self, connection: Connection) -> None:
        self._read_authorities()
        loop = asyncio.get_running_loop()
        await loop.create_connection(
            lambda: connection, self._address.host, self._address.port, ssl=self._tls
        )

    def _begin(self) -> None:
        self.connected = True
        self.last_error = ""
        log.info("connected to the broker %s with %s", self._address, self._version.name)
        for callback in self.on_connect:
            callback()

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
            self._received_before += connection.received

    def _note(self, error: Exception) -> None:
        text = str(error) or "it did not answer in time"
        if text != self.last_error:
            log.warning("broker %s: %s", self._address, text)
        self.last_error = text
