"""Sorts the journal into the table of readings, where repeats and conflicts come to light.

It works on a connection inside the caller's transaction. Key of a reading: node, quantity, channel
and time of measuring. Same key and value: a repeat, not stored again. Same key, other value: a
dead letter; nothing stored is ever overwritten.
"""

import json
import sqlite3
from dataclasses import dataclass
from typing import Final

from ingest.quantities import QUANTITIES
from ingest.readings import MAIN_CHANNEL
from ingest.senml import VERSION
from ingest.store.deadletters import DeadLetter, insert_dead_letters
from ingest.store.encoding import decode_readings
from ingest.topics import base_name_of, topic_of

_READINGS_PER_STATEMENT: Final = 5000
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
    """Fold up to `max_packs` packs beyond the cursor, oldest first, and let go of their rows."""
    (cursor,) = connection.execute("SELECT journal_id FROM progress WHERE name = 'fold'").fetchone()
    journal = connection.execute(
        "SELECT id, received_at, readings FROM journal WHERE id > ? ORDER BY id LIMIT ?",
        (cursor, max_packs),
    ).fetchall()
    if not journal:
        return FoldResult()
    taken = _packs_of_one_turn(journal)
    has_more = taken < len(journal) or len(journal) == max_packs
    journal = journal[:taken]
    rows = _rows_of(journal)
    conflicts, repeats = _insert(connection, rows)
    insert_dead_letters(connection, [_conflict_letter(connection, *c) for c in conflicts])
    last_id = journal[-1][0]
    connection.execute("UPDATE progress SET journal_id = ? WHERE name = 'fold'", (last_id,))
    # A row of the journal goes once every reader of it has passed.
    connection.execute("DELETE FROM journal WHERE id <= (SELECT min(journal_id) FROM progress)")
    return FoldResult(len(journal), len(rows), repeats, len(conflicts), has_more)


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


def _insert(
    connection: sqlite3.Connection, rows: list[_Row]
) -> tuple[list[tuple[_Row, float]], int]:
    """Conflicts, each with the value that stands, and the number of repeats."""
    inserted = 0
    for at in range(0, len(rows), _READINGS_PER_STATEMENT):
        chunk = rows[at : at + _READINGS_PER_STATEMENT]
        values = ",".join(["(?,?,?,?,?,?)"] * len(chunk))
        inserted += connection.execute(
            f"INSERT INTO reading VALUES {values} ON CONFLICT DO NOTHING",  # noqa: S608 - placeholders only
            [field for row in chunk for field in row],
        ).rowcount
    refused = len(rows) - inserted
    if not refused:
        return [], 0
    standing = _standing_values(connection, rows)
    conflicts = [
        (row, standing[row[0], row[1]]) for row in rows if standing[row[0], row[1]] != row[2]
    ]
    return conflicts, refused - len(conflicts)


def _standing_values(
    connection: sqlite3.Connection, rows: list[_Row]
) -> dict[tuple[int, int], float]:
    standing = {}
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
    name = quantity if channel == MAIN_CHANNEL else f"{quantity}.{channel}"
    content: dict[str, object] = {
        "bn": base_name_of(node),
        "bver": VERSION,
        "bt": measured_at // 1000,
        "t": measured_at % 1000 / 1000,
        "n": name,
    }
    if QUANTITIES[quantity].kind == "boolean":
        content["vb"] = bool(value)
    else:
        content |= {"u": QUANTITIES[quantity].unit, "v": value}
    return DeadLetter(
        node=node,
        topic=topic_of(node, "readings"),
        reason="conflict",
        detail=f"{name} at {measured_at} ms is {value!r}, {standing!r} stands",
        payload=json.dumps([content]).encode(),
        received_at_ms=measured_at + delay_ms,
    )
