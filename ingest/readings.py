"""What a decoded message holds: readings, the pack they came in, and what of it was refused.

Plain data. It knows neither JSON nor the store.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

MAIN_CHANNEL: Final = "main"
"""The channel of a reading whose name has none."""


_CHANNEL: Final = re.compile(r"[a-z0-9-]{1,16}")


def is_channel(text: str) -> bool:
    """Whether `text` may name one of several sensors of a node."""
    return _CHANNEL.fullmatch(text) is not None


class TimeSource(IntEnum):
    """Where the time of a reading comes from."""

    NODE = 0
    RECEPTION = 1
    """Given relative to now (RFC 8428 section 4.5.3): counted from its first reception."""


class Quality(IntEnum):
    """How far a value may be trusted; nothing is ever dropped for it."""

    GOOD = 0
    SUSPECT = 1
    BAD = 2


SeriesKey = tuple[str, str]
"""(quantity, channel) of one node."""


@lru_cache(maxsize=4096)
def series_key(quantity: str, channel: str) -> SeriesKey:
    """One tuple for all who remember a key: 10,000 nodes have the same few in several tables."""
    return quantity, channel


class Reading(NamedTuple):
    """One value at its time. Booleans are 0 and 1; times are Unix milliseconds, UTC."""

    quantity: str
    channel: str
    measured_at_ms: int
    value: float
    time_source: int = TimeSource.NODE


class LogPosition(NamedTuple):
    """The place of a pack in its node's log: design of receipts and audit rests on it.

    `first` is the oldest number that the node still holds, `None` where it could not be read.
    """

    log: str
    seq: int
    first: int | None = None


@dataclass(slots=True)
class RejectedRecord:
    """One record that can't be used; `content` is that record as a pack of its own."""

    reason: str
    detail: str
    content: bytes


@dataclass(slots=True)
class Pack:
    """One decoded message of a node."""

    node: str
    position: LogPosition | None
    readings: list[Reading]
    rejected: list[RejectedRecord]
