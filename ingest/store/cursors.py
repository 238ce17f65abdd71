"""How far each reader of the journal has come: the fold, and every forwarder.

It works on a connection inside the caller's transaction. A row of the journal goes once everyone
has passed it.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from ingest.store.deadletters import DeadLetter, insert_dead_letters
from ingest.store.filling import begin_filling, end_filling

_FORWARDER: Final = "forwarder:"


def fold_cursor(connection: sqlite3.Connection) -> int:
    """The last journal id that is sorted in."""
    return _cursor(connection, "fold") or 0


def forwarder_cursor(connection: sqlite3.Connection, name: str) -> int | None:
    """The last journal id that `name` has shipped; `None` for one that has no cursor."""
    return _cursor(connection, _FORWARDER + name)


def forwarder_cursors(connection: sqlite3.Connection) -> dict[str, int]:
    """The cursors of all forwarders by name."""
    rows = connection.execute(
        "SELECT substr(name, ?), journal_id FROM progress WHERE name GLOB ?",
        (len(_FORWARDER) + 1, f"{_FORWARDER}*"),
    )
    return dict(rows.fetchall())


def set_forwarders(
    connection: sqlite3.Connection, names: Collection[str]
) -> tuple[list[str], list[str]]:
    """Let exactly `names` have cursors; (added, removed).

    A new one begins with what is folded next, and is to be filled with what is folded already.
    What waited only for a removed one goes; where it has said that nodes were is remembered, since
    its database may come back with points of then.
    """
    known = forwarder_cursors(connection)
    added = [name for name in names if name not in known]
    removed = [name for name in known if name not in names]
    begin = fold_cursor(connection)
    for name in added:
        connection.execute("INSERT INTO progress VALUES (?, ?)", (_FORWARDER + name, begin))
        begin_filling(connection, name)
    for name in removed:
        connection.execute("DELETE FROM progress WHERE name = ?", (_FORWARDER + name,))
        end_filling(connection, name)
    let_go(connection)
    return added, removed


def advance_forwarder(
    connection: sqlite3.Connection, name: str, journal_id: int, letters: Sequence[DeadLetter] = ()
) -> None:
    """Everything up to `journal_id` is shipped, except what `letters` tell."""
    connection.execute(
        "UPDATE progress SET journal_id = ? WHERE name = ?", (journal_id, _FORWARDER + name)
    )
    insert_dead_letters(connection, letters)
    let_go(connection)


def let_go(connection: sqlite3.Connection) -> None:
    """Remove the rows of the journal that every reader has passed."""
    connection.execute("DELETE FROM journal WHERE id <= (SELECT min(journal_id) FROM progress)")


def folded_rows(
    connection: sqlite3.Connection, after_id: int, limit: int
) -> Iterator[tuple[int, int, bytes]]:
    """(id, received_at_ms, readings) of the oldest folded rows beyond `after_id`."""
    yield from connection.execute(
        "SELECT id, received_at, readings FROM journal WHERE id > ? AND id <= ("
        "SELECT journal_id FROM progress WHERE name = 'fold') ORDER BY id LIMIT ?",
        (after_id, limit),
    )


def waiting_packs(connection: sqlite3.Connection, name: str) -> int:
    """How many packs of the journal `name` has not shipped."""
    (count,) = connection.execute(
        "SELECT max(0, coalesce((SELECT max(id) FROM journal), 0) - journal_id)"
        " FROM progress WHERE name = ?",
        (_FORWARDER + name,),
    ).fetchone() or (0,)
    return int(count)


def _cursor(connection: sqlite3.Connection, name: str) -> int | None:
    row = connection.execute("SELECT journal_id FROM progress WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])
