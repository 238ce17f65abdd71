"""How much memory another process takes, as far as this system tells. It knows no gateway."""

import subprocess
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")


class Weight(NamedTuple):
    """Resident memory: the most that a process ever took, or what it takes now."""

    kib: int = 0
    is_peak: bool = True


UNKNOWN: Final = Weight()


def weight_of(pid: int, proc: Path = _PROC) -> Weight:
    """The weight of a running process.

    Its peak where the kernel keeps it (`VmHWM`, proc(5)), so nothing between two looks is missed;
    elsewhere what it takes now, and 0 where not even that can be told.
    """
    try:
        status = (proc / str(pid) / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return Weight(_as_ps_tells(pid), is_peak=False)
    told = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    # Sandboxes that play Linux leave the peak out.
    is_peak = "VmHWM" in told
    return Weight(int(told.get("VmHWM" if is_peak else "VmRSS", "0").split()[0]), is_peak)


def _as_ps_tells(pid: int) -> int:
    command = ["ps", "-o", "rss=", "-p", str(pid)]
    try:
        said = subprocess.run(  # noqa: S603 - our own words and a number
            command, capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return int(said.stdout.strip() or "0")
