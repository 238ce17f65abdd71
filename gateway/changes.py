"""Tells open pages that something changed, without a queue that could grow.

Each listener has one pending mark: many changes before it looks are one.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Changes:
    """A fan-out of "look again"."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()

    def notify(self) -> None:
        """Wake every listener; from the event loop only."""
        for listener in self._listeners:
            listener.set()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something changed; the listener clears it."""
        event = asyncio.Event()
        self._listeners.add(event)
        try:
            yield event
        finally:
            self._listeners.discard(event)
