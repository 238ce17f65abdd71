"""Public and school holidays as published: joined from two libraries, each wrong somewhere.

What the town knows better stands in its estate and is not known here, nor are opening hours.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import msgspec

from ingest.errors import TransientError
from ingest.estate.holiday_sources import FIRST_YEAR, LAST_YEAR, Stretch, Told, Zone

_WITHIN_S: Final = 60.0
_ONE_DAY: Final = timedelta(days=1)


class HolidaysUnreadableError(TransientError):
    """The libraries of holidays could not be asked; what they said stands in the message."""


@dataclass(frozen=True)
class Published:
    """The holidays of a region and of a school zone.

    A day is a school holiday if either library says so: what they are known to get wrong is days
    that they lack (the bridge of Ascension in one of them). `disputed` are the days of which they
    say different things; a town that knows better corrects them in its estate. School holidays
    are known from `valid_from` to `valid_until`, both included; of other days nothing is known.
    """

    public: dict[date, str]
    school: dict[date, str]
    disputed: tuple[date, ...]
    valid_from: date
    valid_until: date

    @property
    def public_until(self) -> date:
        """The last day of which it is known whether it is a public holiday."""
        return date(LAST_YEAR, 12, 31)

    @property
    def public_from(self) -> date:
        """The first day of which it is known whether it is a public holiday."""
        return date(FIRST_YEAR, 1, 1)


@lru_cache(maxsize=8)
def published_holidays(zone: Zone | None, region: str | None = None) -> Published:
    """Ask the libraries, in a process of their own, which takes a third of a second; once.

    Raises `HolidaysUnreadableError` where that process fails.
    """
    command = [sys.executable, "-m", "ingest.estate.holiday_sources", zone or "", region or ""]
    try:
        asked = subprocess.run(command, capture_output=True, check=True, timeout=_WITHIN_S)  # noqa: S603 - our own module, and two words that the estate's model has checked
        told = msgspec.json.decode(asked.stdout, type=Told)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or [str(error)]
        raise HolidaysUnreadableError(f"holidays can't be read: {said[-1]}") from error
    except (OSError, subprocess.TimeoutExpired, msgspec.DecodeError) as error:
        raise HolidaysUnreadableError(f"holidays can't be read: {error}") from error
    return join(told)


def join(told: Told) -> Published:
    """What both libraries say as one."""
    computed, listed = (_by_day(stretches) for stretches in told.school)
    # `holidays` begins with the school year 2017-2018; before, it says nothing of any day.
    both_from = max(min(computed, default=told.decreed_from), told.decreed_from)
    disputed = sorted(day for day in computed.keys() ^ listed.keys() if day >= both_from)
    return Published(
        public=_by_day(told.public),
        school=computed | listed,
        disputed=tuple(disputed),
        valid_from=told.decreed_from,
        valid_until=told.decreed_until,
    )


def _by_day(stretches: Iterable[Stretch]) -> dict[date, str]:
    return {day: stretch.name for stretch in stretches for day in _days(stretch)}


def _days(stretch: Stretch) -> Iterator[date]:
    for offset in range((stretch.last - stretch.first).days + 1):
        yield stretch.first + offset * _ONE_DAY
