"""Dead letters: what could not be used, kept with its reason, unique by content.

It writes and reads the tables `dead_letter` and `dead_letter_overflow` on a connection that it is
handed, inside the caller's transaction.
"""

import hashlib
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

KEPT_BYTES: Final = 16 * 1024
QUOTA_PER_NODE: Final = 1000
KEPT_TOPIC: Final = 256
_BEYOND_QUOTA: Final = (
    "time_ahead",
    "conflict",
    "internal_error",
    "before_window",
    "forwarder_refused",
)
"""Readings that may be right while this side is wrong: their letters are never let go."""

_COLUMNS: Final = (
    "id, nullif(node, ''), topic, reason, detail, log, seq, received_at, last_received_at, times,"
    " length, payload"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message, or one record of it, that is kept aside.

    `node` is `None` where the topic names none; `log` and `seq` where they could not be read.
    """

    node: str | None
    topic: str
    reason: str
    detail: str
    payload: bytes
    received_at_ms: int
    log: str | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A dead letter as the store keeps it; `payload` holds its first 16 KiB of `length` bytes."""

    id: int
    node: str | None
    topic: str
    reason: str
    detail: str
    log: str | None
    seq: int | None
    received_at_ms: int
    last_received_at_ms: int
    times: int
    length: int
    payload: bytes


def insert_dead_letters(
    connection: sqlite3.Connection, letters: Iterable[DeadLetter], quota: int = QUOTA_PER_NODE
) -> None:
    """Keep `letters`; a repeat counts up, and the oldest of a node over its quota is let go."""
    nodes = set()
    for letter in letters:
        _insert(connection, letter)
        if letter.reason not in _BEYOND_QUOTA:
            nodes.add(letter.node or "")
    for node in nodes:
        _hold_quota(connection, node, quota)


def _insert(connection: sqlite3.Connection, letter: DeadLetter) -> None:
    # The detail of a time ahead differs at each repeat: topic, reason and content identify.
    content = b"\0".join((letter.topic.encode(), letter.reason.encode(), letter.payload))
    connection.execute(
        "INSERT INTO dead_letter (hash, node, topic, reason, detail, log, seq, received_at,"
        " last_received_at, length, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (hash) DO UPDATE SET times = times + 1,"
        " last_received_at = max(last_received_at, excluded.last_received_at)",
        (
            hashlib.sha256(content).digest(),
            letter.node or "",
            letter.topic[:KEPT_TOPIC],
            letter.reason,
            letter.detail,
            letter.log,
            letter.seq,
            letter.received_at_ms,
            letter.received_at_ms,
            len(letter.payload),
            letter.payload[:KEPT_BYTES],
        ),
    )


def _hold_quota(connection: sqlite3.Connection, node: str, quota: int) -> None:
    counted = f"node = ? AND reason NOT IN ({', '.join('?' * len(_BEYOND_QUOTA))})"
    (held,) = connection.execute(
        f"SELECT count(*) FROM dead_letter WHERE {counted}",  # noqa: S608 - placeholders only
        (node, *_BEYOND_QUOTA),
    ).fetchone()
    over = held - quota
    if over <= 0:
        return
    connection.execute(
        "DELETE FROM dead_letter WHERE id IN"  # noqa: S608 - placeholders only
        f" (SELECT id FROM dead_letter WHERE {counted} ORDER BY id LIMIT ?)",
        (node, *_BEYOND_QUOTA, over),
    )
    connection.execute(
        "INSERT INTO dead_letter_overflow VALUES (?, ?)"
        " ON CONFLICT (node) DO UPDATE SET letters = letters + excluded.letters",
        (node, over),
    )
    _log.warning("%s: %d oldest dead letters let go, the quota is %d", node or "-", over, quota)


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant; what is `None` does not restrict.

    `from_ms` and `to_ms` (exclusive) are of the first reception, `before_ms` of the last: what
    still comes in is not old.
    """

    node: str | None = None
    reason: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    before_ms: int | None = None

    def where(self) -> tuple[str, list[str | int]]:
        """A condition of SQL and its parameters."""
        wanted = (
            ("node = ?", self.node),
            ("reason = ?", self.reason),
            ("received_at >= ?", self.from_ms),
            ("received_at < ?", self.to_ms),
            ("last_received_at < ?", self.before_ms),
        )
        given = [(test, value) for test, value in wanted if value is not None]
        return " AND ".join(["1", *(test for test, _ in given)]), [value for _, value in given]


ALL_LETTERS: Final = LetterFilter()


def select_dead_letters(
    connection: sqlite3.Connection,
    chosen: LetterFilter = ALL_LETTERS,
    *,
    after_id: int = 0,
    limit: int = 100,
) -> list[StoredDeadLetter]:
    """The dead letters that `chosen` names, in the order of their ids, beyond `after_id`."""
    where, values = chosen.where()
    query = f"SELECT {_COLUMNS} FROM dead_letter WHERE id > ? AND {where} ORDER BY id LIMIT ?"  # noqa: S608 - placeholders only
    return [StoredDeadLetter(*row) for row in connection.execute(query, (after_id, *values, limit))]


def newest_dead_letter(connection: sqlite3.Connection) -> int:
    """The largest id of all, 0 where there is none."""
    (newest,) = connection.execute("SELECT ifnull(max(id), 0) FROM dead_letter").fetchone()
    return int(newest)


def find_dead_letter(connection: sqlite3.Connection, id_: int) -> StoredDeadLetter | None:
    """The dead letter of that id."""
    query = f"SELECT {_COLUMNS} FROM dead_letter WHERE id = ?"  # noqa: S608 - fixed text
    row = connection.execute(query, (id_,)).fetchone()
    return None if row is None else StoredDeadLetter(*row)


def count_dead_letters(
    connection: sqlite3.Connection, chosen: LetterFilter = ALL_LETTERS
) -> dict[str, int]:
    """How many dead letters `chosen` names, by reason."""
    where, values = chosen.where()
    query = f"SELECT reason, count(*) FROM dead_letter WHERE {where} GROUP BY reason"  # noqa: S608 - placeholders only
    return dict(connection.execute(query, values).fetchall())


def purge_dead_letters(connection: sqlite3.Connection, chosen: LetterFilter) -> dict[str, int]:
    """Remove for ever what `chosen` names; how many, by reason. In the caller's transaction."""
    counts = count_dead_letters(connection, chosen)
    where, values = chosen.where()
    connection.execute(f"DELETE FROM dead_letter WHERE {where}", values)  # noqa: S608 - placeholders only
    return counts


def expire_dead_letters(connection: sqlite3.Connection, before_ms: int) -> int:
    """Remove what was last received before `before_ms`, whatever its reason; how many it was.

    Inside the caller's transaction.
    """
    counts = purge_dead_letters(connection, LetterFilter(before_ms=before_ms))
    if counts:
        told = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))
        total = sum(counts.values())
        _log.warning("%d dead letters let go, too old to be kept: %s", total, told)
    return sum(counts.values())


def remove_dead_letters(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Remove those that have been replayed. In the caller's transaction."""
    connection.executemany("DELETE FROM dead_letter WHERE id = ?", [(id_,) for id_ in ids])


def numbered_dead_letters(connection: sqlite3.Connection) -> dict[tuple[str, str], set[int]]:
    """The pack numbers of each (node, log) that a dead letter stands for."""
    numbers: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for node, log, seq in connection.execute(
        "SELECT node, log, seq FROM dead_letter WHERE log IS NOT NULL AND seq IS NOT NULL"
    ):
        numbers[node, log].add(seq)
    return dict(numbers)
