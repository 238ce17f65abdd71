"""Read-only access to the store for code on the event loop: a few threads, a reader each."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ingest.store.reader import StoreReader

T = TypeVar("T")


class ReaderPool:
    """Runs queries off the loop. `close` when nobody asks any more."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        self._folder = folder
        self._local = threading.local()
        self._readers: list[StoreReader] = []
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="store-reader")

    async def run(self, query: Callable[[StoreReader], T]) -> T:
        """The result of `query`, called with a reader on one of the pool's threads."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._call, query)

    def close(self) -> None:
        """Wait for what runs, then close every reader."""
        self._executor.shutdown()
        for reader in self._readers:
            reader.close()

    def _call(self, query: Callable[[StoreReader], T]) -> T:
        reader: StoreReader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = StoreReader(self._folder)
            self._readers.append(reader)
        return query(reader)
