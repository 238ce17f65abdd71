"""The clock of a scenario: moved by hand, or going with the time of day."""

import asyncio
from pathlib import Path

import pytest

from simulators.scenario.clock import ScenarioClock
from tests.servers import eventually

BEGIN_MS = 1_799_751_600_000


async def test_it_goes_by_itself_inside_the_block_and_nobody_moves_it_then(tmp_path: Path):
    with ScenarioClock(tmp_path / "clock", BEGIN_MS) as clock:
        loop = asyncio.get_running_loop()
        async with clock.going():
            begun_s = loop.time()
            await eventually(lambda: clock.now_ms() >= BEGIN_MS + 200)
            now_ms = clock.now_ms()
            clock.move_to(BEGIN_MS + 3_600_000)
            clock.move_to(BEGIN_MS)
            assert BEGIN_MS <= clock.now_ms() < BEGIN_MS + 3_600_000
            # No faster than life.
            assert now_ms - BEGIN_MS <= (loop.time() - begun_s) * 1000 + 100
        clock.move_to(BEGIN_MS + 3_600_000)
        assert clock.now_ms() == BEGIN_MS + 3_600_000
        with pytest.raises(ValueError, match="the clock shows"):
            clock.move_to(BEGIN_MS)


def test_another_process_sees_the_same(tmp_path: Path):
    with (
        ScenarioClock(tmp_path / "clock", BEGIN_MS) as clock,
        ScenarioClock(tmp_path / "clock") as other,
    ):
        clock.move_to(BEGIN_MS + 1)
        assert other.now_ms() == BEGIN_MS + 1
