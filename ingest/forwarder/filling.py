"""Sends a forwarder that is new what the store held before it, a day of a node at a time.

What arrives has precedence: whoever calls `step` does so when nothing waits. It knows no InfluxDB.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from ingest.forwarder.access import StoreAccess
from ingest.forwarder.batches import period_of_node
from ingest.forwarder.lines import LineWriter
from ingest.forwarder.placements import NEVER_ENDS
from ingest.store.filling import end_filling, filled_up_to, next_to_fill, note_filled

_log = logging.getLogger(__name__)

_ALWAYS: Final = -(2**62)


@dataclass(slots=True)
class Filling:
    """One forwarder's. `send` returns when the lines are accepted, or are dead letters."""

    name: str
    store: StoreAccess
    send: Callable[[Sequence[bytes]], Awaitable[None]]
    is_over: bool = False
    points: int = 0
    _node: str | None = None
    _next_ms: int = _ALWAYS

    async def begin(self) -> None:
        """See whether there is anything to send at all."""
        self.is_over = await self.store.read(partial(filled_up_to, name=self.name)) is None

    async def step(self, writer: LineWriter) -> bool:
        """Send one day of one node; `False` where there was nothing to send."""
        if self.is_over:
            return False
        if self._node is None:
            self._node, self._next_ms = await self._next_node(), _ALWAYS
            if self._node is None:
                await self._end()
                return False
        lines, next_ms = await self.store.read(
            partial(
                period_of_node,
                writer=writer,
                node=self._node,
                from_ms=self._next_ms,
                to_ms=NEVER_ENDS,
            )
        )
        await self.send(lines)
        self.points += len(lines)
        if next_ms is None:
            await self.store.change(partial(note_filled, name=self.name, node=self._node))
            self._node = None
        else:
            self._next_ms = next_ms
        return True

    async def _next_node(self) -> str | None:
        return await self.store.read(partial(next_to_fill, name=self.name))

    async def _end(self) -> None:
        await self.store.change(partial(end_filling, name=self.name))
        self.is_over = True
        if self.points:
            _log.warning("%s: has what the store held before it, %d points", self.name, self.points)
