"""Opens the store's file: its identity, its schema and the lock of its writer.

It knows how connections are set up and how schema files are applied, not what the tables mean.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

from ingest.errors import PreauError, StoreError, StoreFullError, TransientError

FILE_NAME: Final = "preau.db"
LOCK_NAME: Final = "preau.lock"
APPLICATION_ID: Final = 0x50524541  # "PREA" in the file's header, so that no other file is taken
BUSY_TIMEOUT_S: Final = 10
STATEMENTS_KEPT: Final = 8
"""Inserts of thousands of rows hold a megabyte each, and every number of rows is a statement."""
READERS_CACHE_KIB: Final = 512
WAL_KEPT_BYTES: Final = 64 * 1024 * 1024


class DataFolderLock:
    """The exclusive right to write to one data folder, held until `release` or the process ends."""

    def __init__(self, folder: Path) -> None:
        # What is measured in a school is nobody else's on this machine.
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = (folder / LOCK_NAME).open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise StoreError(
                f"{folder} is in use by another preau process: stop it, or choose another folder"
            ) from error

    def release(self) -> None:
        """Give the folder free."""
        self._file.close()


def schema_files() -> list[tuple[int, str]]:
    """(version, SQL) of every schema step, in order."""
    folder = resources.files("ingest.store") / "schema"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), (folder / name).read_text(encoding="utf-8")) for name in names]


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """The one writing connection; creates or upgrades the store. The caller holds the lock.

    Raises `StoreError` where the file is no store of ours, is newer, or is damaged.
    """
    path = folder / FILE_NAME
    _refuse_orphaned_wal(path)
    connection = sqlite3.connect(
        path,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_S,
        cached_statements=STATEMENTS_KEPT,
    )
    try:
        _check_identity(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # What a slow reader has made it grow to is given back at the next checkpoint.
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        _upgrade(connection)
    except (sqlite3.DatabaseError, StoreError) as error:
        connection.close()
        raise as_store_error(path, error) from error
    return connection


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """A connection that can't write and never checkpoints. Raises `StoreError`."""
    path = folder / FILE_NAME
    _refuse_orphaned_wal(path)
    if not path.exists():
        raise StoreError(f"{path} does not exist: no gateway has run with this data folder yet")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_S,
    )
    try:
        _require_latest(_check_identity(connection, path), path)
        connection.execute("PRAGMA query_only = ON")
        # There are several readers, and the system keeps the file's pages in memory once for all.
        connection.execute(f"PRAGMA cache_size = -{READERS_CACHE_KIB}")
    except (sqlite3.DatabaseError, StoreError) as error:
        connection.close()
        raise as_store_error(path, error) from error
    return connection


def _refuse_orphaned_wal(path: Path) -> None:
    """SQLite deletes the -wal file of a file that is empty or gone: with what was acknowledged."""
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists() and wal.stat().st_size and not (path.exists() and path.stat().st_size):
        found = "empty" if path.exists() else "not there"
        raise StoreError(
            f"{path} is {found}, but {wal.name} beside it holds {wal.stat().st_size} bytes of "
            f"readings: put {path.name} back, or keep {wal.name} elsewhere and restore a backup"
        )


def _require_latest(version: int, path: Path) -> None:
    latest = schema_files()[-1][0]
    if version != latest:
        raise StoreError(
            f"{path} has schema {version}, this version reads {latest}: "
            "start `preau run` once to upgrade it"
        )


def as_store_error(path: Path, error: sqlite3.DatabaseError | StoreError) -> PreauError:
    """What to say, and what to do, when SQLite can't use a file; only damage is called damage."""
    if isinstance(error, StoreError):
        return error
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StoreFullError(f"no room on the disk for the store: {path}: {error}")
    if isinstance(error, sqlite3.OperationalError):
        # Locked, no permission, an error of the disk: the content is not in doubt.
        return TransientError(f"{path} can't be used now ({error}): look for another program on it")
    return StoreError(
        f"{path} can't be read ({error}): keep a copy of it and of its -wal file, "
        "then run `preau check`, or start with an empty data folder"
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One write transaction: all of it, or on any exception nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    # A COMMIT that fails leaves the transaction open.
    try:
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check_identity(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of a store of ours; 0 for an empty file."""
    identity: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if identity != APPLICATION_ID and (identity or version or tables):
        raise StoreError(f"{path} is not a store of Préau: choose another data folder")
    latest = schema_files()[-1][0]
    if version > latest:
        raise StoreError(
            f"{path} has schema {version}, this version knows {latest}: install a newer preau"
        )
    return version


def _upgrade(connection: sqlite3.Connection) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, sql in schema_files():
        if number > version:
            # executescript would commit first: the step and its number are to be one transaction.
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA application_id = {APPLICATION_ID};\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )
