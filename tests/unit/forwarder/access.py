"""The store of a test, as a forwarder reaches it."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from ingest.store.writer import StoreWriter

T = TypeVar("T")


class Access:
    """On the loop's own thread: nothing here takes long."""

    def __init__(self, store: StoreWriter) -> None:
        self._store = store

    async def read(self, call: Callable[[sqlite3.Connection], T]) -> T:
        return self._store.change(call)

    async def change(self, call: Callable[[sqlite3.Connection], T]) -> T:
        return self._store.change(call)
