"""The store's one writer: commits packs, keeps the ranges of their logs, remembers presences.

It runs on one thread, the caller's. A commit only appends; `ingest.store.fold` sorts the readings
in afterwards. It knows neither JSON nor topics.
"""

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

from ingest.forgetting import forget_oldest
from ingest.readings import LogPosition, SeriesKey, series_key
from ingest.store.database import (
    FILE_NAME,
    DataFolderLock,
    as_store_error,
    open_for_writing,
    transaction,
)
from ingest.store.deadletters import DeadLetter, insert_dead_letters, remove_dead_letters
from ingest.store.encoding import encode_readings
from ingest.store.fold import FoldResult, fold_journal
from ingest.store.letters import too_old_letters
from ingest.store.ranges import Ranges

P = ParamSpec("P")
T = TypeVar("T")

ROWS_PER_STATEMENT: Final = 4000


@dataclass(frozen=True, slots=True)
class PackToStore:
    """A pack as it is committed: its place in the log, and its judged readings.

    Each reading is (quantity, channel, measured_at_ms, value, quality, time_source).
    """

    node: str
    position: LogPosition | None
    received_at_ms: int
    readings: Sequence[tuple[str, str, int, float, int, int]]


@dataclass(frozen=True, slots=True)
class PresenceToStore:
    """What a node said of itself: its JSON, and its log with what it holds of it.

    `older` are its earlier logs of which it still holds packs; `None` where it did not say.
    """

    node: str
    received_at_ms: int
    payload: str
    log: str | None = None
    first_held: int = 1
    next_number: int = 1
    older: tuple[str, ...] | None = None


class _Log:
    __slots__ = ("first_held", "id", "next_announced", "ranges")

    def __init__(self, id_: int, first_held: int, next_announced: int, ranges: Ranges) -> None:
        self.id = id_
        self.first_held = first_held
        self.next_announced = next_announced
        self.ranges = ranges


