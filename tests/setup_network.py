"""A board whose set-up network a test joins as a telephone would: by its access point's address."""

import json
from pathlib import Path
from typing import Any

import aiohttp

from simulators.board.access_point import ADDRESS
from simulators.board.board import VirtualBoard
from tests.servers import eventually, free_port, require_micropython

NODE = "3c71bf4a2b10"
CODE = "K7QD2M9X"
BUTTON = 25
MINUTE_MS = 60_000


def setup_board(folder: Path, port: int = 0, **config: Any) -> VirtualBoard:
    """One that knows its code and its broker's password; without `port` no broker and no network,
    as it comes from the flasher.
    """
    require_micropython()
    board = VirtualBoard(NODE, folder / "board", ("127.0.0.1", port), interval_s=1)
    if not port:
        board.configure(wifi=[], broker={"password": "secret-of-the-node"})
    board.configure(setup_code=CODE, setup_port=free_port(), **config)
    return board


def config_of(board: VirtualBoard) -> dict[str, Any]:
    config = json.loads((board.flash / "config.json").read_text())
    assert isinstance(config, dict)
    return config


def said(board: VirtualBoard, text: str) -> int:
    """In how many lines of its console this stands."""
    return sum(text in line for line in board.output)


async def opened(board: VirtualBoard) -> None:
    """The page is there, for the first time or again."""
    closed = said(board, "set-up: network closed")
    await eventually(
        lambda: board.surroundings.access_point and said(board, "set-up: network open") > closed,
        deadline_s=40,
        what="\n".join(["the set-up network does not open", *board.output]),
    )


async def closed(board: VirtualBoard) -> None:
    await eventually(lambda: board.surroundings.access_point is None, what="it stays open")


async def ask(board: VirtualBoard, **form: str) -> tuple[int, str]:
    """Status and text of the page; with `form` it is filled in and sent."""
    url = f"http://{ADDRESS}:{config_of(board)['setup_port']}/"
    async with aiohttp.ClientSession() as client:
        asking = client.post(url, data=form) if form else client.get(url)
        async with asking as response:
            return response.status, await response.text()


async def goes_on_sampling(board: VirtualBoard, packs: int = 3) -> None:
    """It takes so many packs more, whether it can send them or not."""

    def taken() -> int:
        return sum(one.stat().st_size for one in (board.flash / "packs").glob("0*"))

    for _ in range(packs):
        before = await eventually(taken)
        await eventually(lambda before=before: taken() != before, what="it has stopped sampling")


def is_clean(board: VirtualBoard) -> None:
    wrong = [line for line in board.output if "defect" in line or "Traceback" in line]
    assert not wrong, "\n".join(board.output)


def without_a_gap(numbers: list[int]) -> bool:
    """Whether every pack from the first on has arrived, in whatever order: what waits and what is
    fresh come in turn.
    """
    return bool(numbers) and set(numbers) == set(range(1, max(numbers) + 1))
