"""One MQTT session for many virtual nodes: for load beyond what one machine has connections for.

To a node it is a connection like its own, and what it says is the same to the byte. What a session
of its own has besides is not there: no will tells that a node has crashed. It knows no contract
beyond the topics.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from gateway.mqtt.address import BrokerAddress
from ingest.topics import TO_NODES, parse_topic, topic_of
from simulators.mqtt import NodeConnection

# No limit but that of packet identifiers: with one, paho goes through all of them at each answer.
_IN_FLIGHT: Final = 0


class SharedSession:
    """Opened by the first node that wants in, closed when the last has left."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._connection: NodeConnection | None = None
        self._opening: asyncio.Task[None] | None = None
        self._waiting = 0
        self._lines: dict[str, SharedLine] = {}
        # Retained: they come once for the whole session, before most nodes are in it.
        self._settings: dict[str, bytes] = {}

    @property
    def is_open(self) -> bool:
        """Whether the broker has accepted us and the connection still stands."""
        return self._connection is not None and self._connection.is_open

    async def join(self, line: "SharedLine") -> None:
        """Let a node in, connecting where nobody is yet. Raises `BrokerAwayError`."""
        while not self.is_open:
            if self._opening is None:
                self._opening = asyncio.create_task(self._open(), name="shared session")
            opening = self._opening
            self._waiting += 1
            try:
                await asyncio.shield(opening)
            except asyncio.CancelledError:
                if self._waiting == 1:
                    # Nobody wants it any more; whoever comes next begins anew.
                    self._opening = None
                    opening.cancel()
                raise
            finally:
                self._waiting -= 1
        self._lines[line.node] = line
        if line.node in self._settings:
            line.hear(topic_of(line.node, "settings"), self._settings[line.node])

    def drop(self, line: "SharedLine") -> None:
        """The node is out, without a word."""
        if self._lines.get(line.node) is line:
            del self._lines[line.node]

    async def leave(self, line: "SharedLine") -> None:
        """The node is out; the last one closes the door, once the broker has what it said."""
        self.drop(line)
        if not self._lines and not self._waiting and self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Send at QoS 1, once; what a broken connection has not delivered is forgotten here."""
        if self._connection is not None:
            self._connection.publish(topic, payload, retain=retain)

    async def _open(self) -> None:
        connection = NodeConnection(
            self._address,
            # Another each time: the broker may still hold the one before.
            f"preau-simulate-{secrets.token_hex(4)}",
            will=None,
            on_message=self._hear,
            on_end=self._lost,
            in_flight=_IN_FLIGHT,
        )
        try:
            await connection.open()
        finally:
            if self._opening is asyncio.current_task():
                self._opening = None
        self._settings.clear()
        connection.subscribe([topic_of("+", kind) for kind in TO_NODES])
        self._connection = connection

    def _hear(self, topic: str, payload: bytes) -> None:
        parsed = parse_topic(topic)
        if parsed is None:
            return
        if parsed.kind == "settings":
            self._settings[parsed.node] = payload
        line = self._lines.get(parsed.node)
        if line is not None:
            line.hear(topic, payload)

    def _lost(self) -> None:
        lines, self._lines = self._lines, {}
        for line in lines.values():
            line.end()


class SharedLine:
    """What one node has of the shared session: a `simulators.mqtt.Connection`."""

    def __init__(
        self,
        session: SharedSession,
        node: str,
        *,
        on_message: Callable[[str, bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self.node = node
        self.hear = on_message
        self._session = session
        self._on_end = on_end
        self._is_in = False

    @property
    def is_open(self) -> bool:
        """Whether the node is in the session, and the session stands."""
        return self._is_in and self._session.is_open

    async def open(self) -> None:
        """Join. Raises `BrokerAwayError`."""
        await self._session.join(self)
        self._is_in = True

    def subscribe(self, filters: Sequence[str]) -> None:
        """Nothing to ask for: the session hears what is for any node."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send at QoS 1, once; what is not delivered is forgotten here."""
        if self.is_open:
            self._session.publish(topic, payload, retain=retain)

    async def close(self) -> None:
        """Leave."""
        self._is_in = False
        await self._session.leave(self)

    def abort(self) -> None:
        """Leave without a word. The broker does not notice, so there is no will."""
        self._session.drop(self)
        self.end()

    def end(self) -> None:
        """The session has ended, for this node at least."""
        if self._is_in:
            self._is_in = False
            self._on_end()
