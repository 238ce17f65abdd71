"""Takes batches from the session into the store, and acknowledges what is durable.

The order is the product's promise: commit first, then PUBACK, then the receipt. Between the two
threads stands only this loop: decoding and committing run on the writer's thread.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.changes import Changes
from gateway.clock import problem_of
from gateway.health import Health
from gateway.metrics import Metrics
from gateway.mqtt.session import Delivery, Session
from gateway.nodes import NodeRegistry
from gateway.presence import PresenceDesk
from gateway.receipts import encode_receipt
from gateway.writer_thread import WriterThread
from ingest.backoff import backoff_s
from ingest.errors import TransientError
from ingest.latest import LatestReadings
from ingest.pipeline import Incoming, Outcome, Pipeline, Prepared
from ingest.store.deadletters import DeadLetter
from ingest.store.writer import PresenceToStore, StoreWriter
from ingest.topics import parse_topic, topic_of

_log = logging.getLogger(__name__)

_CLOCK_LOOK_S: Final = 1.0


@dataclass(slots=True)
class _Batch:
    """One batch by what is to be done with it."""

    readings: list[Incoming] = field(default_factory=list)
    presences: list[PresenceToStore] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be made durable."""
        return not (self.readings or self.presences or self.letters)


@dataclass(frozen=True, slots=True)
class Intake:
    """The loop from session to store, with all that it needs."""

    session: Session
    store: StoreWriter
    pipeline: Pipeline
    writer: WriterThread
    desk: PresenceDesk
    nodes: NodeRegistry
    latest: LatestReadings
    changes: Changes
    metrics: Metrics
    health: Health
    clock_ms: Callable[[], int]
    take_reply: Callable[[str, bytes], None]
    """What is done with a node's reply to a command."""
    is_ours: Callable[[str], bool]
    """Whether a node's messages are to be taken in, or left to the gateway that serves it."""
    may_store: asyncio.Event
    """Cleared while the disk has no room."""
    group_packs: int
    group_s: float

    async def run_loop(self) -> None:
        """Until cancelled: whatever is not acknowledged by then is delivered again."""
        while True:
            deliveries = await self.session.next_batch(self.group_packs, self.group_s)
            await self._until_clock_is_set(deliveries)
            # Without room nothing is stored, so nothing is acknowledged: nodes keep what they have.
            await self.may_store.wait()
            batch = self._sorted(deliveries)
            if batch.is_empty:
                self.session.acknowledge(deliveries)
                continue
            prepared = await self.writer.run(self.pipeline.prepare, batch.readings)
            prepared.letters += batch.letters
            outcome = await self._commit(prepared, batch.presences)
            self.session.acknowledge(deliveries)
            self._send_receipts(outcome)
            self._tell(outcome)

    async def _until_clock_is_set(self, deliveries: Sequence[Delivery]) -> None:
        """Wait for a clock that can be right; what came before counts as received then."""
        while (problem := problem_of(self.clock_ms())) is not None:
            self.health.problems["clock"] = problem
            self.changes.notify()
            await asyncio.sleep(_CLOCK_LOOK_S)
        if self.health.problems.pop("clock", None) is not None:
            _log.warning("the clock is set now; %d messages waited for it", len(deliveries))
        for delivery in deliveries:
            if problem_of(delivery.received_at_ms) is not None:
                delivery.received_at_ms = self.clock_ms()

    def _sorted(self, deliveries: Sequence[Delivery]) -> _Batch:
        batch = _Batch()
        for delivery in deliveries:
            topic = parse_topic(delivery.topic)
            if topic is not None and not self.is_ours(topic.node):
                self.metrics.not_ours.inc()
            elif topic is not None and topic.kind == "presence" and not delivery.payload:
                pass  # Nobody says anything so: a retained one was cleared.
            elif topic is not None and topic.kind == "presence":
                said = self.desk.take(delivery, topic)
                if isinstance(said, DeadLetter):
                    batch.letters.append(said)
                else:
                    batch.presences.append(said)
            elif topic is not None and topic.kind == "replies":
                self.take_reply(topic.node, delivery.payload)
            else:
                batch.readings.append(
                    Incoming(
                        delivery.topic,
                        delivery.payload,
                        delivery.received_at_ms,
                        delivery.retained,
                    )
                )
        return batch

    async def _commit(self, prepared: Prepared, presences: Sequence[PresenceToStore]) -> Outcome:
        """Commit, however long it takes: until then the broker gets no acknowledgement."""
        for pause_s in backoff_s():
            started = time.perf_counter()
            try:
                outcome = await self.writer.run(self._commit_once, prepared, presences)
            except TransientError as error:
                self.health.problems["store"] = str(error)
                self.metrics.commit_retries.inc()
                _log.warning("%s: nothing acknowledged, trying again in %.1f s", error, pause_s)
                self.changes.notify()
                await asyncio.sleep(pause_s)
                continue
            self.metrics.commit_seconds.observe(time.perf_counter() - started)
            self.health.problems.pop("store", None)
            self.health.last_commit_at_ms = self.clock_ms()
            return outcome
        raise AssertionError("backoff is endless")

    def _commit_once(self, prepared: Prepared, presences: Sequence[PresenceToStore]) -> Outcome:
        if presences:
            self.store.save_presences(presences)
        return self.pipeline.commit(prepared)

    def _send_receipts(self, outcome: Outcome) -> None:
        now_ms = self.clock_ms()
        for (node, log), numbers in outcome.received.items():
            presence = self.nodes.get(node)
            hello = presence.hello if presence is not None else None
            payload = encode_receipt(now_ms, hello, log, numbers)
            if self.session.publish(topic_of(node, "receipts"), payload):
                self.metrics.receipts.inc()

    def _tell(self, outcome: Outcome) -> None:
        self.metrics.packs.inc(len(outcome.packs))
        self.metrics.readings.inc(outcome.readings)
        for reason, letters in outcome.dead_letters.items():
            self.metrics.dead_letters.labels(reason).inc(letters)
        self.latest.update(outcome.packs)
        self.changes.notify()
