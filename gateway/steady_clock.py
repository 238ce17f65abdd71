"""Tells whether the clock can be trusted to throw things away by.

A clock that jumps ahead makes everything look old. What is deleted by it is gone, so only a clock
that has run for an hour as an unadjustable one does is believed.
"""

from typing import Final

STEADY_S: Final = 3600.0
_TOLERANCE_S: Final = 60.0


class SteadyClock:
    """Watches a wall clock beside a monotonic one; look at it more often than once an hour."""

    def __init__(self, steady_s: float = STEADY_S) -> None:
        self._steady_s = steady_s
        self._difference_s: float | None = None
        self._since_s = 0.0

    def is_steady(self, wall_s: float, monotonic_s: float) -> bool:
        """Whether the wall clock has not jumped for an hour."""
        difference_s = wall_s - monotonic_s
        if self._difference_s is None or abs(difference_s - self._difference_s) > _TOLERANCE_S:
            self._difference_s, self._since_s = difference_s, monotonic_s
        return monotonic_s - self._since_s >= self._steady_s
