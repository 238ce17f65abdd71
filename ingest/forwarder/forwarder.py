"""One forwarder: ships the journal to one InfluxDB, and follows the placements of nodes.

Its cursor moves only after everything up to it was accepted or stands in the dead letters. It is
handed ways to read and to change the store, so that it knows no threads.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial

from ingest.backoff import backoff_s
from ingest.forwarder.access import PatientStore, StoreAccess
from ingest.forwarder.batches import Batch, JournalBatches, begin, in_parts, period_of_node
from ingest.forwarder.client import InfluxClient
from ingest.forwarder.errors import InfluxAwayError, InfluxRefusedError, InfluxSetupError
from ingest.forwarder.filling import Filling
from ingest.forwarder.lines import LineWriter, node_of
from ingest.forwarder.placements import Correction, Placements
from ingest.forwarder.shipping import Refused, Shipping, ShippingState
from ingest.queries.names import MEASUREMENTS
from ingest.store.cursors import advance_forwarder, waiting_packs
from ingest.store.deadletters import DeadLetter, insert_dead_letters
from ingest.store.forwarded import kept_from, set_forwarded_placements

_log = logging.getLogger(__name__)


class Forwarder:
    """Ships to `client` until cancelled. `placements` tells what the estate says now."""

    def __init__(
        self,
        name: str,
        client: InfluxClient,
        store: StoreAccess,
        placements: Callable[[], Placements],
        *,
        batch_points: int = 5000,
        batch_s: float = 1.0,
        changed: Callable[[], None] = lambda: None,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.name = name
        self.waiting = 0
        """Packs of the journal that were not shipped at the last look."""
        self._client = client
        self._store = PatientStore(name, store)
        self._placements = placements
        self._batch_points = batch_points
        self._batch_s = batch_s
        self._shipping = Shipping(client, changed=changed)
        self._clock_ms = clock_ms
        self._filling = Filling(name, self._store, self._send)
        self._cursor = 0
        self._said = Placements({})

    @property
    def is_filling(self) -> bool:
        """Whether it has not yet got what the store held before it."""
        return not self._filling.is_over

    async def count_waiting(self) -> None:
        """Look again how many packs wait: also while the server is away."""
        self.waiting = await self._store.read(partial(waiting_packs, name=self.name))

    @property
    def state(self) -> ShippingState:
        """What it has done, and why it waits."""
        return self._shipping.state

    async def run_loop(self) -> None:
        """Ship whatever is sorted in, in the order of reception."""
        async with self._client:
            self._cursor, self._said = await self._store.read(lambda c: begin(c, self.name))
            await self._filling.begin()
            while True:
                wanted = self._placements()
                await self._follow(wanted)
                await self._ship_while(wanted)

    async def _ship_while(self, placements: Placements) -> None:
        """Ship under these placements until the estate has others."""
        batches = JournalBatches(placements, self._batch_points)
        writer = LineWriter(placements)
        following: asyncio.Task[Batch | None] | None = None
        try:
            while self._placements() is placements:
                batch = await (following or self._next(batches, self._cursor))
                following = None
                if batch is None:
                    if not await self._filling.step(writer):
                        await asyncio.sleep(self._batch_s)
                    continue
                # The next one is made while this one is on its way.
                following = asyncio.ensure_future(self._next(batches, batch.last_id))
                await self._ship(batch)
                if not batch.is_full:
                    if not await self._filling.step(writer):
                        await asyncio.sleep(self._batch_s)
                    await _forget(following)
                    following = None
        finally:
            await _forget(following)

    async def _next(self, batches: JournalBatches, after_id: int) -> Batch | None:
        def ask(connection: sqlite3.Connection) -> tuple[Batch | None, int]:
            return batches.after(connection, after_id), waiting_packs(connection, self.name)

        batch, self.waiting = await self._store.read(ask)
        return batch

    async def _ship(self, batch: Batch) -> None:
        refused: list[Refused] = []
        for part in in_parts(batch.lines, self._batch_points):
            refused += await self._shipping.ship(part)
        letters = self._letters(refused)
        await self._store.change(
            partial(advance_forwarder, name=self.name, journal_id=batch.last_id, letters=letters)
        )
        self._cursor = batch.last_id

    async def _follow(self, wanted: Placements) -> None:
        """Bring what was shipped under other tags to where the estate says now that it belongs."""
        corrections = list(self._said.corrections(wanted))
        if corrections:
            await self._correct(corrections, wanted)
        self._said = wanted

    async def _correct(self, corrections: Sequence[Correction], wanted: Placements) -> None:
        kept_ms = await self._store.read(kept_from)
        writer = LineWriter(wanted)
        by_node: dict[str, list[Correction]] = {}
        for correction in corrections:
            by_node.setdefault(correction.node, []).append(correction)
        for node, found in by_node.items():
            for correction in found:
                await self._correct_one(correction, writer, kept_ms)
            await self._store.change(partial(_remember, name=self.name, node=node, said=wanted))

    async def _correct_one(self, wrong: Correction, writer: LineWriter, kept_ms: int) -> None:
        if wrong.to_ms <= kept_ms:
            _log.warning(
                "%s: %s has moved in a time whose readings are kept in InfluxDB only: "
                "they stay in %s",
                self.name,
                wrong.node,
                wrong.wrong.room,
            )
            return
        # First under the right tags, then away with the wrong ones: nothing is missing in between.
        sent, whole = await self._send_again(wrong, writer)
        if sent:
            _log.warning("%s: %d points of %s placed anew", self.name, sent, wrong.node)
            for from_ms, to_ms in whole:
                for measurement in MEASUREMENTS:
                    await self._delete(measurement, wrong._replace(from_ms=from_ms, to_ms=to_ms))

    async def _send_again(
        self, wrong: Correction, writer: LineWriter
    ) -> tuple[int, list[tuple[int, float]]]:
        """How many points were sent, and of which periods these were all that there are.

        The window of the store may move on meanwhile: what it has let go was not sent.
        """
        sent = 0
        whole: list[tuple[int, float]] = []
        next_ms: int | None = wrong.from_ms
        while next_ms is not None:
            begin, lines, next_ms = await self._store.read(
                partial(_kept_of_node, writer=writer, wrong=wrong._replace(from_ms=next_ms))
            )
            await self._send(lines)
            sent += len(lines)
            end = wrong.to_ms if next_ms is None else next_ms
            if whole and whole[-1][1] == begin:
                whole[-1] = whole[-1][0], end
            elif begin < end:
                whole.append((begin, end))
        return sent, whole

    async def _send(self, lines: Sequence[bytes]) -> None:
        """Have `lines` accepted, or set apart for good."""
        for part in in_parts(lines, self._batch_points):
            letters = self._letters(await self._shipping.ship(part))
            if letters:
                await self._store.change(partial(insert_dead_letters, letters=letters))

    async def _delete(self, measurement: str, wrong: Correction) -> None:
        for pause_s in backoff_s(cap_s=60):
            try:
                await self._client.delete(measurement, wrong)
            except InfluxAwayError as error:
                _log.warning("%s: %s", self.name, error)
                await asyncio.sleep(max(pause_s, error.retry_after_s))
            except (InfluxSetupError, InfluxRefusedError) as error:
                # 3 Core has no deletion: what stays there twice must not hold up what comes.
                _log.warning(
                    "%s: points of %s stay under %s as well: %s",
                    self.name,
                    wrong.node,
                    wrong.wrong.room,
                    error,
                )
                return
            else:
                return

    def _letters(self, refused: Sequence[Refused]) -> list[DeadLetter]:
        if refused:
            _log.warning(
                "%s: %d points refused, kept as dead letters: %s",
                self.name,
                len(refused),
                refused[0].words,
            )
        now_ms = self._clock_ms()
        return [
            DeadLetter(
                node=node_of(line),
                topic=f"forwarder/{self.name}",
                reason="forwarder_refused",
                detail=words,
                payload=line,
                received_at_ms=now_ms,
            )
            for line, words in refused
        ]


def _kept_of_node(
    connection: sqlite3.Connection, writer: LineWriter, wrong: Correction
) -> tuple[int, list[bytes], int | None]:
    """As `period_of_node`, of what the window keeps at this moment, and since when that is."""
    begin = max(wrong.from_ms, kept_from(connection))
    return begin, *period_of_node(connection, writer, wrong.node, begin, wrong.to_ms)


def _remember(connection: sqlite3.Connection, name: str, node: str, said: Placements) -> None:
    set_forwarded_placements(connection, name, {node: said.changes(node)})


async def _forget(task: "asyncio.Task[Batch | None] | None") -> None:
    """End a task whose batch nobody needs: it is made again from the journal."""
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
