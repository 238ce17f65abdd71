"""How long a node that sleeps is waited for. Pure: it knows what the node said, and no clock.

A node's RTC is off by some percent, and where it finds no network it tries half as often.
"""

from dataclasses import dataclass
from typing import Final

_SLACK: Final = 0.1
"""The RTC of a sleeping ESP32 is off by up to 5 %."""
_SLACK_S: Final = 60.0


def allowed_s(base_s: float, cycles: int, sleep: "Sleep | None") -> float:
    """How long a node may take for what takes `base_s` awake: some of its cycles, if it sleeps."""
    return base_s + (cycles * sleep.cycle_s if sleep is not None else 0.0)


@dataclass(frozen=True, slots=True)
class Sleep:
    """The last sleep that a node has announced, in Unix seconds."""

    since_s: float
    until_s: float
    is_on: bool = True
    """Whether the node has not been heard since."""

    @property
    def cycle_s(self) -> float:
        """How long it may be from one time that the node sends to the next, if all is well."""
        return (1 + _SLACK) * max(0.0, self.until_s - self.since_s) + _SLACK_S

    def left_s(self, now_s: float) -> float:
        """For how long to wait for a node asleep, counted from `now_s`. One that is overdue may
        have found no network, and tries again after twice the time.
        """
        left_s = self.since_s + self.cycle_s - now_s
        return left_s if left_s > 0 else max(0.0, left_s + 2 * self.cycle_s)

    def is_overdue(self, now_s: float) -> bool:
        """Whether a node asleep has not come, nor after one time without network."""
        return self.left_s(now_s) <= 0
