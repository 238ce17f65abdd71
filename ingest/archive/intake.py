"""Puts the readings of an archive into a store, as if they had been received.

So they are folded, summed up and forwarded like all others, and what is there already is a repeat.
It knows no file format.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from ingest.archive.record import EARLIEST_MS, Record
from ingest.quality import History, judge
from ingest.quantities import QUANTITIES
from ingest.readings import Quality, SeriesKey
from ingest.senml import AHEAD_MS
from ingest.store.forwarded import kept_from
from ingest.store.writer import PackToStore, StoreWriter

_READINGS_AT_ONCE: Final = 20_000

_Reading = tuple[str, str, int, float, int, int]


@dataclass(slots=True)
class Taken:
    """What became of the records so far."""

    records: int = 0
    repeats: int = 0
    conflicts: int = 0

    @property
    def stored(self) -> int:
        """Those that are new in the store."""
        return self.records - self.repeats - self.conflicts


class ArchiveIntake:
    """Commits records to `store`, which is this process's alone."""

    def __init__(self, store: StoreWriter, now_ms: int) -> None:
        self._store = store
        self._now_ms = now_ms
        self._kept_from_ms = store.change(kept_from)
        self._histories: dict[str, dict[SeriesKey, History]] = {}
        while store.fold().has_more:
            pass
        self.taken = Taken()

    def check(self, record: Record) -> str | None:
        """Why this store can't take `record` in; `None` where it can."""
        at_ms = record.measured_at_ms
        if at_ms < self._kept_from_ms:
            return (
                f"measured before {_day(self._kept_from_ms)}, from when on this store keeps single "
                "readings: of an earlier one it could not tell whether it had it (store.keep_days)"
            )
        return refusal(record, self._now_ms)

    def take(self, records: Iterable[Record]) -> None:
        """Store records, in transactions of some thousands; `taken` tells what became of them."""
        remaining = iter(records)
        while part := list(islice(remaining, _READINGS_AT_ONCE)):
            self._store.commit(self._packs(part))
            self.taken.records += len(part)
            more = True
            while more:
                folded = self._store.fold()
                self.taken.repeats += folded.repeats
                self.taken.conflicts += folded.conflicts
                more = folded.has_more

    def _packs(self, records: list[Record]) -> list[PackToStore]:
        packs: dict[tuple[str, int], list[_Reading]] = {}
        for record in records:
            received_at_ms = record.received_at_ms
            if received_at_ms is None:
                received_at_ms = self._now_ms
            packs.setdefault((record.node, received_at_ms), []).append(self._judged(record))
        return [PackToStore(node, None, at, readings) for (node, at), readings in packs.items()]

    def _judged(self, record: Record) -> _Reading:
        node, quantity, at_ms, value, channel, quality, _, source = record
        kind = QUANTITIES[quantity]
        if quality is None:
            histories = self._histories.setdefault(node, {})
            history = histories.setdefault((quantity, channel), History())
            quality = judge(kind, value, at_ms, history)
        elif not kind.minimum <= value <= kind.maximum:
            # Whatever the file says: the sum of a summary must not become infinite.
            quality = Quality.BAD
        return (quantity, channel, at_ms, value, int(quality), source)


def refusal(record: Record, now_ms: int) -> str | None:
    """Why no store takes `record` in; `None` where one may."""
    if QUANTITIES[record.quantity].kind == "boolean" and record.value not in {0, 1}:
        return f"value is {record.value!r}: {record.quantity} is 0 or 1"
    if record.measured_at_ms < EARLIEST_MS:
        return f"measured before {_day(EARLIEST_MS)}: the clock was wrong, or the precision is"
    if record.measured_at_ms > now_ms + AHEAD_MS:
        return "measured in the future: the clock was wrong, or the precision is"
    return None


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
