"""A corrected placement, while the window of the store moves on: nothing goes that is not sent."""

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import unquote_plus

from ingest.forwarder.forwarder import Forwarder
from ingest.forwarder.lines import time_of
from ingest.forwarder.placements import Placements, Tags
from ingest.forwarder.target import Target
from ingest.forwarder.v1 import InfluxV1
from ingest.readings import LogPosition
from ingest.store.cursors import advance_forwarder, set_forwarders
from ingest.store.forwarded import forwarded_placements, set_forwarded_placements
from ingest.store.retention import let_go_before_window, move_window
from ingest.store.summaries import DAY_MS, HOUR_MS, summarise
from ingest.store.writer import PackToStore, StoreWriter
from tests.http_peer import Answer, Request, http_peer
from tests.servers import eventually
from tests.unit.forwarder.access import Access

NODE = "3c71bf4a2b10"
T0 = 1_763_800_000_000 // DAY_MS * DAY_MS
HOURS = 120
WRONG, RIGHT = Tags("ecole", "nord", "r1"), Tags("ecole", "nord", "r2")
_BOUND = re.compile(r"time (>=|<) (\d+)ms")


def shipped_store(folder: Path) -> StoreWriter:
    """Five days of hours, all in InfluxDB under the wrong room."""
    store = StoreWriter(folder)
    store.change(set_forwarders, ["town"])
    for n in range(HOURS):
        at = T0 + n * HOUR_MS
        reading = ("co2", "main", at, 800.0 + n, 0, 0)
        store.commit([PackToStore(NODE, LogPosition("aa00aa00", n + 1, 1), at + 900, [reading])])
    store.fold()
    store.change(advance_forwarder, "town", HOURS)
    store.change(set_forwarded_placements, "town", {NODE: [(0, WRONG)]})
    while store.change(summarise, T0 + 30 * DAY_MS):
        pass
    return store


def let_go(store: StoreWriter, hours: int) -> None:
    store.change(move_window, T0 + hours * HOUR_MS)
    assert store.change(let_go_before_window, 0, 10_000)[0]


async def test_what_has_been_let_go_on_the_way_is_not_deleted_in_influxdb(tmp_path: Path):
    deletions: list[tuple[float, float]] = []
    with shipped_store(tmp_path) as store:

        def rule(request: Request) -> Answer | None:
            if request.path.startswith("/query"):
                bounds = dict(_BOUND.findall(unquote_plus(request.path)))
                deletions.append((int(bounds.get(">=", 0)), float(bounds.get("<", "inf"))))
                return Answer(200, json.dumps({"results": [{"statement_id": 0}]}))
            if len(peer.requests) == 1:
                let_go(store, 70)
            return None

        async with http_peer(rule=rule) as peer:
            client = InfluxV1(Target("town", "v1", peer.url, "preau"))
            placements = Placements({NODE: [(0, RIGHT)]})
            forwarder = Forwarder("town", client, Access(store), lambda: placements)
            task = asyncio.create_task(forwarder.run_loop())
            said = {NODE: [(0, RIGHT)]}
            await eventually(lambda: store.change(forwarded_placements, "town") == said)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    sent = {time_of(line) for line in peer.accepted}
    gone = [
        at
        for at in range(T0, T0 + HOURS * HOUR_MS, HOUR_MS)
        if any(low <= at < high for low, high in deletions)
    ]
    assert set(gone) == sent
    assert len(gone) == 24 + HOURS - 70
