"""How often this node has started, and why this time; how many packs its flash did not take.
Loaded for each and dropped after that.
"""

import machine
from diary import note

_BOOTS = "boots"
_LOST = "lost"


def count_start() -> tuple[int, str, int]:
    """(how often, this time included; the cause of this start; packs lost so far)."""
    boots = _read(_BOOTS)
    _write(_BOOTS, boots + 1)
    causes = {
        machine.PWRON_RESET: "power_on",
        machine.HARD_RESET: "hard",
        machine.WDT_RESET: "watchdog",
        machine.DEEPSLEEP_RESET: "deep_sleep",
        machine.SOFT_RESET: "soft",
    }
    return boots + 1, causes.get(machine.reset_cause(), "unknown"), lost_so_far()


def lost_so_far() -> int:
    """Packs that the flash did not take, as far as it took their number."""
    return _read(_LOST)


def keep_lost(lost: int, error: Exception) -> None:
    """Has the count outlive this start. A flash that does not take that either is told of while
    this start lasts.
    """
    note("reading lost, {} so far: {}".format(lost, error))
    _write(_LOST, lost)


def _read(path: str) -> int:
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _write(path: str, count: int) -> None:
    try:
        with open(path, "w") as file:
            file.write(str(count))
    except OSError as error:
        # Sampling and sending matter more than a count.
        note("{}: {!r}".format(path, error))
