"""What each forwarder has said of where nodes were, and what it needs to say it again.

It works on a connection that it is handed.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ingest.store.encoding import StoredReading

_Place = tuple[str, str, str]
"""(site, building, room)"""


def forwarded_placements(
    connection: sqlite3.Connection, name: str
) -> dict[str, list[tuple[int, _Place]]]:
    """By node: since when (Unix milliseconds) its points have which place, by time."""
    placements: defaultdict[str, list[tuple[int, _Place]]] = defaultdict(list)
    rows = connection.execute(
        "SELECT node, since, site, building, room FROM forwarded_placement"
        " WHERE forwarder = ? ORDER BY node, since",
        (name,),
    )
    for node, since, site, building, room in rows:
        placements[node].append((since, (site, building, room)))
    return dict(placements)


def set_forwarded_placements(
    connection: sqlite3.Connection,
    name: str,
    placements: Mapping[str, Sequence[tuple[int, _Place]]],
) -> None:
    """Say it anew for the nodes of `placements`."""
    for node, changes in placements.items():
        connection.execute(
            "DELETE FROM forwarded_placement WHERE forwarder = ? AND node = ?", (name, node)
        )
        for since, place in changes:
            connection.execute(
                "INSERT INTO forwarded_placement VALUES (?, ?, ?, ?, ?, ?)",
                (name, node, since, *place),
            )


def series_names(
    connection: sqlite3.Connection, ids: Sequence[int] | None = None
) -> dict[int, tuple[str, str, str]]:
    """(node, quantity, channel) of these series, or of all."""
    statement = "SELECT id, node, quantity, channel FROM series"
    if ids is None:
        rows = connection.execute(statement)
    else:
        chosen = f"{statement} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608 - placeholders only
        rows = connection.execute(chosen, (json.dumps(ids),))
    return {id_: (node, quantity, channel) for id_, node, quantity, channel in rows}


def next_readings(
    connection: sqlite3.Connection, node: str, from_ms: int, to_ms: float, window_ms: int
) -> tuple[list[StoredReading], int | None]:
    """What is sorted in of a node's first `window_ms` with readings in a period, by time.

    And where to go on; `None` where that was all.
    """
    (first,) = connection.execute(
        "SELECT min((SELECT measured_at FROM reading WHERE series = s.id AND measured_at >= ?"
        " ORDER BY measured_at LIMIT 1)) FROM series s WHERE node = ?",
        (from_ms, node),
    ).fetchone()
    if first is None or first >= to_ms:
        return [], None
    end = int(min(to_ms, first + window_ms))
    readings = connection.execute(
        "SELECT series, measured_at, value, quality, time_source FROM reading"
        " WHERE series IN (SELECT id FROM series WHERE node = ?)"
        " AND measured_at >= ? AND measured_at < ? ORDER BY measured_at, series",
        (node, first, end),
    ).fetchall()
    return readings, end if end < to_ms else None


def kept_from(connection: sqlite3.Connection) -> int:
    """Readings measured before this time may have been let go."""
    (kept,) = connection.execute("SELECT kept_from FROM horizon").fetchone()
    return int(kept)
