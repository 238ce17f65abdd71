"""An update while a backlog goes and 32 packs are under way without receipt, the gateway standing
still and the node losing its power at each step: nothing is lost, nothing is there twice. Over TLS.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware.flasher.bundle import build_bundle, flash_files
from gateway.firmware.shelf import Shelf
from simulators.board.board import VirtualBoard
from tests.firmware_versions import sources_of
from tests.node_outbox import outbox_with
from tests.secure_town import NODE, SecureTown, secure_town
from tests.servers import eventually
from tests.town_broker import TownClient

BACKLOG = 1500
IN_FLIGHT = 32
PACK_BYTES = 33
READINGS = f"preau/v1/{NODE}/readings"


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[SecureTown]:
    async with secure_town(tmp_path) as town:
        await town.preau("firmware", "keys")
        yield town


@pytest.fixture
def spy(town: SecureTown) -> Iterator[TownClient]:
    """Hears every pack that reaches the broker."""
    with town.spy(READINGS) as spy:
        yield spy


@pytest.fixture
async def board(town: SecureTown, spy: TownClient, tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    """It runs 1.0.0 from its flash and has a backlog; 1.0.1 lies on the gateway's shelf."""
    files = flash_files(build_bundle(), Shelf(town.gateway.data).keys.public_keys())
    sources = sources_of(tmp_path, "1.0.1")
    await town.preau("firmware", "build", "--sources", str(sources))
    board = town.board(tmp_path / "board", flashed=files | outbox_with(tmp_path, packs=BACKLOG))
    async with board:
        await eventually(town.is_online, what="the board is not online")
        yield board
    print("\n".join(board.output))


@contextmanager
def standing_still(town: SecureTown) -> Iterator[None]:
    """The gateway does nothing meanwhile; its connections stay."""
    assert town.gateway.process is not None
    os.killpg(town.gateway.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(town.gateway.process.pid, signal.SIGCONT)


def numbers(packs: list[tuple[str, bytes]]) -> set[int]:
    return {json.loads(payload)[0]["bseq"] for _, payload in packs}


async def all_under_way(board: VirtualBoard, spy: TownClient) -> None:
    """Connected, the node takes pack after pack and sends none: as many as may be are under way."""
    await eventually(lambda: sum("link: connected" in line for line in board.output) >= 2)
    seen, size = -1, 0

    def is_full() -> bool:
        nonlocal seen, size
        if len(spy.received) != seen:
            seen, size = len(spy.received), on_flash(board)
        return on_flash(board) > size + 6 * PACK_BYTES

    await eventually(is_full, 30, what="it goes on sending")


def on_flash(board: VirtualBoard) -> int:
    """Bytes of its newest segment and those before it, as they were filled."""
    newest = max(file for file in (board.flash / "packs").iterdir() if file.name.isdecimal())
    return int(newest.name) * 4096 + newest.stat().st_size


async def all_under_way_again(spy: TownClient) -> None:
    """The next version sends what it has no receipt of, some of which the store may have."""
    before = len(spy.received)
    await eventually(
        lambda: len(numbers(spy.received[before:])) >= IN_FLIGHT, what="fewer are under way"
    )


def slot(board: VirtualBoard) -> dict:
    return json.loads((board.flash / "slot.json").read_text())


def is_fetching(flash: Path) -> bool:
    part = flash / "update.part"
    return part.exists() and part.stat().st_size > 8192


def is_installing(flash: Path) -> bool:
    return (flash / "b").exists() and not (flash / "b" / "manifest").exists()


STEPS: dict[str, Callable[[Path], bool]] = {
    "accepted": lambda flash: (flash / "update.json").exists(),
    "fetching": is_fetching,
    "fetched": lambda flash: (flash / "update.ready").exists(),
    "installing": is_installing,
    "on trial": is_installing,
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("step", STEPS)
async def test_an_update_beside_a_backlog_loses_nothing_at_any_step(
    town: SecureTown, board: VirtualBoard, spy: TownClient, step: str
) -> None:
    with town.popen("node", "update", NODE) as command:
        await eventually(lambda: STEPS[step](board.flash), 60, 0.002, what=f"not {step}")
        with standing_still(town):
            if step == "fetching":
                await all_under_way(board, spy)
            if step == "on trial":
                await all_under_way_again(spy)
                assert slot(board)["trial"], slot(board)
            await board.kill()
        await board.start()
        # It may have given up asking a gateway that stood still; the node goes on.
        told, _ = await asyncio.to_thread(command.communicate, timeout=90)
    print(told)

    async def is_confirmed() -> bool:
        (node,) = (await town.gateway.get("/api/v1/nodes"))["nodes"]
        return (node["firmware"], (node["update"] or {}).get("state")) == ("1.0.1", "confirmed")

    await eventually(is_confirmed, 60)
    await eventually(lambda: backlog_is_there(town), 60, 0.2, what="the backlog has not come")
    await town.misses_nothing()
    await board.kill()
    assert await town.holds_each_pack_once(board) > BACKLOG
    assert slot(board)["run"] == "b"
    assert not any("defect" in line or "Traceback" in line for line in board.output)
    stored = {at_ms: v for q, _, at_ms, v in town.gateway.stored(NODE) if q == "temperature"}
    for number in range(BACKLOG):
        assert stored[(1763800000 + 60 * number) * 1000] == (1942 + number) / 100


async def backlog_is_there(town: SecureTown) -> bool:
    (log,) = await town.logs()
    return log.received.covers(1, BACKLOG)
