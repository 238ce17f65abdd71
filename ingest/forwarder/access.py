"""How a forwarder reaches the store, whose threads it does not know."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ingest.backoff import backoff_s
from ingest.errors import TransientError

_log = logging.getLogger(__name__)

T = TypeVar("T")


class StoreAccess(Protocol):
    """Ways to read and to change the store. Both raise `TransientError`, and `StoreError`."""

    async def read(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `call` on one state of the store."""

    async def change(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `call`, durable when it returns."""


@dataclass(frozen=True, slots=True)
class PatientStore:
    """The same, however long the disk is full: what was shipped is only sent again."""

    name: str
    store: StoreAccess

    async def read(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """As `StoreAccess.read`, without its `TransientError`."""
        for pause_s in backoff_s():
            try:
                return await self.store.read(call)
            except TransientError as error:
                await self._wait(error, pause_s)
        raise AssertionError("backoff is endless")

    async def change(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """As `StoreAccess.change`, without its `TransientError`."""
        for pause_s in backoff_s():
            try:
                return await self.store.change(call)
            except TransientError as error:
                await self._wait(error, pause_s)
        raise AssertionError("backoff is endless")

    async def _wait(self, error: TransientError, pause_s: float) -> None:
        _log.warning("%s: %s", self.name, error)
        await asyncio.sleep(pause_s)
