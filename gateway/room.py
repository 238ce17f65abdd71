"""How much room the store has on its disk, and what follows from that. Pure.

Room is what is free on the disk and inside the store's file, less what the ballast is still owed.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

MIB: Final = 1024 * 1024
STOP_BYTES: Final = 32 * MIB
"""Below that nothing more is taken in: sorting in and shipping need the rest."""


class Level(Enum):
    """What the room is enough for."""

    ENOUGH = auto()
    LOW = auto()
    """Readings that are in InfluxDB go, the oldest first."""
    STOP = auto()
    """Nothing is acknowledged until there is room again."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """In bytes of room. It goes on at twice what it stopped at, so that it does not flutter."""

    low: int
    stop: int

    def level(self, room: int, before: Level) -> Level:
        """The level at this room, coming from `before`."""
        if room < self.stop or (before is Level.STOP and room < 2 * self.stop):
            return Level.STOP
        return Level.LOW if room < self.low else Level.ENOUGH


def problem_of(level: Level, room: int, *, may_let_go: bool) -> str | None:
    """What to tell a technician."""
    left = f"{max(0, room) // MIB} MiB are left for the store"
    match level:
        case Level.ENOUGH:
            return None
        case Level.LOW if may_let_go:
            return f"{left}: readings that are in InfluxDB go, the oldest first; make room"
        case Level.LOW:
            return f"{left}: make room, or configure an InfluxDB and a shorter store.keep_days"
        case Level.STOP:
            return f"{left}: nothing is taken in until there is more; nodes keep their readings"
