"""Runs scripts in real MicroPython with the compiled firmware on the path."""

import os
import subprocess
from pathlib import Path

from simulators.board.program import HEAP, Program
from tests.servers import require_micropython

CHECKS = Path(__file__).parent / "on_micropython"


def run_micropython(
    program: Program,
    folder: Path,
    *arguments: str | Path,
    heap: str | None = None,
    **environment: str,
) -> str:
    """What the script prints; fails with its traceback where it does not end well."""
    done = subprocess.run(
        [require_micropython(), "-X", f"heapsize={heap or HEAP}", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"MICROPYPATH": program.search_path(folder, bare=True)} | environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
