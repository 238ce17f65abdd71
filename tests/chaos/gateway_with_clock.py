"""`preau run` with a clock that is off by as many milliseconds as a file says, at any moment.

`python -m tests.chaos.gateway_with_clock SETTINGS FILE`
"""

import sys
import time
from pathlib import Path

from gateway.cli import set_up_logging
from gateway.running import run_until_stopped
from gateway.service import serve
from gateway.settings import load_settings

_LOOK_NS = 50_000_000


def stepping_clock(file: Path):
    """Unix milliseconds plus what `file` says, which is looked at twenty times a second."""
    looked_at_ns, offset_ms = 0, 0

    def clock_ms() -> int:
        nonlocal looked_at_ns, offset_ms
        now_ns = time.time_ns()
        if now_ns - looked_at_ns > _LOOK_NS:
            looked_at_ns = now_ns
            # Being written just now it is empty.
            offset_ms = int(file.read_text() or offset_ms)
        return now_ns // 1_000_000 + offset_ms

    return clock_ms


def main() -> None:
    settings, offset = map(Path, sys.argv[1:])
    set_up_logging()
    run_until_stopped(serve(load_settings(settings), clock_ms=stepping_clock(offset)))


if __name__ == "__main__":
    main()
