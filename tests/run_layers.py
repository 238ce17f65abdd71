"""Runs the layers of the test suite one after the other and prints what each took.

`python -m tests.run_layers [pytest arguments]`; the exit code is 1 when any layer failed.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parent
CORES = os.cpu_count() or 1
# How many workers of pytest-xdist share a layer; 0: its tests run one by one. Those of the system
# layer mostly wait for servers. Browser and faults want the machine to themselves.
LAYERS = {"unit": CORES, "system": CORES + 1, "browser": 0, "chaos": 0}
NO_TESTS = 5
_RESULTS = {0: "passed", NO_TESTS: "no tests"}


def main(arguments: list[str], tests: Path = TESTS) -> int:
    """Run every layer, whatever the one before said."""
    rows = []
    for layer, workers in LAYERS.items():
        started = time.monotonic()
        code = _run(tests / layer, workers, arguments)
        rows.append((layer, time.monotonic() - started, code))
    print("\nlayer     seconds  result")
    for layer, seconds, code in rows:
        print(f"{layer:<8} {seconds:8.1f}  {_RESULTS.get(code, f'FAILED ({code})')}")
    return int(any(code not in _RESULTS for _, _, code in rows))


def _run(layer: Path, workers: int, arguments: list[str]) -> int:
    """pytest's exit code."""
    command = [sys.executable, "-m", "pytest", str(layer), "-q"]
    if workers:
        # Each gets files in a row, which makes most fixtures of a module once, and takes tests of
        # another when it has none left. "auto" leaves --pdb its terminal.
        command += ["-n", "auto", "--dist", "worksteal"]
    environment = {"PYTEST_XDIST_AUTO_NUM_WORKERS": str(workers)} | os.environ
    return subprocess.run([*command, *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
