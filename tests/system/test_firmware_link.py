"""Several networks and several brokers: the real firmware tries them in their order, and nothing
that it has taken is lost on the way. How long it waits in between is `check_link`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.board.board import VirtualBoard
from tests.node_peer import NODE, Gateway
from tests.servers import Server, eventually, free_port, mosquitto_server, require_micropython
from tests.setup_network import without_a_gap


@pytest.fixture
def gateway(mosquitto: Server) -> Iterator[Gateway]:
    gateway = Gateway(mosquitto.port)
    yield gateway
    gateway.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Server]:
    """A second broker, which does not run yet."""
    server = mosquitto_server(tmp_path, free_port())
    yield server
    server.stop()


def board_with(folder: Path, **config: Any) -> VirtualBoard:
    require_micropython()
    return VirtualBoard(NODE, folder / "board", ("", 0), interval_s=1, extra_config=config)


def broker(server: Server) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": server.port, "password": None}


@pytest.mark.timeout(240)  # Twenty seconds for each network that does not let in.
async def test_networks_are_tried_in_their_order_with_their_own_passwords(
    tmp_path: Path, gateway: Gateway, mosquitto: Server
) -> None:
    names = {"away": "password of it", "changed": "password of it", "école": "password of it"}
    wifi = [{"ssid": name, "password": password} for name, password in names.items()]
    board = board_with(tmp_path, wifi=wifi, broker=broker(mosquitto))
    board.surroundings.networks = {"changed": "another password", "école": "password of it"}
    async with board:
        await eventually(lambda: len(gateway.packs) >= 3, deadline_s=90)
        assert list(board.surroundings.joins) == list(names)
        # The first is there again: from a start on it is the only one that is asked.
        await board.kill()
        board.surroundings.networks["away"] = "password of it"
        board.surroundings.joins.clear()
        before = len(gateway.packs)
        await board.start()
        await eventually(lambda: len(gateway.packs) > before, deadline_s=60)
        assert list(board.surroundings.joins) == ["away"]
        await eventually(lambda: without_a_gap(gateway.numbers()))


async def test_the_next_broker_is_asked_while_one_does_not_serve_and_all_that_is_taken_arrives(
    tmp_path: Path, gateway: Gateway, mosquitto: Server, other: Server
) -> None:
    board = board_with(tmp_path, brokers=[broker(other), broker(mosquitto)])
    async with board:
        await eventually(lambda: len(gateway.packs) >= 3, deadline_s=40)
        # The first is back, but the second serves.
        other.start()
        moved = Gateway(other.port)
        try:
            before = len(gateway.packs)
            await eventually(lambda: len(gateway.packs) >= before + 3)
            assert not moved.packs
            mosquitto.stop()
            await eventually(lambda: len(moved.packs) >= 3, deadline_s=60)
            await eventually(lambda: without_a_gap(gateway.numbers() + moved.numbers()))
        finally:
            moved.close()


async def test_a_broker_whose_gateway_is_silent_gives_way_to_the_next(
    tmp_path: Path, gateway: Gateway, mosquitto: Server, other: Server
) -> None:
    """It answers, and then it is gone before a gateway has: the other's turn."""
    other.start()
    deaf = Gateway(other.port)
    deaf.answers = False
    board = board_with(tmp_path, brokers=[broker(other), broker(mosquitto)])
    try:
        async with board:
            await eventually(lambda: deaf.presences)
            assert not gateway.presences
            other.stop()
            await eventually(lambda: len(gateway.packs) >= 3, deadline_s=40)
            assert gateway.numbers()[:3] == [1, 2, 3]
    finally:
        deaf.close()
