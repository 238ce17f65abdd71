"""Answers presences: keeps what nodes say of themselves, and tells each the time.

A node that gets its answer knows that the gateway lives and sends what it holds; so after every
connection to the broker the retained presences are answered too, at a bounded rate.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from gateway.metrics import Metrics
from gateway.mqtt.session import Delivery, Session
from gateway.nodes import NodeRegistry, Presence, decode_presence, encode_presence
from gateway.receipts import encode_receipt
from ingest.errors import PackError
from ingest.store.deadletters import DeadLetter
from ingest.store.writer import PresenceToStore
from ingest.topics import Topic, topic_of

RETAINED_PER_SECOND: Final = 200

_log = logging.getLogger(__name__)


class PresenceDesk:
    """Takes presences in and answers those that are online. `answered` is called right after each
    answer: the node knows the time then, and may not listen for long.
    """

    def __init__(
        self,
        session: Session,
        nodes: NodeRegistry,
        metrics: Metrics,
        clock_ms: Callable[[], int],
        *,
        heard: Callable[[Presence], None],
        answered: Callable[[str], None],
        retained_per_second: int = RETAINED_PER_SECOND,
    ) -> None:
        self._session = session
        self._nodes = nodes
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._heard = heard
        self._answered = answered
        self._pause_s = 1 / retained_per_second
        self._waiting: dict[str, None] = {}
        self._work = asyncio.Event()

    def take(self, delivery: Delivery, topic: Topic) -> PresenceToStore | DeadLetter:
        """Note a presence and have it answered; what is to be stored of it."""
        self._metrics.presences.inc()
        try:
            said = decode_presence(delivery.payload, topic.node, delivery.received_at_ms)
        except PackError as error:
            return DeadLetter(
                node=topic.node,
                topic=delivery.topic,
                reason=error.reason,
                detail=str(error),
                payload=delivery.payload,
                received_at_ms=delivery.received_at_ms,
            )
        self._heard(said)
        _tell_lost(said, self._nodes.get(topic.node))
        presence = self._nodes.take(said, retained=delivery.retained)
        if presence.online:
            self._answer_in_turn(presence, retained=delivery.retained)
        return _to_store(presence)

    async def answer_loop(self) -> None:
        """Answer retained presences, one at a time and not too fast."""
        while True:
            await self._work.wait()
            while self._waiting:
                node = next(iter(self._waiting))
                del self._waiting[node]
                presence = self._nodes.get(node)
                if presence is not None and presence.online:
                    self._answer(presence)
                    await asyncio.sleep(self._pause_s)
            self._work.clear()

    def _answer_in_turn(self, presence: Presence, *, retained: bool) -> None:
        if not retained:
            # Its `now` counts only within ten seconds: a live presence does not wait.
            self._answer(presence)
            return
        # Once a node, however often a broker that comes and goes repeats it.
        self._waiting[presence.node] = None
        self._work.set()

    def _answer(self, presence: Presence) -> None:
        payload = encode_receipt(self._clock_ms(), presence.hello, presence.log)
        self._session.publish(topic_of(presence.node, "receipts"), payload)
        self._answered(presence.node)


def _tell_lost(said: Presence, known: Presence | None) -> None:
    before = (known.lost or 0) if known else 0
    lost = said.lost or 0
    if lost > before:
        _log.warning(
            "%s could not keep %d packs (%d in all): its flash refused them, replace the board",
            said.node,
            lost - before,
            lost,
        )


def _to_store(presence: Presence) -> PresenceToStore:
    # A log is announced with all three, or not at all.
    log = presence.log if presence.first and presence.next else None
    return PresenceToStore(
        node=presence.node,
        received_at_ms=presence.received_at_ms,
        payload=encode_presence(presence).decode(),
        log=log,
        first_held=presence.first or 1,
        next_number=presence.next or 1,
        older=presence.older if log is not None and presence.online else None,
    )


def stored_presences(rows: Iterable[tuple[str, int, str]]) -> NodeRegistry:
    """The registry as the store remembers it: (node, received_at_ms, payload)."""
    nodes = NodeRegistry()
    for node, received_at_ms, payload in rows:
        try:
            nodes.take(decode_presence(payload.encode(), node, received_at_ms))
        except PackError as error:
            _log.warning("%s: stored presence can't be read: %s", node, error)
    return nodes