class StoreWriter:
    """Holds the lock of a data folder and the only connection that writes to its store.

    Every method is one transaction: done when it returns, undone when it raises. Raises
    `StoreFullError` when the disk has no room, `TransientError` for other failures of the disk.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._lock = DataFolderLock(folder)
        try:
            self._connection = open_for_writing(folder)
        except BaseException:
            self._lock.release()
            raise
        self._series: dict[str, dict[SeriesKey, int]] = {}
        self._logs: dict[tuple[str, str], _Log] = {}
        # Calls come from one thread at a time, but not always the same one.
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store and give its folder free."""
        self._connection.close()
        self._lock.release()

    def commit(
        self,
        packs: Sequence[PackToStore],
        letters: Sequence[DeadLetter] = (),
        *,
        replayed: Collection[int] = (),
    ) -> list[DeadLetter]:
        """Make packs and dead letters durable, and their numbers received.

        Of a time whose readings have been let go, a repeat can be told by its number only: what has
        none becomes a dead letter, and these are returned. Unless it is of dead letters that are
        `replayed`: these ids are removed with the same transaction.
        """
        too_old: list[DeadLetter] = []
        # Before a transaction only: within one, ranges are ahead of the file.
        forget_oldest(self._series)
        forget_oldest(self._logs)
        with self._turn, _Failures(self), transaction(self._connection):
            kept_from = self._kept_from()
            if kept_from and not replayed:
                packs, too_old = self._within_window(packs, kept_from)
                letters = [*letters, *too_old]
            self._append_journal(packs)
            self._mark_received(packs, letters)
            insert_dead_letters(self._connection, letters)
            remove_dead_letters(self._connection, replayed)
        return too_old

    def change(
        self, call: "Callable[Concatenate[sqlite3.Connection, P], T]", *args: P.args, **kw: P.kwargs
    ) -> T:
        """Run `call` with the connection, as one transaction; what it returns.

        For what other modules of the store do; the tables of commits are this class's own.
        """
        with self._turn, _Failures(self), transaction(self._connection):
            return call(self._connection, *args, **kw)

    def fold(self, max_packs: int = 2000) -> FoldResult:
        """Sort the oldest unfolded packs into their series."""
        with self._turn, _Failures(self), transaction(self._connection):
            return fold_journal(self._connection, max_packs)

    def save_presences(self, presences: Iterable[PresenceToStore]) -> None:
        """Remember each node's last presence, and what it says of its log."""
        forget_oldest(self._logs)
        with self._turn, _Failures(self), transaction(self._connection):
            for said in presences:
                self._connection.execute(
                    "INSERT INTO presence VALUES (?, ?, ?) ON CONFLICT (node) DO UPDATE"
                    " SET received_at = excluded.received_at, payload = excluded.payload",
                    (said.node, said.received_at_ms, said.payload),
                )
                if said.log is not None:
                    self._announce(said.node, said.log, said.first_held, said.next_number)
                    if said.older is not None:
                        self._end_logs(said.node, {said.log, *said.older})

    def _announce(self, node: str, log: str, first_held: int, next_number: int) -> None:
        entry = self._log(node, log)
        entry.first_held = max(entry.first_held, first_held)
        entry.next_announced = max(entry.next_announced, next_number)
        self._save_log(entry)

    def _end_logs(self, node: str, held: Collection[str]) -> None:
        """Of every other log the node holds nothing any more: what is missing of it is lost."""
        rows = self._connection.execute("SELECT log FROM log WHERE node = ?", (node,)).fetchall()
        for (log,) in rows:
            if log in held:
                continue
            entry = self._log(node, log)
            end = max(entry.next_announced, entry.ranges.last() + 1)
            if not entry.ranges.covers(entry.first_held, end - 1):
                entry.first_held = end
                self._save_log(entry)

    def forget_caches(self) -> None:
        """Read series and logs anew: after a rollback memory is ahead of the file."""
        self._series.clear()
        self._logs.clear()

    def _kept_from(self) -> int:
        (kept_from,) = self._connection.execute("SELECT kept_from FROM horizon").fetchone()
        return int(kept_from)

    def _within_window(
        self, packs: Sequence[PackToStore], kept_from: int
    ) -> tuple[list[PackToStore], list[DeadLetter]]:
        """Packs without the repeats of readings that have been let go, and what can't be told."""
        within: list[PackToStore] = []
        letters: list[DeadLetter] = []
        for pack in packs:
            old = [reading for reading in pack.readings if reading[2] < kept_from]
            if old and pack.position is None:
                letters += too_old_letters(pack.node, pack.received_at_ms, old, kept_from)
            if old and self._is_repeat(pack):
                kept = [reading for reading in pack.readings if reading[2] >= kept_from]
                pack = replace(pack, readings=kept)  # noqa: PLW2901 - the same pack, shorter
            within.append(pack)
        return within, letters

    def _is_repeat(self, pack: PackToStore) -> bool:
        position = pack.position
        return position is None or position.seq in self._log(pack.node, position.log).ranges

    def _append_journal(self, packs: Sequence[PackToStore]) -> None:
        rows: list[object] = []
        for pack in packs:
            if pack.readings:
                series = self._series_of(pack)
                blob = encode_readings(
                    [(series[r[0], r[1]], r[2], r[3], r[4], r[5]) for r in pack.readings]
                )
                rows += (pack.received_at_ms, blob)
        # One statement for many rows: each statement gives up the interpreter lock once.
        for at in range(0, len(rows), 2 * ROWS_PER_STATEMENT):
            chunk = rows[at : at + 2 * ROWS_PER_STATEMENT]
            values = ",".join(["(?,?)"] * (len(chunk) // 2))
            self._connection.execute(
                f"INSERT INTO journal (received_at, readings) VALUES {values}",  # noqa: S608 - placeholders only
                chunk,
            )

    def _series_of(self, pack: PackToStore) -> dict[SeriesKey, int]:
        known = self._series.get(pack.node)
        if known is None:
            rows = self._connection.execute(
                "SELECT quantity, channel, id FROM series WHERE node = ?", (pack.node,)
            )
            known = self._series[pack.node] = {series_key(row[0], row[1]): row[2] for row in rows}
        for reading in pack.readings:
            key = (reading[0], reading[1])
            if key not in known:
                cursor = self._connection.execute(
                    "INSERT INTO series (node, quantity, channel) VALUES (?, ?, ?)",
                    (pack.node, *key),
                )
                known[series_key(*key)] = cursor.lastrowid or 0
        return known

    def _mark_received(self, packs: Sequence[PackToStore], letters: Sequence[DeadLetter]) -> None:
        changes = _RangeChanges()
        for pack in packs:
            if pack.position is not None:
                self._mark(changes, pack.node, pack.position)
        for letter in letters:
            if letter.node and letter.log is not None and letter.seq is not None:
                self._mark(changes, letter.node, LogPosition(letter.log, letter.seq))
        changes.write(self._connection)

    def _mark(self, changes: "_RangeChanges", node: str, position: LogPosition) -> None:
        entry = self._log(node, position.log)
        changed = entry.ranges.add(position.seq)
        if changed is not None:
            changes.note(entry.id, *changed)
        # Each live pack moves `first` on: only a gap below it is worth a write.
        first = position.first or 1
        if not entry.ranges.covers(entry.first_held, first - 1):
            entry.first_held = first
            self._save_log(entry)

    def _log(self, node: str, log: str) -> _Log:
        entry = self._logs.get((node, log))
        if entry is None:
            entry = self._logs[node, log] = self._load_log(node, log)
        return entry

    def _load_log(self, node: str, log: str) -> _Log:
        self._connection.execute(
            "INSERT INTO log (node, log, first_held, next_announced) VALUES (?, ?, 1, 1)"
            " ON CONFLICT DO NOTHING",
            (node, log),
        )
        id_, first_held, next_announced = self._connection.execute(
            "SELECT id, first_held, next_announced FROM log WHERE node = ? AND log = ?",
            (node, log),
        ).fetchone()
        ranges = self._connection.execute(
            "SELECT first, last FROM received_range WHERE log = ?", (id_,)
        )
        return _Log(id_, first_held, next_announced, Ranges(ranges))

    def _save_log(self, entry: _Log) -> None:
        self._connection.execute(
            "UPDATE log SET first_held = ?, next_announced = ? WHERE id = ?",
            (entry.first_held, entry.next_announced, entry.id),
        )


class _RangeChanges:
    """What a batch of numbers changed in `received_range`, written as two statements."""

    def __init__(self) -> None:
        self._grown: dict[tuple[int, int], int] = {}
        self._gone: set[tuple[int, int]] = set()

    def note(self, log: int, first: int, last: int, swallowed: int | None) -> None:
        """Take in one change as `Ranges.add` tells it."""
        if swallowed is not None:
            self._grown.pop((log, swallowed), None)
            self._gone.add((log, swallowed))
        self._gone.discard((log, first))
        self._grown[log, first] = last

    def write(self, connection: sqlite3.Connection) -> None:
        """Bring the table up to date."""
        for key in self._gone:
            connection.execute("DELETE FROM received_range WHERE log = ? AND first = ?", key)
        rows = [(log, first, last) for (log, first), last in self._grown.items()]
        for at in range(0, len(rows), ROWS_PER_STATEMENT):
            chunk = rows[at : at + ROWS_PER_STATEMENT]
            values = ",".join(["(?,?,?)"] * len(chunk))
            connection.execute(
                f"INSERT INTO received_range VALUES {values}"  # noqa: S608 - placeholders only
                " ON CONFLICT (log, first) DO UPDATE SET last = excluded.last",
                [number for row in chunk for number in row],
            )


class _Failures:
    """Turns SQLite's failures into ours, and makes the writer forget what was rolled back."""

    def __init__(self, writer: StoreWriter) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        self._writer.forget_caches()
        if isinstance(error, sqlite3.DatabaseError):
            raise as_store_error(self._writer.path, error) from error
