"""A second file of a store: copied while the first is written to, and looked over as a whole.

Any schema up to this version's is taken: a copy of an older one is upgraded by the service that
opens it. It knows no archives.
"""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import Final

from ingest.archive.disk import new_file
from ingest.errors import StoreError
from ingest.store.database import APPLICATION_ID, BUSY_TIMEOUT_S, as_store_error, schema_files

_LOOK_S: Final = 0.2

Progress = Callable[[str, int, int], None]
"""Told what is being done, and how many bytes of how many are."""


def untold(_doing: str, _done: int, _total: int) -> None:
    """Nobody looks on."""


class OriginalStore:
    """One read-only connection to the store at `file`. Raises `StoreError`."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            raise StoreError(f"{file} does not exist: no gateway has run with this data folder yet")
        self._file = file
        # Not `open_for_reading`: query_only forbids VACUUM INTO another file as well.
        self._connection = _connected(file, "mode=ro")
        try:
            self.schema = _schema_of(self._connection, file)
            self.size = self._size()
        except sqlite3.DatabaseError as error:
            self.close()
            raise as_store_error(file, error) from error
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def copy(self, into: Path, progress: Progress) -> None:
        """Write the state of one moment into `into`, a new file; about `size` bytes."""
        # SQLite takes an empty file as it is, and would let the whole group read one of its own.
        new_file(into).close()
        try:
            _watched(
                self._connection,
                "VACUUM INTO ?",
                (str(into),),
                lambda: progress("copying", into.stat().st_size, self.size),
            )
        except sqlite3.DatabaseError as error:
            is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            raise as_store_error(into if is_full else self._file, error) from error

    def _size(self) -> int:
        pages, free, size = (
            int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size


def require_whole(copy: Path, schema: int, remedy: str, progress: Progress) -> None:
    """Read all of a copy that nobody else has open. Raises `StoreError` where it is damaged."""
    size = copy.stat().st_size
    try:
        # immutable: no lock, and no -wal file left beside it.
        with closing(_connected(copy, "mode=ro&immutable=1")) as connection:
            if _schema_of(connection, copy) != schema:
                raise StoreError(f"the copy has another schema than {schema}: {remedy}")
            found = _watched(
                connection, "PRAGMA integrity_check(1)", (), lambda: progress("checking", 0, size)
            )
    except sqlite3.DatabaseError as error:
        raise StoreError(f"the copy can't be read ({error}): {remedy}") from error
    if found != ["ok"]:
        raise StoreError(f"the copy is not whole ({found[0]}): {remedy}")


def require_known(schema: int, file: Path) -> None:
    """Raise `StoreError` where `schema` is of a later version than this one."""
    latest = schema_files()[-1][0]
    if schema > latest:
        raise StoreError(
            f"{file} has schema {schema}, this version knows {latest}: install a newer preau"
        )


def _connected(file: Path, query: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?{query}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_S,
    )


def _schema_of(connection: sqlite3.Connection, file: Path) -> int:
    identity: int = connection.execute("PRAGMA application_id").fetchone()[0]
    schema: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if identity != APPLICATION_ID:
        raise StoreError(f"{file} is not a store of Préau")
    require_known(schema, file)
    return schema


def _watched(
    connection: sqlite3.Connection, sql: str, values: tuple[str, ...], look: Callable[[], None]
) -> list[str]:
    """Run a long statement so that Ctrl-C ends it: inside SQLite no signal is heard."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: [str(row[0]) for row in connection.execute(sql, values)])
        try:
            # At once as well: what is short is told too.
            look()
            while not wait([asked], _LOOK_S).done:
                look()
        finally:
            while not asked.done():
                connection.interrupt()
                wait([asked], _LOOK_S)
    return asked.result()
