"""The state of the service in words: what `/healthz` says and the page repeats.

Plain data, filled by the service; it asks nobody.
"""

from dataclasses import dataclass, field
from typing import Final

_ESSENTIAL: Final = frozenset({"broker", "clock", "room", "store"})
"""Without these no reading is stored; a refused estate only keeps the last valid one in force."""


@dataclass(slots=True)
class Health:
    """Whether the service does its job. `problems` are sentences for a technician, by topic."""

    broker_connected: bool = False
    problems: dict[str, str] = field(default_factory=dict)
    """By what is concerned: store, room, disk, estate, broker, clock, InfluxDB."""
    last_commit_at_ms: int | None = None

    @property
    def is_well(self) -> bool:
        """True when readings arrive and are stored."""
        return self.broker_connected and not self.problems.keys() & _ESSENTIAL
