"""The set-up network: when the node is an access point, of which kind, for how long, and that it
measures and reports meanwhile. The page itself is `test_firmware_setup`.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from simulators.board.access_point import ADDRESS, WPA2, AccessPoint
from simulators.board.board import VirtualBoard
from tests.node_peer import Gateway
from tests.servers import Server, eventually, mosquitto_server, running
from tests.setup_network import (
    BUTTON,
    CODE,
    MINUTE_MS,
    ask,
    closed,
    config_of,
    goes_on_sampling,
    is_clean,
    opened,
    said,
    setup_board,
    without_a_gap,
)


@pytest.fixture
def gateway(mosquitto: Server) -> Iterator[Gateway]:
    gateway = Gateway(mosquitto.port)
    yield gateway
    gateway.close()


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    """Nothing is configured."""
    board = setup_board(tmp_path)
    yield board
    await board.stop()
    is_clean(board)


@pytest.fixture
async def placed(tmp_path: Path, mosquitto: Server) -> AsyncIterator[VirtualBoard]:
    """Configured, and it has a button."""
    board = setup_board(tmp_path, mosquitto.port, button=BUTTON)
    yield board
    await board.stop()
    is_clean(board)


async def test_what_nobody_has_configured_is_an_access_point_that_asks_for_its_code(
    fresh: VirtualBoard,
) -> None:
    async with fresh as board:
        await opened(board)
        assert board.surroundings.access_point == AccessPoint("preau-4a2b10", WPA2, CODE)
        assert (await ask(board))[0] == 200
        # On its own network only.
        with pytest.raises(aiohttp.ClientConnectorError):
            async with aiohttp.ClientSession() as client:
                await client.get(f"http://127.0.0.1:{config_of(board)['setup_port']}/")
        await goes_on_sampling(board)


async def test_after_ten_minutes_it_closes_and_the_node_goes_on(fresh: VirtualBoard) -> None:
    async with fresh as board:
        await opened(board)
        board.surroundings.ahead_ms = 9 * MINUTE_MS
        await goes_on_sampling(board, 5)
        assert (await ask(board))[0] == 200
        board.surroundings.ahead_ms = 10 * MINUTE_MS
        await closed(board)
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask(board)
        await goes_on_sampling(board)
        assert said(board, "set-up: network open") == 1
        assert board.starts == 1


async def test_without_a_code_there_is_no_such_network(fresh: VirtualBoard) -> None:
    for code in (None, "", "1234567"):
        fresh.configure(setup_code=code)
        async with fresh as board:
            await eventually(lambda: said(board, "set-up: no code"))
            await goes_on_sampling(board, 2)
            assert not board.surroundings.access_points
        board.output.clear()


async def test_ten_wrong_codes_close_it(fresh: VirtualBoard) -> None:
    async with fresh as board:
        await opened(board)
        for _ in range(9):
            assert (await ask(board, code="WRONG123", ssid="evil"))[0] == 403
        assert board.surroundings.access_point is not None
        assert (await ask(board, code="WRONG123", ssid="evil"))[0] == 403
        await closed(board)
        await goes_on_sampling(board)
        assert config_of(board)["wifi"] == []


async def test_what_a_node_took_before_and_during_its_set_up_arrives_at_the_broker_it_was_told(
    fresh: VirtualBoard, gateway: Gateway, mosquitto: Server
) -> None:
    async with fresh as board:
        await opened(board)
        await goes_on_sampling(board)
        told = {"ssid": "preau", "key": "none needed", "host": "127.0.0.1"}
        status, _ = await ask(board, code=CODE, port=str(mosquitto.port), **told)
        assert status == 200
        await eventually(lambda: len(gateway.packs) >= 6, deadline_s=40)
        await eventually(lambda: without_a_gap(gateway.numbers()))
        assert gateway.presences[-1]["log"]
        assert board.surroundings.access_point is None
        assert board.surroundings.joins[-1] == "preau"


async def test_only_a_long_press_opens_it(placed: VirtualBoard, gateway: Gateway) -> None:
    async with placed as board:
        await eventually(lambda: gateway.packs)
        while True:
            began = time.monotonic()
            board.surroundings.drive(BUTTON, 0)
            await asyncio.sleep(1)  # How long it is pressed.
            board.surroundings.release(BUTTON)
            if time.monotonic() - began < 2.5:
                break
        await goes_on_sampling(board, 5)
        assert not board.surroundings.access_points
        board.surroundings.drive(BUTTON, 0)
        await opened(board)


async def test_while_it_is_open_a_node_goes_on_to_report(
    placed: VirtualBoard, gateway: Gateway
) -> None:
    async with placed as board:
        await eventually(lambda: gateway.packs)
        hello = gateway.presences[-1]["hello"]
        board.surroundings.drive(BUTTON, 0)
        await opened(board)
        before = len(gateway.packs)
        assert (await ask(board))[0] == 200
        await eventually(lambda: len(gateway.packs) >= before + 4)
        assert gateway.presences[-1]["hello"] == hello
        board.surroundings.ahead_ms = 10 * MINUTE_MS
        await closed(board)
        before = len(gateway.packs)
        # Held on, or stuck, it opens nothing again.
        await eventually(lambda: len(gateway.packs) >= before + 5, deadline_s=40)
        assert said(board, "set-up: network open") == 1
        board.surroundings.release(BUTTON)
        await goes_on_sampling(board, 2)
        board.surroundings.drive(BUTTON, 0)
        await opened(board)
        await eventually(lambda: without_a_gap(gateway.numbers()))
        assert board.starts == 1


async def test_a_long_press_takes_a_node_to_another_broker_with_what_waits_in_it(
    placed: VirtualBoard, gateway: Gateway, tmp_path: Path
) -> None:
    gateway.receipts = False
    with running(mosquitto_server(tmp_path)) as other:
        moved = Gateway(other.port)
        try:
            async with placed as board:
                await eventually(lambda: len(gateway.packs) >= 3)
                board.surroundings.drive(BUTTON, 0)
                await opened(board)
                status, _ = await ask(board, code=CODE, port=str(other.port))
                assert status == 200
                await eventually(lambda: len(moved.packs) >= 8, deadline_s=40)
                await eventually(lambda: without_a_gap(moved.numbers()))
            assert config_of(board)["wifi"] == [{"ssid": "preau", "password": "none needed"}]
        finally:
            moved.close()


async def test_while_it_is_open_no_other_network_is_searched(
    placed: VirtualBoard, gateway: Gateway, mosquitto: Server
) -> None:
    """On one radio that would tear the telephone from its page. The network's name has changed: the
    reason why someone presses the button.
    """
    placed.surroundings.networks = {"école": "un bon mot de passe"}
    async with placed as board:
        await eventually(lambda: board.surroundings.joins)
        board.surroundings.drive(BUTTON, 0)
        await opened(board)
        await eventually(lambda: said(board, "waits for the set-up network"), deadline_s=60)
        tried = len(board.surroundings.joins)
        await goes_on_sampling(board, 8)
        assert len(board.surroundings.joins) == tried
        status, _ = await ask(board, code=CODE, ssid="école", key="un bon mot de passe")
        assert status == 200
        await eventually(lambda: len(gateway.packs) >= 6, deadline_s=40)
        await eventually(lambda: without_a_gap(gateway.numbers()))
        assert board.surroundings.joins[-1] == "école"


@pytest.mark.parametrize("button", [99, "d2", 34])
async def test_a_button_that_is_none_stops_no_node(
    placed: VirtualBoard, gateway: Gateway, button: object
) -> None:
    placed.configure(button=button)
    placed.surroundings.drive(34, 1)  # Its pull-up is soldered on: the chip has none there.
    async with placed as board:
        await eventually(lambda: len(gateway.packs) >= 3)
        assert said(board, "button") == (button != 34)
        assert not board.surroundings.access_points


async def test_a_set_up_network_that_fails_to_open_stops_no_node_and_is_tried_again(
    fresh: VirtualBoard,
) -> None:
    with socket.socket() as taken:
        taken.bind((ADDRESS, 0))
        taken.listen()
        fresh.configure(setup_port=taken.getsockname()[1])
        await fresh.start()
        await eventually(lambda: said(fresh, "set-up: not opened"))
        assert fresh.surroundings.access_point is None
        await goes_on_sampling(fresh)
    await opened(fresh)
    assert fresh.starts == 1
