"""Sorts the journal into series in the background, in turns short enough to let commits through."""

import asyncio
import logging
from typing import Final

from gateway.metrics import Metrics
from gateway.writer_thread import WriterThread
from ingest.backoff import backoff_s
from ingest.errors import TransientError
from ingest.store.fold import FoldResult
from ingest.store.writer import StoreWriter

IDLE_S: Final = 1.0
PACKS_PER_TURN: Final = 4000
"""About 40 ms on a small PC, which is what a commit may wait. In small turns every reading dirties
a page of its own: turns of 500 cost twice as much a pack."""

_log = logging.getLogger(__name__)


async def fold_loop(store: StoreWriter, writer: WriterThread, metrics: Metrics) -> None:
    """Fold whatever is committed, until cancelled."""
    pauses = backoff_s()
    while True:
        try:
            result = await writer.run(store.fold, PACKS_PER_TURN)
        except TransientError as error:
            pause_s = next(pauses)
            _log.warning("%s: the journal waits, trying again in %.1f s", error, pause_s)
            await asyncio.sleep(pause_s)
            continue
        pauses = backoff_s()
        _count(result, metrics)
        if not result.has_more:
            await asyncio.sleep(IDLE_S)


def _count(result: FoldResult, metrics: Metrics) -> None:
    metrics.repeats.inc(result.repeats)
    if result.conflicts:
        metrics.dead_letters.labels("conflict").inc(result.conflicts)
        _log.warning("%d readings contradict stored ones: kept as dead letters", result.conflicts)
