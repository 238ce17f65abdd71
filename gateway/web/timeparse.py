"""Reads the times and durations that an address may carry: ISO 8601 or Unix seconds.

Pure; an unreadable text raises `TimeError`, whose words are meant for who typed it.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ingest.errors import PermanentError

LATEST_MS: Final = 7_258_118_400_000
"""The year 2200: beyond it a number of seconds is a number of milliseconds."""
LONGEST_STEP_MS: Final = 366 * 86_400_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS: Final = re.compile(r"[0-9]{1,13}(\.[0-9]{1,9})?", re.ASCII)
_LOST_PLUS: Final = re.compile(r"(T[0-9:.]+) ([0-9]{2}:?[0-9]{2})", re.ASCII)
_STEP: Final = re.compile(
    r"P(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9})S)?)?",
    re.ASCII,
)


class TimeError(PermanentError):
    """A time or a duration can't be read."""


def parse_instant(text: str, zone: ZoneInfo) -> int:
    """Unix milliseconds of an ISO 8601 time, or of Unix seconds.

    A date is its midnight and a time without offset is local, both in `zone`. An offset whose `+`
    an address turned into a blank is understood. Raises `TimeError`.
    """
    if _SECONDS.fullmatch(text):
        return _from_seconds(text)
    repaired = _LOST_PLUS.sub(r"\1+\2", text)
    try:
        instant = datetime.fromisoformat(repaired)
    except ValueError as error:
        example = "2026-01-05T08:00:00+01:00, 2026-01-05 or 1767596400"
        raise TimeError(f"{text[:40]!r} is no time: write it like {example}") from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=zone)
    try:
        return _within((instant - _EPOCH) // timedelta(milliseconds=1), text)
    except OverflowError as error:
        raise TimeError(f"{text[:40]!r} lies outside the years 1970 to 2200") from error


def _from_seconds(text: str) -> int:
    if len(text) == 8:
        raise TimeError(f"{text!r} reads as seconds: write a date as 2026-01-05")
    whole, _, fraction = text.partition(".")
    return _within(int(whole) * 1000 + int((fraction + "000")[:3]), text)


def _within(at_ms: int, text: str) -> int:
    if not 0 <= at_ms < LATEST_MS:
        raise TimeError(f"{text[:40]!r} lies outside the years 1970 to 2200 (numbers are seconds)")
    return at_ms


def parse_step(text: str) -> int:
    """Milliseconds of a step: whole seconds (`900`) or an ISO 8601 duration (`PT15M`, `P1D`).

    From one second to 366 days. Months and years have no fixed length and are refused. Raises
    `TimeError`.
    """
    if text.isascii() and text.isdigit() and len(text) <= 10:
        seconds = int(text)
    else:
        seconds = _duration_s(text)
    if not 0 < seconds * 1000 <= LONGEST_STEP_MS:
        raise TimeError(f"a step of {text[:40]!r} is not between one second and 366 days")
    return seconds * 1000


def _duration_s(text: str) -> int:
    match = _STEP.fullmatch(text)
    if match is None or not any(match.groups()):
        raise TimeError(
            f"{text[:40]!r} is no step: write whole seconds (900) or a duration of weeks, days,"
            " hours, minutes and seconds (PT15M, P1D)"
        )
    factors = {"weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
    return sum(int(count) * factors[unit] for unit, count in match.groupdict("0").items())


def iso_instant(at_ms: int) -> str:
    """ISO 8601 in UTC, with milliseconds where there are any."""
    instant = _EPOCH + timedelta(milliseconds=at_ms)
    precision = "milliseconds" if at_ms % 1000 else "seconds"
    return instant.isoformat(timespec=precision).replace("+00:00", "Z")
