"""The gateway is killed and the broker loses its memory: at the end nothing is missing or twice."""

import asyncio
import random
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from gateway.mqtt.address import BrokerAddress
from simulators.board.board import VirtualBoard
from simulators.node import VirtualNode
from simulators.town import demo_town
from tests.gateway import Gateway
from tests.servers import eventually, mosquitto_server, require_micropython, running

SEED = 20261122
KILLS = 10
BROKER_RESTARTS_AFTER = (3, 7)
NODES = 20
BOARD = "3c71bf4a2bff"


def virtual_nodes(port: int) -> list[VirtualNode]:
    rooms = demo_town().rooms
    broker = BrokerAddress("127.0.0.1", port)
    return [
        VirtualNode(
            f"3c71bf0000{n:02x}",
            rooms[n % len(rooms)].model,
            broker,
            interval_s=1,
            keep_readings=True,
        )
        for n in range(NODES)
    ]


async def be_cruel(gateway: Gateway, broker, rng: random.Random) -> None:
    """Kill the gateway at random moments, sometimes with the broker, whose memory is then gone."""
    for kill in range(1, KILLS + 1):
        await asyncio.sleep(rng.uniform(0.2, 2.5))
        gateway.kill()
        if kill in BROKER_RESTARTS_AFTER:
            broker.kill()
            await asyncio.sleep(rng.uniform(0, 1))
            await asyncio.to_thread(broker.start)
        await asyncio.sleep(rng.uniform(0, 0.5))
        await asyncio.to_thread(gateway.start)


@pytest.mark.timeout(300)
async def test_ten_kills_and_two_wiped_brokers_lose_and_repeat_nothing(tmp_path: Path):
    require_micropython()
    rng = random.Random(SEED)
    with running(mosquitto_server(tmp_path)) as broker:
        nodes = virtual_nodes(broker.port)
        gateway = Gateway(tmp_path / "gateway", broker.port)
        address = ("127.0.0.1", broker.port)
        with running(gateway):
            async with VirtualBoard(BOARD, tmp_path / "board", address, interval_s=1) as board:
                for node in nodes:
                    node.start()
                await be_cruel(gateway, broker, rng)
                # Nothing is measured from here on: what is held has only to find its way.
                for node in nodes:
                    node.state.interval_s = 3600
                await eventually(lambda: sum(n.held for n in nodes) == 0, 90, what="still held")
                await eventually(lambda: received_all(gateway, BOARD), 60, what="board has gaps")
                await board.stop()
            for node in nodes:
                await node.stop()
            # A few instants for what was received to be folded.
            await eventually(lambda: folded(gateway), 20)
            for node in nodes:
                check_node(gateway, node)
            check_board(gateway)
            audit = [*gateway.command[:-3], "audit", *gateway.command[-2:]]
            done = await asyncio.to_thread(subprocess.run, audit, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout
            assert "0 lost by their nodes, 0 missing" in done.stdout


def received_all(gateway: Gateway, node: str) -> bool:
    with gateway.reader() as reader:
        logs = reader.logs(node)
    return bool(logs) and not any(log.missing() for log in logs)


def folded(gateway: Gateway) -> bool:
    with gateway.reader() as reader:
        return reader.unfolded_packs() == 0


def check_node(gateway: Gateway, node: VirtualNode) -> None:
    assert node.readings is not None
    taken = sorted(reading[:4] for reading in node.readings)
    assert node.taken >= 5
    assert gateway.stored(node.node) == taken
    with gateway.reader() as reader:
        (log,) = reader.logs(node.node)
        assert (log.log, list(log.received)) == (node.log, [(1, node.taken)])
        assert log.lost() == []
        assert reader.dead_letters(node=node.node) == []


def check_board(gateway: Gateway) -> None:
    """Its numbers have no gap, and each of its packs has left one temperature."""
    with gateway.reader() as reader:
        logs = reader.logs(BOARD)
        assert reader.dead_letters(node=BOARD) == []
    packs = sum(log.received.count() for log in logs)
    assert [log.missing() + log.lost() for log in logs] == [[]] * len(logs)
    quantities = Counter(quantity for quantity, *_ in gateway.stored(BOARD))
    assert packs >= 5
    assert quantities["temperature"] == packs
