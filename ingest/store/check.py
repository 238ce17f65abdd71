"""Looks a store over from outside: can it be read, and is SQLite's file whole."""

import sqlite3
from pathlib import Path

from ingest.errors import PreauError
from ingest.store.database import FILE_NAME, as_store_error, open_for_reading


def check_store(folder: Path) -> list[str]:
    """What is wrong with the store in `folder`, a sentence each; empty where all is well.

    Reads the whole file (about 3 s a GB). A folder without a store is well.
    """
    if not any((folder / name).exists() for name in (FILE_NAME, f"{FILE_NAME}-wal")):
        return []
    try:
        connection = open_for_reading(folder)
    except PreauError as error:
        return [str(error)]
    try:
        rows = connection.execute("PRAGMA integrity_check(10)").fetchall()
    except sqlite3.DatabaseError as error:
        return [str(as_store_error(folder / FILE_NAME, error))]
    finally:
        connection.close()
    return [f"{folder / FILE_NAME}: {text}" for (text,) in rows if text != "ok"]
