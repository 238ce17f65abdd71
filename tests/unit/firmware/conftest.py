"""The firmware as a node runs it, compiled once; and one driver worked against virtual chips."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from simulators.board.bus import Wire
from simulators.board.chips import Chips
from simulators.board.program import Program, prepare_program
from simulators.board.scd4x import Scd4x
from simulators.board.soc import Soc
from tests.unit.firmware.micropython import CHECKS, run_micropython

Drive = Callable[..., Awaitable[list[str]]]


class Timer:
    """The chips' time, which a test can put ahead between two runs of the driver."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return prepare_program(tmp_path_factory.mktemp("program"))


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def chips(timer: Timer) -> Chips:
    return Chips(scd4x=Scd4x(timer=timer))


@pytest.fixture
async def wire(chips: Chips, tmp_path: Path) -> AsyncIterator[Wire]:
    wire = Wire(chips, lambda _cause, _sleep_ms: None, Soc)
    wire.chip.rtc_memory = tmp_path / "rtc.bin"
    wire.port = await wire.start()  # type: ignore[attr-defined]
    yield wire
    await wire.stop()


@pytest.fixture
def run(program: Program, tmp_path: Path, wire: Wire) -> Drive:
    """Runs a script of `on_micropython` at the wire; its lines."""

    async def run(script: str, *arguments: str) -> list[str]:
        output = await asyncio.to_thread(
            run_micropython,
            *(program, tmp_path, CHECKS / script, *arguments),
            BOARD_WIRE=str(wire.port),  # type: ignore[attr-defined]
            BOARD_NODE="3c71bf4a2b10",
            PORT=str(program.stand_ins),
        )
        return output.splitlines()

    return run


@pytest.fixture
def drive(run: Drive) -> Drive:
    """Works one driver: chip, then steps; a line for each."""

    async def drive(*arguments: str) -> list[str]:
        return await run("drive.py", *arguments)

    return drive
