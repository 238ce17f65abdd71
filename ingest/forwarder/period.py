"""Sends what the store holds of a period again: idempotent, beside a running service.

It reads what is sorted in and changes nothing in the store.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from ingest.forwarder.batches import in_parts, period_of_node
from ingest.forwarder.lines import LineWriter
from ingest.forwarder.placements import Placements
from ingest.forwarder.shipping import Refused, Shipping
from ingest.store.reader import StoreReader

_POINTS: Final = 5000


@dataclass(frozen=True, slots=True)
class NodeSent:
    """One node is done: so many points, and those that were not taken."""

    node: str
    points: int
    refused: Sequence[Refused]


@dataclass(frozen=True, slots=True)
class Period:
    """The readings of `nodes` measured from `from_ms` to before `to_ms`, and where these were."""

    placements: Placements
    nodes: Sequence[str]
    from_ms: int
    to_ms: float


async def send_period(
    reader: StoreReader, shipping: Shipping, period: Period
) -> AsyncIterator[NodeSent]:
    """Send the readings of a period, node by node, each by time."""
    writer = LineWriter(period.placements)
    for node in period.nodes:
        points = 0
        refused: list[Refused] = []
        next_ms: int | None = period.from_ms
        while next_ms is not None:
            lines, next_ms = await asyncio.to_thread(
                reader.ask, period_of_node, writer, node, next_ms, period.to_ms
            )
            for part in in_parts(lines, _POINTS):
                refused += await shipping.ship(part)
            points += len(lines)
        yield NodeSent(node, points, refused)
