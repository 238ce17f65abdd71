"""The demo town's last days in a real InfluxDB, written by the product's own writers."""

import asyncio
from pathlib import Path

from gateway.gateway_health import GatewayHealth
from gateway.metrics import Metrics
from gateway.nodes import NodeRegistry, Presence
from ingest.forwarder.forwarder import Forwarder
from ingest.forwarder.placements import Placements
from ingest.forwarder.target import Target
from ingest.forwarder.v1 import InfluxV1
from ingest.latest import LatestReadings
from ingest.pipeline import Incoming, Pipeline
from ingest.store.cursors import forwarder_cursor, set_forwarders
from ingest.store.reader import StoreReader
from ingest.store.writer import StoreWriter
from simulators.history import history_packs
from simulators.town import Town, demo_town
from tests.servers import eventually

NOW_MS = 1_768_293_600_000
"""Tuesday 13 January 2026, 09:40 in Paris: lessons go on, and not every room is warm yet."""
DAYS = 8
SILENT_MINUTES = 90
"""For so long the node of the library has sent nothing."""
MINUTE_MS = 60_000
HEALTH_MINUTES = 120


class _Access:
    """A store within one thread, as a forwarder reaches it."""

    def __init__(self, store: StoreWriter) -> None:
        self._store = store

    async def read(self, call):
        return self._store.change(call)

    async def change(self, call):
        return self._store.change(call)


def silent_node(town: Town) -> str:
    return next(room.node for room in town.rooms if room.ref == "prevert/bibliotheque")


def fill(folder: Path, target: Target, *, days: float = DAYS, now_ms: int = NOW_MS) -> Town:
    """Put `days` of the demo town into the store in `folder`, and all of it into `target`."""
    town = demo_town()
    silent, silent_ms = silent_node(town), now_ms - SILENT_MINUTES * MINUTE_MS
    start_ms = round(now_ms - days * 86_400_000)
    with StoreWriter(folder) as store:
        store.change(set_forwarders, ["town"])
        pipeline = Pipeline(store)
        packs = [
            Incoming(*pack)
            for pack in history_packs(town, start_ms, now_ms)
            if pack.received_at_ms < silent_ms or silent not in pack.topic
        ]
        for at in range(0, len(packs), 2000):
            pipeline.take(packs[at : at + 2000])
            store.fold(2000)
        asyncio.run(_ship(folder, store, town, target, now_ms))
    return town


async def _ship(folder: Path, store: StoreWriter, town: Town, target: Target, now_ms: int) -> None:
    placements = Placements.of(town.estate)
    forwarder = Forwarder("town", InfluxV1(target), _Access(store), lambda: placements)
    shipping = asyncio.create_task(forwarder.run_loop())
    last_id = store.change(lambda c: c.execute("SELECT max(id) FROM journal").fetchone()[0])
    await eventually(lambda: store.change(lambda c: forwarder_cursor(c, "town")) == last_id, 60)
    await eventually(lambda: not forwarder.waiting, 60)
    with StoreReader(folder) as reader:
        latest = LatestReadings(reader.latest())
    async with InfluxV1(target) as client:
        for at_ms, health in _healths(town, latest, forwarder, now_ms):
            await client.write(b"\n".join(health.lines(at_ms)))
    shipping.cancel()


def _healths(town: Town, latest: LatestReadings, forwarder: Forwarder, now_ms: int):
    """`gateway_health` minute by minute; the counters grow, one node restarts in between."""
    metrics = Metrics()
    metrics.gauge("store_room_bytes", "", lambda: 20e9)
    for minute in range(HEALTH_MINUTES + 1):
        at_ms = now_ms - (HEALTH_MINUTES - minute) * MINUTE_MS
        metrics.packs.inc(12)
        metrics.readings.inc(60)
        metrics.receipts.inc(12)
        metrics.commit_seconds.observe(0.004)
        if minute % 40 == 0:
            metrics.dead_letters.labels("wrong_unit").inc()
            metrics.repeats.inc(3)
        yield (
            at_ms,
            GatewayHealth(
                estate=lambda: town.estate,
                placements=lambda: Placements.of(town.estate),
                latest=latest,
                nodes=_registry(town, minute),
                metrics=metrics,
                forwarders=[forwarder],
                gateway="passerelle",
            ),
        )


def _registry(town: Town, minute: int) -> NodeRegistry:
    return NodeRegistry(
        Presence(
            node=room.node,
            online=room.node != silent_node(town),
            firmware="1.0.0" if place else "1.1.0",
            boots=3 + (minute > 60 and place == 2),
        )
        for place, room in enumerate(town.rooms)
    )
