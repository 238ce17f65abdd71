"""A forwarder that is new, or comes back, gets what the store held before it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.forwarding import begin_forwarding
from ingest.forwarder.forwarder import Forwarder
from ingest.forwarder.lines import time_of
from ingest.forwarder.placements import Placements, Tags
from ingest.forwarder.target import Target
from ingest.forwarder.v1 import InfluxV1
from ingest.readings import LogPosition
from ingest.store.filling import is_anyone_filling
from ingest.store.summaries import HOUR_MS
from ingest.store.writer import PackToStore, StoreWriter
from tests.http_peer import Answer, Request, http_peer
from tests.servers import eventually
from tests.unit.forwarder.access import Access

NODES = ("3c71bf4a2b10", "3c71bf4a2b11", "3c71bf4a2b12")
T0 = 1_763_769_600_000
ROOM, OTHER = Tags("ecole", "nord", "r1"), Tags("ecole", "nord", "r2")
NOWHERE = Placements({})


def hold(store: StoreWriter, hours: Sequence[int]) -> None:
    for node in NODES:
        for n in hours:
            at = T0 + n * HOUR_MS
            reading = ("co2", "main", at, 800.0 + n, 0, 0)
            store.commit(
                [PackToStore(node, LogPosition("aa00aa00", n + 1, 1), at + 900, [reading])]
            )
    while store.fold().has_more:
        pass


@asynccontextmanager
async def forwarding(store: StoreWriter, url: str, placements: Placements):
    """As the service starts it, under the name `town`."""
    begin_forwarding(store, ["town"], placements)
    client = InfluxV1(Target("town", "v1", url, "preau"))
    forwarder = Forwarder("town", client, Access(store), lambda: placements, batch_s=0.01)
    task = asyncio.create_task(forwarder.run_loop())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def is_over(store: StoreWriter) -> Callable[[], bool]:
    return lambda: not store.change(is_anyone_filling)


def hours_of(lines: Sequence[bytes]) -> Mapping[str, list[int]]:
    """By node; a point that came twice is one point there."""
    return {
        node: sorted({(time_of(line) - T0) // HOUR_MS for line in lines if node.encode() in line})
        for node in NODES
    }


@pytest.fixture
def store(tmp_path: Path):
    with StoreWriter(tmp_path) as writer:
        yield writer


async def test_what_the_store_held_before_comes_after_what_arrives(store: StoreWriter):
    hold(store, range(60))
    async with http_peer() as peer:
        begin_forwarding(store, ["town"], NOWHERE)
        hold(store, range(60, 62))
        async with forwarding(store, peer.url, NOWHERE):
            await eventually(is_over(store))
    assert hours_of(peer.accepted) == {node: list(range(62)) for node in NODES}
    assert hours_of(peer.accepted[:6]) == {node: [60, 61] for node in NODES}


async def test_a_restart_on_the_way_leaves_nothing_out(store: StoreWriter):
    hold(store, range(60))
    stop = asyncio.Event()

    def rule(request: Request) -> Answer | None:
        if len(peer.requests) == 4:
            stop.set()
        return Answer(503) if stop.is_set() and len(peer.requests) < 6 else None

    async with http_peer(rule=rule) as peer:
        async with forwarding(store, peer.url, NOWHERE):
            await stop.wait()
        assert not is_over(store)()
        async with forwarding(store, peer.url, NOWHERE):
            await eventually(is_over(store))
    assert hours_of(peer.accepted) == {node: list(range(60)) for node in NODES}


async def test_one_that_was_taken_out_and_comes_back_lacks_nothing(store: StoreWriter):
    """Nor does it keep points where a placement that was corrected meanwhile had them."""
    deletions = []

    def rule(request: Request) -> Answer | None:
        if request.path.startswith("/query"):
            deletions.append(request.path)
            return Answer(200, '{"results": [{"statement_id": 0}]}')
        return None

    before = Placements({NODES[0]: [(0, ROOM)]})
    after = Placements({NODES[0]: [(0, OTHER)]})
    async with http_peer(rule=rule) as peer:
        begin_forwarding(store, ["town"], before)
        hold(store, range(5))
        async with forwarding(store, peer.url, before):
            await eventually(lambda: len(peer.accepted) == 15)
        begin_forwarding(store, [], before)
        hold(store, range(5, 9))
        peer.accepted.clear()
        async with forwarding(store, peer.url, after):
            await eventually(is_over(store))
    assert {h for hours in hours_of(peer.accepted).values() for h in hours} == set(range(9))
    assert all(b"room=r2" in line for line in peer.accepted if NODES[0].encode() in line)
    assert deletions
    assert all("r1" in path for path in deletions)
