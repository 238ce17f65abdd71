"""Reads the store beside its writer: series, readings, dead letters, logs, presences.

A reader sees what is committed, folded or not. It opens read-only, never checkpoints and reads in
short transactions. It knows no rooms: places are resolved by whoever asks.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Concatenate, Final, NamedTuple, ParamSpec, Self, TypeVar

from ingest.readings import Quality
from ingest.store.database import FILE_NAME, as_store_error, open_for_reading
from ingest.store.deadletters import LetterFilter, StoredDeadLetter, select_dead_letters
from ingest.store.encoding import StoredReading, decode_readings, encode_series
from ingest.store.forwarded import kept_from
from ingest.store.ranges import Ranges
from ingest.store.summaries import select_summaries

_IDS_PER_STATEMENT: Final = 1000
_measured_at: Final = attrgetter("measured_at_ms")

P = ParamSpec("P")
T = TypeVar("T")


class Series(NamedTuple):
    """What one node measures of one quantity on one channel."""

    id: int
    node: str
    quantity: str
    channel: str


class Point(NamedTuple):
    """One reading as stored. Times are Unix milliseconds."""

    measured_at_ms: int
    value: float
    quality: int
    received_at_ms: int
    time_source: int


class Average(NamedTuple):
    """The readings of one step that are not bad: from `start_ms`, one step long."""

    start_ms: int
    mean: float
    minimum: float
    maximum: float
    samples: int


@dataclass(frozen=True, slots=True)
class LogState:
    """What is known of one log: numbers received, and what the node said of it.

    `first_held`: what is below and was not received is lost, and known to be.
    `next_announced`: the number that the node gives next, 1 where it has not said.
    """

    node: str
    log: str
    first_held: int
    next_announced: int
    received: Ranges

    def missing(self) -> list[tuple[int, int]]:
        """Inclusive ranges of numbers that the node still holds or has lost without saying."""
        top = max(self.received.last(), self.next_announced - 1)
        return _gaps(self.received, self.first_held, top)

    def lost(self) -> list[tuple[int, int]]:
        """Inclusive ranges of numbers that the node let go before they were received."""
        return _gaps(self.received, 1, self.first_held - 1)


def _gaps(received: Ranges, low: int, high: int) -> list[tuple[int, int]]:
    gaps = []
    for first, last in received:
        if first > low:
            gaps.append((low, min(first - 1, high)))
        low = max(low, last + 1)
    gaps.append((low, high))
    return [(first, last) for first, last in gaps if first <= last]


class StoreReader:
    """One read-only connection; use it from one thread at a time. Raises `StoreError`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._connection = open_for_reading(folder)

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
        """Close the connection."""
        self._connection.close()

    def ask(
        self, call: "Callable[Concatenate[sqlite3.Connection, P], T]", *args: P.args, **kw: P.kwargs
    ) -> T:
        """Run `call` with the connection on one state of the store; what it returns."""
        with self._snapshot():
            return call(self._connection, *args, **kw)

    def series(self, node: str | None = None, quantity: str | None = None) -> list[Series]:
        """All series, or those of one node or quantity."""
        rows = self._connection.execute(
            "SELECT id, node, quantity, channel FROM series"
            " WHERE (? IS NULL OR node = ?) AND (? IS NULL OR quantity = ?) ORDER BY id",
            (node, node, quantity, quantity),
        )
        return [Series(*row) for row in rows]

    def points(self, series: Series, from_ms: int, to_ms: int, limit: int = 10_000) -> list[Point]:
        """The oldest `limit` readings of `series` with from_ms ≤ measured_at < to_ms, by time."""
        with self._snapshot():
            tail = self._tail(series.id, from_ms, to_ms)
            rows = self._connection.execute(
                "SELECT measured_at, value, quality, measured_at + delay_ms, time_source"
                " FROM reading WHERE series = ? AND measured_at >= ? AND measured_at < ?"
                " ORDER BY measured_at LIMIT ?",
                (series.id, from_ms, to_ms, limit),
            ).fetchall()
        merged = tail | {row[0]: Point(*row) for row in rows}
        return sorted(merged.values())[:limit]

    def averages(self, series: Series, from_ms: int, to_ms: int, step_ms: int) -> list[Average]:
        """Means over steps counted from the Unix epoch, of the readings that are not bad.

        Where the readings themselves have been let go, hours answer for them: a step that is no
        multiple of an hour then holds the hours that begin in it.
        """
        with self._snapshot():
            kept_ms = kept_from(self._connection)
            hours = select_summaries(self._connection, series.id, from_ms, min(to_ms, kept_ms))
            from_ms = max(from_ms, kept_ms)
            tail = self._tail(series.id, from_ms, to_ms)
            rows = self._connection.execute(
                "SELECT measured_at / ?1 * ?1 AS start, sum(value), min(value), max(value),"
                " count(*) FROM reading WHERE series = ?2 AND measured_at >= ?3"
                " AND measured_at < ?4 AND quality < ?5 GROUP BY start ORDER BY start",
                (step_ms, series.id, from_ms, to_ms, int(Quality.BAD)),
            ).fetchall()
            tail = self._without_folded(series.id, tail)
        steps = _Steps(step_ms)
        for start, *sums in rows:
            steps.add(start, *sums)
        for hour in hours:
            if hour.minimum is not None and hour.maximum is not None:
                steps.add(hour.start_ms, hour.total, hour.minimum, hour.maximum, hour.samples)
        for point in tail.values():
            if point.quality < Quality.BAD:
                steps.add(point.measured_at_ms, point.value, point.value, point.value, 1)
        return steps.averages()

    def latest(self, of: Sequence[Series] | None = None) -> Iterator[tuple[Series, Point]]:
        """The last measured reading of every series, or of those named.

        Read it to its end at once: all of it is one state of the store, which is kept so long.
        """
        with self._snapshot():
            unfolded = self._last_unfolded()
            # In parts: 50,000 series at once are ten megabytes more than what is made of them.
            for part in self._every_series() if of is None else _parts(of):
                ids = [series.id for series in part]
                newest = {row[0]: Point(*row[1:]) for row in self._last_folded(ids)}
                for series in part:
                    points = (newest.get(series.id), unfolded.get(series.id))
                    # Of two with one time the one that is sorted in stands.
                    found = max(filter(None, points), key=_measured_at, default=None)
                    if found is not None:
                        yield series, found

    def dead_letters(
        self,
        *,
        node: str | None = None,
        reason: str | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        after_id: int = 0,
        limit: int = 100,
    ) -> list[StoredDeadLetter]:
        """Dead letters by ascending id, beyond `after_id`; the period is of first reception."""
        chosen = LetterFilter(node, reason, from_ms, to_ms)
        return select_dead_letters(self._connection, chosen, after_id=after_id, limit=limit)

    def dead_letter_counts(self) -> dict[str, int]:
        """How many dead letters each reason has."""
        return dict(
            self._connection.execute("SELECT reason, count(*) FROM dead_letter GROUP BY reason")
        )

    def presences(self) -> dict[str, tuple[int, str]]:
        """(received_at_ms, payload) of each node's last presence."""
        rows = self._connection.execute("SELECT node, received_at, payload FROM presence")
        return {node: (received_at, payload) for node, received_at, payload in rows}

    def nodes(self) -> list[str]:
        """Every node that a series, a log, a presence or a dead letter tells of."""
        rows = self._connection.execute(
            "SELECT node FROM series UNION SELECT node FROM log UNION SELECT node FROM presence"
            " UNION SELECT node FROM dead_letter WHERE node <> '' ORDER BY node"
        )
        return [row[0] for row in rows]

    def logs(self, node: str | None = None) -> list[LogState]:
        """The logs of all nodes, or of one."""
        with self._snapshot():
            logs = self._connection.execute(
                "SELECT id, node, log, first_held, next_announced FROM log"
                " WHERE (? IS NULL OR node = ?) ORDER BY node, id",
                (node, node),
            ).fetchall()
            return [
                LogState(node_, log, first_held, next_announced, self._ranges(id_))
                for id_, node_, log, first_held, next_announced in logs
            ]

    def unfolded_packs(self) -> int:
        """How many packs wait to be sorted into their series."""
        (count,) = self._connection.execute(
            "SELECT count(*) FROM journal"
            " WHERE id > (SELECT journal_id FROM progress WHERE name = 'fold')"
        ).fetchone()
        return int(count)

    def _ranges(self, log: int) -> Ranges:
        return Ranges(
            self._connection.execute("SELECT first, last FROM received_range WHERE log = ?", (log,))
        )

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """One state of the file for several statements: a fold between them would be seen twice."""
        try:
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            raise as_store_error(self._path, error) from error

    def _unfolded(self, series_id: int | None = None) -> Iterator[tuple[StoredReading, int]]:
        """Readings of the journal's tail in the order of reception, of one series if given."""
        wanted = b"" if series_id is None else encode_series(series_id)
        rows = self._connection.execute(
            "SELECT received_at, readings FROM journal"
            " WHERE id > (SELECT journal_id FROM progress WHERE name = 'fold') ORDER BY id"
        )
        for received_at, blob in rows:
            # Most packs are of other nodes: looking for four bytes is cheaper than decoding them.
            if wanted in blob:
                for reading in decode_readings(blob):
                    if series_id is None or reading[0] == series_id:
                        yield reading, received_at

    def _tail(self, series_id: int, from_ms: int, to_ms: int) -> dict[int, Point]:
        """Unfolded readings of a series by time; of two with one time the earlier received."""
        tail: dict[int, Point] = {}
        for reading, received_at in self._unfolded(series_id):
            if from_ms <= reading[1] < to_ms:
                tail.setdefault(reading[1], _point(reading, received_at))
        return tail

    def _without_folded(self, series_id: int, tail: dict[int, Point]) -> dict[int, Point]:
        return {
            at: point
            for at, point in tail.items()
            if self._connection.execute(
                "SELECT 1 FROM reading WHERE series = ? AND measured_at = ?", (series_id, at)
            ).fetchone()
            is None
        }

    def _last_folded(self, ids: Sequence[int]) -> Iterator[tuple[int, int, float, int, int, int]]:
        """The last sorted-in reading of each of these series, by one statement."""
        yield from self._connection.execute(
            "SELECT r.series, measured_at, value, quality, measured_at + delay_ms, time_source"  # noqa: S608 - placeholders only
            " FROM series s JOIN reading r ON r.series = s.id AND r.measured_at ="
            " (SELECT max(measured_at) FROM reading WHERE series = s.id)"
            f" WHERE s.id IN ({','.join('?' * len(ids))})",
            ids,
        )

    def _every_series(self) -> Iterator[list[Series]]:
        last = 0
        while True:
            rows = self._connection.execute(
                "SELECT id, node, quantity, channel FROM series WHERE id > ? ORDER BY id LIMIT ?",
                (last, _IDS_PER_STATEMENT),
            ).fetchall()
            if not rows:
                return
            yield [Series(*row) for row in rows]
            last = rows[-1][0]

    def _last_unfolded(self) -> dict[int, Point]:
        """The last measured reading of each series that the journal's tail holds."""
        newest: dict[int, Point] = {}
        for reading, received_at in self._unfolded():
            standing = newest.get(reading[0])
            if standing is None or reading[1] > standing.measured_at_ms:
                newest[reading[0]] = _point(reading, received_at)
        return newest


def _parts(series: Sequence[Series]) -> Iterator[Sequence[Series]]:
    for at in range(0, len(series), _IDS_PER_STATEMENT):
        yield series[at : at + _IDS_PER_STATEMENT]


class _Steps:
    """Sums by step, to which more can be added."""

    def __init__(self, step_ms: int) -> None:
        self._step_ms = step_ms
        self._sums: dict[int, tuple[float, float, float, int]] = {}

    def add(self, at_ms: int, total: float, low: float, high: float, count: int) -> None:
        """Put in what was summed up from `at_ms` on."""
        start = at_ms // self._step_ms * self._step_ms
        known = self._sums.get(start)
        if known is not None:
            total, count = total + known[0], count + known[3]
            low, high = min(low, known[1]), max(high, known[2])
        self._sums[start] = (total, low, high, count)

    def averages(self) -> list[Average]:
        """By time."""
        return [
            Average(start, total / count, low, high, count)
            for start, (total, low, high, count) in sorted(self._sums.items())
        ]


def _point(reading: StoredReading, received_at_ms: int) -> Point:
    _, measured_at, value, quality, time_source = reading
    return Point(measured_at, value, quality, received_at_ms, time_source)
