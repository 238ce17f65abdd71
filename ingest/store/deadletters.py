"""Dead letters: what could not be used, kept with its reason, unique by content.

It writes and reads the tables `dead_letter` and `dead_letter_overflow` on a connection that it is
handed, inside the caller's transaction.
"""

import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

KEPT_BYTES: Final = 16 * 1024
QUOTA_PER_NODE: Final = 1000
KEPT_TOPIC: Final = 256
_BEYOND_QUOTA: Final = ("time_ahead", "conflict", "internal_error")
"""Readings that may be right while this side is wrong: their letters are never let go."""

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
    counted = "node = ? AND reason NOT IN (?, ?, ?)"
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


def select_dead_letters(
    connection: sqlite3.Connection,
    *,
    node: str | None = None,
    reason: str | None = None,
    after_id: int = 0,
    limit: int = 100,
) -> Iterator[StoredDeadLetter]:
    """Dead letters in the order of their ids, of one node or reason where given."""
    rows = connection.execute(
        "SELECT id, nullif(node, ''), topic, reason, detail, log, seq, received_at,"
        " last_received_at, times, length, payload FROM dead_letter"
        " WHERE id > ? AND (? IS NULL OR node = ?) AND (? IS NULL OR reason = ?)"
        " ORDER BY id LIMIT ?",
        (after_id, node, node, reason, reason, limit),
    )
    return (StoredDeadLetter(*row) for row in rows)
