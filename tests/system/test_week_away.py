"""A week without gateway: a classroom's node comes back with a pack a minute of seven days on its
flash, and all of it arrives, over TLS, through a loss of power and a killed gateway.
"""

import time
from datetime import datetime
from pathlib import Path

import pytest

from simulators.board.board import VirtualBoard
from simulators.board.program import SOURCES, STAND_INS, Program
from tests.secure_town import NODE, SecureTown, secure_town
from tests.servers import eventually
from tests.unit.firmware.micropython import run_micropython

PACKS = 7 * 1440
OUTBOX_BYTES = 512 * 1024
IN_FLIGHT = 32

# As the node takes them, its time known, its own modules writing its flash; a gateway or a broker
# it does not need for that.
FILL = """
import sys
import pack
from outbox import Outbox
from senml import number

outbox = Outbox("packs", {size}, lambda: 0x5f3a9c01)
numbers = [number(name) for name in ("temperature", "humidity", "co2", "battery", "rssi")]
for minute in range({packs}):
    taken = pack.encode_head({since_s} + 60 * minute)
    values = 1500 + minute % 977, 300 + minute % 401, 420 + minute % 1511, 3900, -40 - minute % 50
    for quantity, value in zip(numbers, values):
        taken += pack.encode_reading(quantity, value)
    assert outbox.take(taken) == minute + 1
assert (outbox.held, outbox.dropped) == ({packs}, 0)
"""


def expected(since_s: int) -> dict[tuple[str, int], float]:
    """(quantity, measured at in ms) → value of each reading of that week."""
    found = {}
    for minute in range(PACKS):
        at_ms = (since_s + 60 * minute) * 1000
        found |= {
            ("temperature", at_ms): (1500 + minute % 977) / 100,
            ("humidity", at_ms): (300 + minute % 401) / 10,
            ("co2", at_ms): 420.0 + minute % 1511,
            ("battery", at_ms): 3.9,
            ("rssi", at_ms): -40.0 - minute % 50,
        }
    return found


def fill(board: VirtualBoard, folder: Path, since_s: int) -> None:
    script = folder / "fill.py"
    script.write_text(FILL.format(size=OUTBOX_BYTES, packs=PACKS, since_s=since_s))
    run_micropython(Program(SOURCES, STAND_INS, ""), board.flash, script, heap="256k")
    files = list((board.flash / "packs").iterdir())
    assert len([file for file in files if file.name.isdecimal()]) * 4096 <= OUTBOX_BYTES


class Arrival:
    """Watches what comes: of the week always the oldest first, and beside it what is fresh."""

    def __init__(self, town: SecureTown) -> None:
        self._town = town
        self.week = self.fresh = 0

    async def look(self) -> None:
        for log in await self._town.logs():
            numbers = [seq for first, last in log.received for seq in range(first, last + 1)]
            week = [seq for seq in numbers if seq <= PACKS]
            # But for what is in flight, and for what a restart finds still open.
            assert not week or max(week) - len(week) <= 2 * IN_FLIGHT
            self.week, self.fresh = len(week), len(numbers) - len(week)

    async def until(self, packs: int) -> None:
        """Returns once so many of the week are there."""

        async def is_there() -> bool:
            await self.look()
            return self.week >= packs

        await eventually(is_there, 120, 0.2, what=f"fewer than {packs} packs of the week came")

    async def page_shows_what_is_fresh(self, since_s: int) -> None:
        """While the week is still on its way, again and again."""
        await self.look()
        before = self.fresh

        async def is_fresh() -> bool:
            await self.look()
            return self.fresh > before

        await eventually(is_fresh, what="nothing fresh came")
        (node,) = (await self._town.gateway.get("/api/v1/nodes"))["nodes"]
        latest = [datetime.fromisoformat(one["measured_at"]) for one in node["latest"]]
        assert max(latest).timestamp() >= since_s
        assert self.week < PACKS, "the week was there before anything could be seen"


@pytest.mark.timeout(300)
async def test_all_of_it_arrives_oldest_first_beside_what_is_fresh(tmp_path: Path) -> None:
    since_s = int(time.time()) - 60 * PACKS - 60
    async with secure_town(tmp_path) as town:
        board = town.board(tmp_path / "board")
        fill(board, tmp_path, since_s)
        came = Arrival(town)
        back_s = int(time.time())
        async with board:
            await came.until(1000)
            await came.page_shows_what_is_fresh(back_s)
            await came.until(PACKS // 3)
            await board.kill()
            await board.start()
            await came.page_shows_what_is_fresh(back_s)
            await came.until(PACKS * 2 // 3)
            town.gateway.kill()
            town.gateway.start()
            await came.page_shows_what_is_fresh(back_s)
            await came.until(PACKS)
            await town.misses_nothing()
        assert await town.holds_each_pack_once(board) > PACKS
        assert not any("defect" in line or "Traceback" in line for line in board.output)
        stored = town.gateway.stored(NODE)
    week = [one for one in stored if one[2] < back_s * 1000]
    assert {(quantity, at_ms): value for quantity, _, at_ms, value in week} == expected(since_s)
    assert len(week) == 5 * PACKS
    assert all(at_ms <= time.time() * 1000 for *_, at_ms, _ in stored)
