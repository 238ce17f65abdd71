"""Puts a town's past into a data folder, as if its gateway had run all that time.

The packs go the way of any other, through the pipeline into the store, only without a broker. It
runs while no service does: it holds the folder's lock. It must not know what is filled in for.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from ingest.pipeline import Incoming, Pipeline
from ingest.store.reader import StoreReader
from ingest.store.writer import StoreWriter
from simulators.history import history_packs
from simulators.town import Town

STEP_S: Final = 300

_DAY_MS: Final = 86_400_000
_BATCH: Final = 2000

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled in: the packs measured from `start_ms` on and before `end_ms`."""

    start_ms: int
    end_ms: int
    packs: int


async def fill_past(folder: Path, town: Town, *, days: float, now_ms: int, seed: int) -> Filled:
    """Fill in the last `days` before `now_ms`, or what of them the store does not have yet.

    Other tasks get their turn between two batches.
    """
    with StoreWriter(folder) as store:
        start_ms = max(now_ms - round(days * _DAY_MS), _last_measured_ms(folder) + 1)
        pipeline, packs = Pipeline(store), 0
        past = history_packs(town, start_ms, now_ms, STEP_S, seed)
        for batch in _batches(past, _BATCH):
            packs += len(pipeline.take(Incoming(*pack) for pack in batch).packs)
            store.fold(_BATCH)
            await asyncio.sleep(0)
    return Filled(start_ms, now_ms, packs)


def _last_measured_ms(folder: Path) -> int:
    with StoreReader(folder) as reader:
        return max((point.measured_at_ms for _, point in reader.latest()), default=-1)


def _batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
