"""Local days as stretches of time: days of 23, 24 and 25 hours.

It knows time zones, and nothing of what happens on a day.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ingest.estate.fields import Span, to_ms

_ONE_DAY = timedelta(days=1)
_ONE_MINUTE = timedelta(minutes=1)


def local_day(at_ms: int, zone: ZoneInfo) -> date:
    """The day on which it was that time, where the clocks go by `zone`."""
    return datetime.fromtimestamp(at_ms / 1000, zone).date()


def day_ms(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Begin and end of a day in Unix milliseconds; the end is the begin of the next one."""
    return _begin_ms(day, 0, zone), _begin_ms(day + _ONE_DAY, 0, zone)


def span_ms(day: date, span: Span, zone: ZoneInfo) -> tuple[int, int]:
    """Begin and end of a span of a day in Unix milliseconds.

    Of an hour that comes twice, a span that begins in it begins the first time and one that ends
    in it ends the second time. In an hour that is left out a span begins and ends where the clocks
    go on; one that lies wholly in it is empty.
    """
    return _begin_ms(day, span.start, zone), _end_ms(day, span.end, zone)


def _begin_ms(day: date, minute: int, zone: ZoneInfo) -> int:
    return to_ms(_existing(day, minute, zone))


def _end_ms(day: date, minute: int, zone: ZoneInfo) -> int:
    return to_ms(_existing(day, minute, zone).replace(fold=1))


def _existing(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """That minute of the day, or the first one after it that the clocks show."""
    wall = datetime.combine(day, time(), zone) + timedelta(minutes=minute)
    while wall.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
        wall += _ONE_MINUTE
    return wall
