"""Sorts the journal into the table of readings, where repeats and conflicts come to light.

It works on a connection inside the caller's transaction. Key of a reading: node, quantity, channel
and time of measuring. Same key and value: a repeat, not stored again. Same key, other value: a
dead letter; nothing stored is ever overwritten.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from ingest.store.cursors import fold_cursor, let_go
from ingest.store.deadletters import DeadLetter, insert_dead_letters
from ingest.store.encoding import StoredReading, decode_readings, encode_readings
from ingest.store.letters import conflict_letter
from ingest.store.summaries import add_late

_READINGS_PER_STATEMENT: Final = 2000
"""A statement of 5,000 is no faster, and holds three megabytes as long as it is kept."""
_KEYS_PER_STATEMENT: Final = 10_000
_BYTES_PER_TURN: Final = 1_000_000
"""Some 45,000 readings."""

_Row = tuple[int, int, float, int, int, int]
"""(series, measured_at, value, quality, delay_ms, time_source)"""


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What one fold did: packs and readings taken from the journal, and what became of them."""

    packs: int = 0
    readings: int = 0
    repeats: int = 0
    conflicts: int = 0
    has_more: bool = False
    """The journal holds more than one turn."""


def fold_journal(connection: sqlite3.Connection, max_packs: int) -> FoldResult:
    """Fold up to `max_packs` packs beyond the cursor, oldest first.

    Of each row that a forwarder still needs only the readings stay that were new.
    """
    journal = connection.execute(
        "SELECT id, received_at, readings FROM journal WHERE id > ? ORDER BY id LIMIT ?",
        (fold_cursor(connection), max_packs),
    ).fetchall()
    if not journal:
        return FoldResult()
    taken = _packs_of_one_turn(journal)
    has_more = taken < len(journal) or len(journal) == max_packs
    journal = journal[:taken]
    rows = _rows_of(journal)
    sorted_in = _insert(connection, rows)
    letters = [_conflict_letter(connection, *conflict) for conflict in sorted_in.conflicts]
    insert_dead_letters(connection, letters)
    add_late(connection, sorted_in.fresh)
    if len(sorted_in.fresh) < len(rows):
        _keep_only(connection, journal, sorted_in.fresh)
    connection.execute("UPDATE progress SET journal_id = ? WHERE name = 'fold'", (journal[-1][0],))
    let_go(connection)
    conflicts = len(sorted_in.conflicts)
    repeats = len(rows) - len(sorted_in.fresh) - conflicts
    return FoldResult(len(journal), len(rows), repeats, conflicts, has_more)


def _packs_of_one_turn(journal: list[tuple[int, int, bytes]]) -> int:
    """How many of the packs are folded at once: a commit waits for as long as it takes."""
    size = 0
    for count, (_, _, blob) in enumerate(journal, 1):
        size += len(blob)
        if size >= _BYTES_PER_TURN:
            return count
    return len(journal)


def _rows_of(journal: list[tuple[int, int, bytes]]) -> list[_Row]:
    """Readings in the order of the table; of two with one key the earlier received comes first."""
    rows = [
        (series, at, value, quality, received_at - at, source)
        for _, received_at, blob in journal
        for series, at, value, quality, source in decode_readings(blob)
    ]
    rows.sort(key=lambda row: (row[0], row[1]))
    return rows


@dataclass(frozen=True, slots=True)
class _SortedIn:
    """`fresh` are in the table now; of a conflict the row, and the value that stands."""

    fresh: list[_Row]
    conflicts: list[tuple[_Row, float]]


def _insert(connection: sqlite3.Connection, rows: list[_Row]) -> _SortedIn:
    # Nearly always all are new: which are not is looked up only where some were refused.
    connection.execute("SAVEPOINT sorting_in")
    inserted = _insert_rows(connection, rows)
    if inserted < len(rows):
        connection.execute("ROLLBACK TO sorting_in")
    connection.execute("RELEASE sorting_in")
    if inserted == len(rows):
        return _SortedIn(rows, [])
    standing = _standing_values(connection, rows)
    fresh, conflicts = [], []
    for row in rows:
        stands = standing.setdefault((row[0], row[1]), None)
        if stands is None:
            standing[row[0], row[1]] = row[2]
            fresh.append(row)
        elif stands != row[2]:
            conflicts.append((row, stands))
    _insert_rows(connection, fresh)
    return _SortedIn(fresh, conflicts)


def _insert_rows(connection: sqlite3.Connection, rows: list[_Row]) -> int:
    inserted = 0
    for at in range(0, len(rows), _READINGS_PER_STATEMENT):
        chunk = rows[at : at + _READINGS_PER_STATEMENT]
        values = ",".join(["(?,?,?,?,?,?)"] * len(chunk))
        inserted += connection.execute(
            f"INSERT INTO reading VALUES {values} ON CONFLICT DO NOTHING",  # noqa: S608 - placeholders only
            [field for row in chunk for field in row],
        ).rowcount
    return inserted


def _keep_only(
    connection: sqlite3.Connection, journal: list[tuple[int, int, bytes]], fresh: list[_Row]
) -> None:
    """Take repeats and conflicts out of the rows, where anyone reads them after the fold."""
    (readers,) = connection.execute("SELECT count(*) FROM progress").fetchone()
    if readers == 1:
        return
    values = {(row[0], row[1]): row[2] for row in fresh}

    def is_new(reading: StoredReading) -> bool:
        # Rows come in the order of reception: the first that gives the value is the one stored.
        key = (reading[0], reading[1])
        if values.get(key) != reading[2]:
            return False
        del values[key]
        return True

    for id_, _, blob in journal:
        kept = encode_readings([r for r in decode_readings(blob) if is_new(r)])
        if kept != blob:
            connection.execute("UPDATE journal SET readings = ? WHERE id = ?", (kept, id_))


def _standing_values(
    connection: sqlite3.Connection, rows: list[_Row]
) -> dict[tuple[int, int], float | None]:
    standing: dict[tuple[int, int], float | None] = {}
    for at in range(0, len(rows), _KEYS_PER_STATEMENT):
        chunk = rows[at : at + _KEYS_PER_STATEMENT]
        values = ",".join(["(?,?)"] * len(chunk))
        found = connection.execute(
            "SELECT series, measured_at, value FROM reading"  # noqa: S608 - placeholders only
            f" WHERE (series, measured_at) IN (VALUES {values})",
            [field for row in chunk for field in row[:2]],
        )
        standing.update({(series, measured_at): value for series, measured_at, value in found})
    return standing


def _conflict_letter(connection: sqlite3.Connection, row: _Row, standing: float) -> DeadLetter:
    series, measured_at, value, _, delay_ms, _ = row
    node, quantity, channel = connection.execute(
        "SELECT node, quantity, channel FROM series WHERE id = ?", (series,)
    ).fetchone()
    return conflict_letter(node, (quantity, channel, measured_at, value), standing, delay_ms)
