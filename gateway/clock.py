"""The gateway's own clock, and how to tell that it can't be right.

A small computer without a clock of its own wakes up in the past. Every reading would then seem to
come from the future, and every node would be told a wrong time.
"""

import time
from typing import Final

RELEASED_AT_MS: Final = 1_793_491_200_000
"""1 November 2026: this version did not exist before."""


def now_ms() -> int:
    """Unix milliseconds by this machine's clock."""
    return time.time_ns() // 1_000_000


def problem_of(clock_ms: int) -> str | None:
    """Why a clock can't be right; `None` where it may be."""
    if clock_ms >= RELEASED_AT_MS:
        return None
    shown = time.strftime("%Y-%m-%d %H:%M", time.gmtime(clock_ms / 1000))
    return f"this machine's clock says {shown} UTC, which is over: nothing is taken until it is set"
