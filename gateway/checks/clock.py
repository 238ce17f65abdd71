"""Is this machine's clock right, and does anything keep it so?"""

import asyncio
import shutil
import time
from collections.abc import Sequence
from typing import Final

from gateway.checks.finding import Finding, Given, failed, good, warning
from gateway.clock import problem_of

_TIMEOUT_S: Final = 5.0
_SET_NTP: Final = "sudo timedatectl set-ntp true"


async def check(given: Given) -> Sequence[Finding]:
    """A clock before this version's release is wrong for sure."""
    problem = problem_of(given.now_ms)
    if problem is not None:
        return [failed(problem, f"set it: {_SET_NTP}")]
    shown = time.strftime("%Y-%m-%d %H:%M", time.gmtime(given.now_ms / 1000))
    match await _is_synchronised():
        case True:
            return [good(f"the clock says {shown} UTC and is synchronised")]
        case False:
            told = f"the clock says {shown} UTC and follows no other: it will drift"
            return [warning(told, _SET_NTP)]
    return [good(f"the clock says {shown} UTC; what keeps it right can't be told here")]


async def _is_synchronised() -> bool | None:
    """What systemd says; `None` where it is not there to ask."""
    program = shutil.which("timedatectl")
    if program is None:
        return None
    asked = await asyncio.create_subprocess_exec(
        program,
        "show",
        "--property=NTPSynchronized",
        "--value",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            answer, _ = await asked.communicate()
    except TimeoutError:
        asked.kill()
        await asked.wait()
        return None
    return {b"yes": True, b"no": False}.get(answer.strip())
