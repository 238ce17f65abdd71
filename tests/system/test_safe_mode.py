"""A node whose both firmwares crash: over TLS it can still be reached and given a sound one, and
where nothing is configured its set-up network still opens.
"""

import json
import re
from pathlib import Path

import pytest

from firmware.flasher.bundle import build_bundle, flash_files
from gateway.firmware.shelf import Shelf
from simulators.board.board import VirtualBoard
from tests.node_peer import Gateway
from tests.secure_town import NODE, SecureTown, secure_town
from tests.servers import Server, eventually
from tests.setup_network import (
    CODE,
    ask,
    goes_on_sampling,
    opened,
    said,
    setup_board,
    without_a_gap,
)
from tests.system.test_update import CRASH, sources_of

# Six crashes, each with its pause, come before anything else.
pytestmark = pytest.mark.timeout(300)
CRASHED = "this version is broken"


def broken_twice(folder: Path, keys: bytes) -> dict[str, bytes]:
    """A flash with a firmware in each folder, and either crashes as soon as it starts."""
    files = flash_files(build_bundle(sources_of(folder, "0.9.0", app=CRASH)), keys)
    older = flash_files(build_bundle(sources_of(folder, "0.8.0", app=CRASH)), keys)
    spare = {re.sub("^a/", "b/", name): data for name, data in older.items() if name[:2] == "a/"}
    assert spare
    state = {"run": "a", "back": "b", "trial": False, "crashes": 0, "tried_s": 0}
    return files | spare | {"slot.json": json.dumps(state).encode()}


async def in_safe_mode(board: VirtualBoard) -> None:
    await eventually(lambda: said(board, "safe mode 1"), 90, what="\n".join(board.output))
    assert said(board, CRASHED) >= 6


async def safe_mode_says(town: SecureTown) -> tuple[bool, str] | None:
    nodes = (await town.gateway.get("/api/v1/nodes"))["nodes"]
    for node in nodes:
        if node["id"] == NODE and node["online"]:
            return node["safe_mode"], node["firmware"]
    return None


async def test_in_safe_mode_it_reaches_the_broker_of_its_authority_and_takes_an_update(
    tmp_path: Path,
) -> None:
    async with secure_town(tmp_path) as town:
        await town.preau("firmware", "keys")
        sources = sources_of(tmp_path, "1.0.1")
        await town.preau("firmware", "build", "--sources", str(sources))
        board = town.board(tmp_path / "board")
        board._flashed = broken_twice(tmp_path, Shelf(town.gateway.data).keys.public_keys())
        async with board:
            await in_safe_mode(board)
            await eventually(town.is_online, what="not online in safe mode")
            assert (await safe_mode_says(town) or ())[0] is True
            assert f"as {NODE} (" in town.broker.log.read_text()
            told = await town.preau("node", "update", NODE)
            assert "confirmed" in told
            assert await safe_mode_says(town) == (False, "1.0.1")
            await town.misses_nothing()


async def test_in_safe_mode_it_refuses_a_broker_of_another_authority(tmp_path: Path) -> None:
    async with secure_town(tmp_path / "a") as town, secure_town(tmp_path / "b") as stranger:
        board = town.board(tmp_path / "board")
        theirs = stranger.broker.folder / "preau-pki"
        board._flashed = broken_twice(tmp_path, b"\0" * 64)
        (board.flash / "ca.der").write_bytes((theirs / "ca.der").read_bytes())
        async with board:
            await in_safe_mode(board)
            await eventually(lambda: said(board, "not correctly signed") >= 2, 60)
            assert await safe_mode_says(town) is None


async def test_in_safe_mode_its_set_up_network_opens_where_nothing_is_configured(
    tmp_path: Path, mosquitto: Server
) -> None:
    gateway = Gateway(mosquitto.port)
    board = setup_board(tmp_path)
    board._flashed = broken_twice(tmp_path, b"\0" * 64)
    try:
        async with board:
            await in_safe_mode(board)
            await opened(board)
            await goes_on_sampling(board)
            told = {"ssid": "preau", "host": "127.0.0.1", "port": str(mosquitto.port)}
            assert (await ask(board, code=CODE, **told))[0] == 200
            # Set up anew the whole firmware gets its chance, crashes as before, and safe mode
            # reports.
            await eventually(lambda: gateway.packs, 90)
            await eventually(lambda: gateway.presences[-1].get("safe"))
            await eventually(lambda: without_a_gap(gateway.numbers()), 60)
        assert not said(board, "defect"), "\n".join(board.output)
    finally:
        gateway.close()
