"""Every public function of `on_micropython/check_*.py`, in a MicroPython and folder of its own."""

import ast
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.board.program import Program
from tests.unit.firmware.micropython import CHECKS, run_micropython

# These hold all packs, or a flash, in memory.
_HEAPS = {
    "check_power": "1m",
    "check_outbox": "512k",
    "check_damage": "256k",
    "check_clock": "256k",
    "check_passwords": "512k",
    "check_trust": "512k",
    "check_portal": "512k",
}


def _checks() -> Iterator[object]:
    for path in sorted(CHECKS.glob("check_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield pytest.param(path.stem, node.name, id=f"{path.stem[6:]}-{node.name}")


@pytest.fixture
def flash() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of flushes are what is checked here."""
    memory = Path("/dev/shm")  # noqa: S108 - only to be fast
    folder = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize(("module", "check"), list(_checks()))
def test_on_micropython(program: Program, flash: Path, module: str, check: str) -> None:
    heap = _HEAPS.get(module)
    print(run_micropython(program, flash, CHECKS / "run.py", module, check, heap=heap))
