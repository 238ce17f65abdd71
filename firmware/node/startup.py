"""How often this node has started, and why this time. Needed once: dropped after that."""

import machine


def count_start(path: str = "boots") -> tuple[int, str]:
    """(how often, this time included; the cause of this start)."""
    try:
        with open(path) as file:
            boots = int(file.read())
    except (OSError, ValueError):
        boots = 0
    with open(path, "w") as file:
        file.write(str(boots + 1))
    causes = {
        machine.PWRON_RESET: "power_on",
        machine.HARD_RESET: "hard",
        machine.WDT_RESET: "watchdog",
        machine.DEEPSLEEP_RESET: "deep_sleep",
        machine.SOFT_RESET: "soft",
    }
    return boots + 1, causes.get(machine.reset_cause(), "unknown")
