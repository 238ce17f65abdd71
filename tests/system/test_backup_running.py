"""A gateway that takes packs in is backed up, loses nothing by it, and another goes on from there.

Gateways and commands are processes of their own, the broker is Mosquitto.
"""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from gateway.clock import now_ms
from gateway.mqtt.address import BrokerAddress
from ingest.readings import LogPosition
from ingest.store.check import check_store
from ingest.store.reader import LogState, StoreReader
from ingest.store.writer import PackToStore, StoreWriter
from simulators.node import VirtualNode
from simulators.outbox import Repeats
from simulators.session import Pace
from simulators.town import demo_town
from tests.gateway import Gateway
from tests.servers import Server, eventually, running

NODES = [f"3c71bf4a{n:04x}" for n in range(12)]
OLD = "f0f0f0f0f0f0"
PACE = Pace(repeats=Repeats(first_s=2, longest_s=4), presence_first_s=0.5, reconnect_first_s=0.05)
ESTATE = '[[site]]\nid = "ecole"\nname = "École"\n'


def old_pack(seq: int, at_ms: int) -> PackToStore:
    readings = [(name, "main", at_ms, seq / 7, 0, 0) for name in ("temperature", "co2")]
    return PackToStore(OLD, LogPosition("00000000", seq, 1), at_ms, readings)


def fill(folder: Path, packs: int = 60_000) -> None:
    """Make copying the store take long enough for commits to fall into it."""
    start_ms = now_ms() - packs * 60_000
    with StoreWriter(folder) as store:
        for begun in range(0, packs, 2000):
            numbers = range(begun + 1, begun + 2001)
            store.commit([old_pack(seq, start_ms + seq * 60_000) for seq in numbers])
        while store.fold().has_more:
            pass


async def preau(gateway: Gateway, *arguments: str) -> str:
    """What a command with this gateway's settings prints; it is to do well."""
    command = [gateway.command[0], *arguments, "--settings", gateway.command[-1]]
    done = await asyncio.to_thread(
        subprocess.run, command, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def logs_of(gateway: Gateway) -> dict[str, LogState]:
    with StoreReader(gateway.data) as reader:
        return {log.node: log for log in reader.logs()}


def readings(node: VirtualNode) -> list[tuple[str, str, int, float]]:
    assert node.readings is not None
    return sorted(reading[:4] for reading in node.readings)


async def until_settled(nodes: list[VirtualNode]) -> None:
    for node in nodes:
        node.state.interval_s = 3600
    await eventually(lambda: not any(node.held for node in nodes), 30, what="packs stay held")


@pytest.mark.timeout(180)
async def test_a_gateway_under_load_is_backed_up_and_another_goes_on_from_there(
    mosquitto: Server, tmp_path: Path
):
    first = Gateway(tmp_path / "first", mosquitto.port, estate=ESTATE)
    await asyncio.to_thread(fill, first.data)
    rooms = demo_town().rooms
    nodes = [
        VirtualNode(
            node,
            rooms[number % len(rooms)].model,
            BrokerAddress(port=mosquitto.port),
            interval_s=0.05,
            pace=PACE,
            keep_readings=True,
        )
        for number, node in enumerate(NODES)
    ]
    target = tmp_path / "copy.tar"
    with running(first):
        await eventually(first.is_well, what="not connected")
        for node in nodes:
            node.start()
        await eventually(lambda: all(node.receipted > 20 for node in nodes))
        # All below the oldest that it holds are receipted.
        before = {node.node: node.outbox.first - 1 for node in nodes}
        told = await preau(first, "backup", str(target))
        after = {node.node: node.next_seq for node in nodes}
        assert "preau.db" in told
        receipted = {node.node: node.receipted for node in nodes}
        assert all(receipted[node] > before[node] for node in before), "no load meanwhile"
        await eventually(lambda: all(n.receipted > receipted[n.node] + 20 for n in nodes))
        await until_settled(nodes)
        for node in nodes:
            assert first.stored(node.node) == readings(node), "lost by the one that was copied"
        audit = json.loads(await preau(first, "audit", "--no-influxdb", "--json"))
        assert (audit["missing"], audit["lost"]) == (0, 0)

    second = Gateway(tmp_path / "second", mosquitto.port, estate=ESTATE)
    assert "the same as in the backup" in await preau(second, "restore", str(target))
    assert check_store(second.data) == []
    assert "store: in order" in await preau(second, "check")
    audit = json.loads(await preau(second, "audit", "--no-influxdb", "--json"))
    copied = logs_of(second)
    assert copied[OLD].received.count() == 60_000
    for log in audit["logs"]:
        known = copied[log["node"]].received
        assert log["lost"] == []
        assert all(low > known.last() for low, _ in log["missing"]), "a hole in what it has"
    for node in nodes:
        numbers = copied[node.node].received
        assert before[node.node] <= numbers.last() < after[node.node]
        # One moment: as many readings as the numbers that are received say.
        rows = second.stored(node.node)
        times = sorted({at_ms for _, _, at_ms, _ in readings(node)})
        moment = times[numbers.last() - 1]
        assert rows == [row for row in readings(node) if row[2] <= moment]
    await goes_on(second, nodes)


async def goes_on(gateway: Gateway, nodes: list[VirtualNode]) -> None:
    """The restored store serves: the nodes' next packs are taken in, what is between is told."""
    between = {n.node: n.next_seq for n in nodes}
    with running(gateway):
        await eventually(gateway.is_well, what="not connected")
        for node in nodes:
            node.state.interval_s = 0.2
        await eventually(lambda: all(n.next_seq > between[n.node] + 3 for n in nodes), 30)
        await until_settled(nodes)
        for node in nodes:
            await node.stop()
    for node in nodes:
        log = logs_of(gateway)[node.node]
        assert log.received.last() == node.next_seq - 1
        assert log.missing() == []
        (gap,) = log.lost()
        assert gap[1] == between[node.node] - 1
