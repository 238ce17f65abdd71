"""How far forwarders have come that began when the store held readings already.

It works on a connection inside the caller's transaction. What is sorted in later comes to them by
the journal.
"""

import sqlite3


def begin_filling(connection: sqlite3.Connection, name: str) -> None:
    """Have all that is sorted in sent to `name`; nothing to do where nothing is."""
    connection.execute(
        "INSERT INTO forwarder_fill SELECT ?, '' WHERE EXISTS (SELECT 1 FROM reading)"
        " ON CONFLICT (forwarder) DO UPDATE SET node = ''",
        (name,),
    )


def end_filling(connection: sqlite3.Connection, name: str) -> None:
    """All was sent to `name`, or nobody wants it any more."""
    connection.execute("DELETE FROM forwarder_fill WHERE forwarder = ?", (name,))


def note_filled(connection: sqlite3.Connection, name: str, node: str) -> None:
    """What is of `node`, and of those before it by name, was sent to `name`."""
    connection.execute("UPDATE forwarder_fill SET node = ? WHERE forwarder = ?", (node, name))


def filled_up_to(connection: sqlite3.Connection, name: str) -> str | None:
    """The last node whose readings `name` has; `None` where it has those of all."""
    row = connection.execute(
        "SELECT node FROM forwarder_fill WHERE forwarder = ?", (name,)
    ).fetchone()
    return None if row is None else str(row[0])


def next_to_fill(connection: sqlite3.Connection, name: str) -> str | None:
    """The node whose readings are sent next; `None` after the last, or where all were sent."""
    row = connection.execute(
        "SELECT min(series.node) FROM series, forwarder_fill f"
        " WHERE f.forwarder = ? AND series.node > f.node",
        (name,),
    ).fetchone()
    return None if row[0] is None else str(row[0])


def is_anyone_filling(connection: sqlite3.Connection) -> bool:
    """Whether some forwarder has not got yet what was there before it."""
    return connection.execute("SELECT 1 FROM forwarder_fill").fetchone() is not None
