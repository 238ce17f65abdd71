"""What has arrived and waits to be taken, in batches. It must not know MQTT or sockets.

Bounded: whoever fills it asks for `room` first and stops reading when there is none.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_BYTES: Final = 32 * 1024 * 1024
"""A queue full of ordinary packs is 2 MB; this bounds one that is full of nonsense."""


@dataclass(slots=True)
class Delivery:
    """One message as the broker delivered it.

    `connection` is the ordinal of the connection it came on: its acknowledgement may only go
    back there. `mid` is the broker's id for it there, 0 with QoS 0.
    """

    topic: str
    payload: bytes
    retained: bool
    received_at_ms: int
    qos: int
    mid: int
    connection: int


class Inbox:
    """Deliveries in the order of arrival, for one reader."""

    def __init__(self, size: int, max_bytes: int = MAX_BYTES) -> None:
        self.size = size
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._waiting: list[Delivery] = []
        self._reader: asyncio.Future[None] | None = None
        self._wanted = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def extend(self, deliveries: list[Delivery]) -> None:
        """Add what arrived; the reader wakes once for a batch, not for each delivery."""
        self._waiting += deliveries
        self._held_bytes += sum(len(delivery.payload) for delivery in deliveries)
        if (
            self._reader is not None
            and len(self._waiting) >= self._wanted
            and not self._reader.done()
        ):
            self._reader.set_result(None)

    def release(self, deliveries: Sequence[Delivery]) -> None:
        """What was handed out needs no memory any more."""
        self._held_bytes -= sum(len(delivery.payload) for delivery in deliveries)

    @property
    def is_heavy(self) -> bool:
        """Whether what is held, handed out or not, is over the limit in bytes."""
        return self._held_bytes > self._max_bytes

    async def next_batch(self, max_count: int, max_wait_s: float) -> list[Delivery]:
        """Wait for a first delivery, then for what arrives within `max_wait_s`.

        Returns early with `max_count`, or with all that the inbox may hold.
        """
        await self._until(1, None)
        await self._until(min(max_count, self.size), max_wait_s)
        batch = self._waiting[:max_count]
        del self._waiting[:max_count]
        return batch

    async def _until(self, count: int, timeout_s: float | None) -> None:
        if len(self._waiting) >= count:
            return
        if self._reader is not None:
            raise RuntimeError("an inbox has one reader")
        self._reader = asyncio.get_running_loop().create_future()
        self._wanted = count
        try:
            async with asyncio.timeout(timeout_s):
                await self._reader
        except TimeoutError:
            return
        finally:
            self._reader = None
