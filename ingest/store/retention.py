"""Lets readings go that are older than the window, once every forwarder has them.

It works on a connection inside the caller's transaction, in turns short enough to let commits
through. Summaries stay. It knows neither clock nor disk: how far to go is an argument.
"""

import sqlite3
from typing import Final

from ingest.store.filling import is_anyone_filling
from ingest.store.summaries import HOUR_MS, summarised_until

_NEVER_MS: Final = 2**62


def oldest_reading(connection: sqlite3.Connection) -> int | None:
    """When the oldest reading that is kept was measured."""
    (oldest,) = connection.execute(
        "SELECT min((SELECT measured_at FROM reading WHERE series = s.id"
        " ORDER BY measured_at LIMIT 1)) FROM series s"
    ).fetchone()
    return None if oldest is None else int(oldest)


def move_window(connection: sqlite3.Connection, kept_from_ms: int) -> int:
    """Let the window begin at `kept_from_ms`, and say where it begins now.

    Whole hours only, no further than the summaries reach, and never back: what has gone can't
    be told from a repeat any more. It stays where a forwarder has to get the old ones yet.
    """
    whole_hours = kept_from_ms // HOUR_MS * HOUR_MS
    (known,) = connection.execute("SELECT kept_from FROM horizon").fetchone()
    if is_anyone_filling(connection):
        return int(known)
    begins = max(int(known), min(whole_hours, summarised_until(connection)))
    connection.execute("UPDATE horizon SET kept_from = ?", (begins,))
    return begins


def bring_window_back(connection: sqlite3.Connection, steady_since_ms: int) -> bool:
    """Let a window that begins in the future begin at `steady_since_ms`; whether it did.

    A clock that was years ahead has moved it: else nothing more would be kept until then. What was
    measured since the clock is right has not gone, so that a repeat of it can be told.
    """
    begins = steady_since_ms // HOUR_MS * HOUR_MS
    changed = connection.execute(
        "UPDATE horizon SET kept_from = ?1 WHERE kept_from > ?1", (begins,)
    ).rowcount
    return changed > 0


def shipped_before(connection: sqlite3.Connection) -> int:
    """Readings received before this time are sorted in and shipped to everyone.

    The journal is searched, not its first row taken: a clock may have stepped back, and what is
    replayed was received long ago.
    """
    (first,) = connection.execute("SELECT min(received_at) FROM journal").fetchone()
    return _NEVER_MS if first is None else int(first)


def let_go_before_window(
    connection: sqlite3.Connection, after_series: int, most: int
) -> tuple[int, int | None]:
    """Remove about `most` readings from before the window: (how many, the series to go on after).

    The series is `None` when all are done. What has not been shipped stays for a later round: by
    the journal that is single readings, and everything while a forwarder is still filled.
    """
    if is_anyone_filling(connection):
        return 0, None
    (kept_from,) = connection.execute("SELECT kept_from FROM horizon").fetchone()
    shipped = shipped_before(connection)
    removed = 0
    series = connection.execute(
        "SELECT id FROM series WHERE id > ? ORDER BY id", (after_series,)
    ).fetchall()
    for (id_,) in series:
        before = _bound(connection, id_, kept_from, most)
        removed += connection.execute(
            "DELETE FROM reading WHERE series = ? AND measured_at < ?"
            " AND measured_at + delay_ms < ?",
            (id_, before, shipped),
        ).rowcount
        if removed >= most:
            # Some of this series may be left.
            return removed, id_ - 1
    return removed, None


def _bound(connection: sqlite3.Connection, series: int, kept_from: int, most: int) -> int:
    """Where to stop, so that about `most` readings lie before it."""
    row = connection.execute(
        "SELECT measured_at FROM reading WHERE series = ? AND measured_at < ?"
        " ORDER BY measured_at LIMIT 1 OFFSET ?",
        (series, kept_from, most),
    ).fetchone()
    return kept_from if row is None else int(row[0])


def free_in_file(connection: sqlite3.Connection) -> int:
    """Bytes of pages of the store's file that are free to be written again."""
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)
