"""Who is in a room at each step of time, and when it is aired between two sessions.

Follows a timetable on the days on which the calendar says that there is school. It has no clock and
knows no physics.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from simulators.people import ADULT_L_S, Use
from simulators.seeds import Floats, Integers, key_of, uniform

Flags: TypeAlias = NDArray[np.bool_]
IsSchoolDay: TypeAlias = Callable[[date], bool | None]

SENSIBLE_W: Final = 70.0
"""Heat of a child at its desk; an adult gives about as much (usual practice, no source)."""
VAPOUR_G_S: Final = 40 / 3600
"""Vapour of one of them, 40 g an hour (engineering guess)."""

_DAY_S: Final = 86_400
_HOUR_S: Final = 3600
_AIRING_S: Final = 900
_LEAST_ATTENDANCE: Final = 0.86
_EPOCH: Final = date(1970, 1, 1)


class LocalDay(NamedTuple):
    """The steps of one local day: where they lie in the whole, and their seconds since midnight."""

    day: date
    steps: slice
    second: Integers


def local_days(unix_s: Integers, zone: ZoneInfo) -> list[LocalDay]:
    """Rising Unix times by local day, those of 23 and 25 hours included."""
    hours, of_hour = np.unique(unix_s // _HOUR_S, return_inverse=True)
    offsets = [
        (datetime.fromtimestamp(int(hour) * _HOUR_S, zone).utcoffset() or timedelta())
        // timedelta(seconds=1)
        for hour in hours
    ]
    local_s = unix_s + np.array(offsets, np.int64)[of_hour]
    numbers, first = np.unique(local_s // _DAY_S, return_index=True)
    ends = [*first[1:].tolist(), len(unix_s)]
    return [
        LocalDay(
            _EPOCH + timedelta(days=int(number)), slice(begin, end), local_s[begin:end] % _DAY_S
        )
        for number, begin, end in zip(numbers, first.tolist(), ends, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Presence:
    """What people do to a room at each step: how many are in, and whether it is being aired."""

    children: Floats
    adults: Floats
    airing: Flags
    co2_l_s: Floats

    @property
    def heat_w(self) -> Floats:
        """The sensible heat of all of them."""
        heat: Floats = (self.children + self.adults) * SENSIBLE_W
        return heat

    @property
    def vapour_g_s(self) -> Floats:
        """The vapour of all of them."""
        vapour: Floats = (self.children + self.adults) * VAPOUR_G_S
        return vapour


def presence(
    use: Use, airing: float, days: list[LocalDay], is_school_day: IsSchoolDay, seed: str
) -> Presence:
    """Who is in at the steps of `days`; `airing` is the share of sessions followed by open windows.

    Where the calendar does not know whether there is school, pupils come but in July and August.
    """
    steps = days[-1].steps.stop
    children, adults = np.zeros(steps), np.zeros(steps)
    aired = np.zeros(steps, np.bool_)
    for day in days:
        if not _comes(is_school_day(day.day), day.day):
            continue
        number = (day.day - _EPOCH).days
        attendance = float(uniform(key_of("attendance", seed), np.array([number]))[0])
        pupils = round(use.children * (_LEAST_ATTENDANCE + (1 - _LEAST_ATTENDANCE) * attendance))
        sessions = use.sessions_of(day.day)
        opened = uniform(key_of("airing", seed, number), np.arange(len(sessions))) < airing
        for session, is_opened in zip(sessions, opened, strict=True):
            inside = (session.start_s <= day.second) & (day.second < session.end_s)
            children[day.steps][inside] = pupils
            adults[day.steps][inside] = use.adults
            since_end = day.second - session.end_s
            if is_opened:
                aired[day.steps][(since_end >= 0) & (since_end < _AIRING_S)] = True
    return Presence(children, adults, aired, children * use.child_l_s + adults * ADULT_L_S)


def _comes(is_school_day: bool | None, day: date) -> bool:  # noqa: FBT001 - a calendar's answer
    return day.month not in {7, 8} if is_school_day is None else is_school_day
