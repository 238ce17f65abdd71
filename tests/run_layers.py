"""Runs the layers of the test suite one after the other and prints what each took.

`python -m tests.run_layers [pytest arguments]`; the exit code is 1 when any layer failed.
"""

import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parent
LAYERS = ("unit", "system", "browser", "chaos")
NO_TESTS = 5


def main(arguments: list[str]) -> int:
    """Run every layer, whatever the one before said."""
    rows = []
    for layer in LAYERS:
        started = time.monotonic()
        command = [sys.executable, "-m", "pytest", str(TESTS / layer), "-q", *arguments]
        code = subprocess.run(command, check=False).returncode
        rows.append((layer, time.monotonic() - started, code))
    print("\nlayer     seconds  result")
    for layer, seconds, code in rows:
        print(f"{layer:<8} {seconds:8.1f}  {'passed' if code == 0 else f'FAILED ({code})'}")
    return int(any(code not in (0, NO_TESTS) for _, _, code in rows))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
