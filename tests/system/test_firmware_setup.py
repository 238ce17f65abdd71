"""The set-up network's page: what a technician fills in with a phone, and what nobody else can."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from simulators.board.board import VirtualBoard
from tests.servers import Server, eventually, free_port, require_micropython
from tests.system.test_firmware_node import NODE, Gateway

CODE = "K7QD2M9X"


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    """Fresh from the flasher: it knows its code and its broker's password, and no network."""
    require_micropython()
    board = VirtualBoard(NODE, tmp_path / "board", ("", 0), interval_s=1)
    board.configure(
        wifi=[], broker={"password": "secret-of-the-node"}, setup_code=CODE, setup_port=free_port()
    )
    async with board:
        await eventually(lambda: any("set-up: network open" in x for x in board.output))
        yield board
    assert not any("defect" in line or "Traceback" in line for line in board.output), list(
        board.output
    )


def config(board: VirtualBoard) -> dict[str, Any]:
    return json.loads((board.flash / "config.json").read_text())


async def ask(board: VirtualBoard, **form: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{config(board)['setup_port']}/"
    async with aiohttp.ClientSession() as client:
        asking = client.post(url, data=form) if form else client.get(url)
        async with asking as response:
            return response.status, await response.text()


async def test_it_takes_network_and_broker_and_the_node_connects(
    board: VirtualBoard, mosquitto: Server
) -> None:
    gateway = Gateway(mosquitto.port)
    try:
        # Sampling has gone on meanwhile.
        await eventually((board.flash / "packs" / "00000001").exists)
        status, text = await ask(
            board,
            code="k7qd 2m9x",
            ssid="preau",
            key="à l'école",
            host="127.0.0.1",
            port=str(mosquitto.port),
        )
        assert (status, "Enregistré" in text) == (200, True)
        await eventually(lambda: gateway.packs, deadline_s=40)
    finally:
        gateway.close()
    assert config(board)["wifi"] == [{"ssid": "preau", "password": "à l'école"}]
    assert config(board)["broker"]["password"] == "secret-of-the-node"  # noqa: S105 - of this test


async def test_without_the_code_nothing_is_taken_and_nothing_is_shown(board: VirtualBoard) -> None:
    before = config(board)
    status, text = await ask(board)
    assert status == 200
    assert "Mot de passe du Wi-Fi" in text
    assert "secret-of-the-node" not in text
    assert CODE not in text
    for code in ("", "wrong", CODE[:-1], CODE + "x"):
        status, _ = await ask(board, code=code, ssid="evil", host="evil")
        assert status == 403
    for wrong in ({"key": "short"}, {"port": "99999"}, {"ssid": "x" * 33}):
        status, text = await ask(board, code=CODE, **wrong)
        assert status == 400
        assert "Rien n'est enregistré" in text
    assert config(board) == before


async def test_what_is_no_request_is_no_harm(board: VirtualBoard) -> None:
    port = config(board)["setup_port"]
    for data in (b"\x00\xff\n", b"POST / HTTP/1.0\r\nContent-Length: 999999\r\n\r\n", b"x" * 5000):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        # It closes what it has not read to the end.
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            writer.write_eof()
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    status, _ = await ask(board)
    assert status == 200
