"""The set-up network's page: what a technician fills in with a phone, and what nobody else can."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulators.board.board import VirtualBoard
from tests.node_peer import Gateway
from tests.servers import Server, eventually
from tests.setup_network import CODE, ask, config_of, is_clean, opened, setup_board


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    """Fresh from the flasher: it knows its code and its broker's password, and no network."""
    async with setup_board(tmp_path) as board:
        await opened(board)
        yield board
    is_clean(board)


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
    assert config_of(board)["wifi"] == [{"ssid": "preau", "password": "à l'école"}]
    assert config_of(board)["broker"]["password"] == "secret-of-the-node"  # noqa: S105 - of this test


async def test_without_the_code_nothing_is_taken_and_nothing_is_shown(board: VirtualBoard) -> None:
    before = config_of(board)
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
    assert config_of(board) == before
