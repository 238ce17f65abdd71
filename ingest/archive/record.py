"""What an archive of readings is made of: one record a reading, and what could not be taken in.

Plain data. It knows neither formats nor the store.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from ingest.readings import MAIN_CHANNEL, TimeSource

EARLIEST_MS: Final = 946_684_800_000
"""1 January 2000: an archive may be older than Préau, and a time before this is a broken clock."""


class Record(NamedTuple):
    """One reading. Times are Unix milliseconds; `quality` and `received_at_ms` may be unknown."""

    node: str
    quantity: str
    measured_at_ms: int
    value: float
    channel: str = MAIN_CHANNEL
    quality: int | None = None
    received_at_ms: int | None = None
    time_source: int = TimeSource.NODE


class RefusedLine(NamedTuple):
    """One line of a file that can't be taken in, or a part of it: `content` says which, as read."""

    number: int
    content: bytes
    reason: str


Check = Callable[[Record], str | None]
"""Why a record can't be taken in, of those that whoever takes it in knows; else `None`."""
