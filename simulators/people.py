"""When a room holds whom: the timetables of French schools, by local weekday and time of day.

Rules only, with neither clock nor calendar: which days have school is not known here.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = range(5)

# Wednesdays are off where a town keeps the week of four days, as most do.
SCHOOL_DAYS: Final = frozenset((MONDAY, TUESDAY, THURSDAY, FRIDAY))

# CO2 from Persily & de Jonge 2017, litres a second and person: 6 to 11 years at 1.2 met, an adult
# who stands and speaks, and for younger children the smallest figure of the table (1.0 met).
CHILD_L_S: Final = 0.0030
SMALL_CHILD_L_S: Final = 0.0025
ADULT_L_S: Final = 0.0050


def clock_s(hours: int, minutes: int = 0) -> int:
    """Seconds since local midnight."""
    return hours * 3600 + minutes * 60


@dataclass(frozen=True, slots=True)
class Session:
    """A stretch of the day during which a room is used, from `start_s` to `end_s` local time."""

    start_s: int
    end_s: int
    weekdays: frozenset[int] = SCHOOL_DAYS


CLASS_DAY: Final = (
    Session(clock_s(8, 30), clock_s(10)),
    Session(clock_s(10, 15), clock_s(11, 30)),
    Session(clock_s(13, 30), clock_s(15)),
    Session(clock_s(15, 15), clock_s(16, 30)),
)
"""School hours, 8:30-11:30 and 13:30-16:30, without the two breaks in the yard."""

NURSERY_DAY: Final = (
    Session(clock_s(8, 30), clock_s(10, 10)),
    Session(clock_s(10, 40), clock_s(11, 30)),
    Session(clock_s(13, 30), clock_s(15, 10)),
    Session(clock_s(15, 40), clock_s(16, 30)),
)
NAP: Final = (Session(clock_s(13, 15), clock_s(15, 15)),)
LUNCH: Final = (
    Session(clock_s(11, 40), clock_s(12, 25)),
    Session(clock_s(12, 30), clock_s(13, 15)),
)
WEDNESDAY_CARE: Final = (
    Session(clock_s(8), clock_s(12), frozenset((WEDNESDAY,))),
    Session(clock_s(13, 30), clock_s(17), frozenset((WEDNESDAY,))),
)
"""The day of the *centre de loisirs*."""
LIBRARY_HOURS: Final = (
    Session(clock_s(9), clock_s(9, 50), frozenset((MONDAY, THURSDAY))),
    Session(clock_s(10, 20), clock_s(11, 20), frozenset((TUESDAY, FRIDAY))),
    Session(clock_s(13, 45), clock_s(14, 45)),
)


@dataclass(frozen=True, slots=True)
class Use:
    """Who comes to a room and when; `child_l_s` is the CO2 of one child, litres a second."""

    sessions: tuple[Session, ...]
    children: int
    adults: int = 1
    child_l_s: float = CHILD_L_S

    def sessions_of(self, day: date) -> tuple[Session, ...]:
        """The sessions of a day's timetable, in order."""
        weekday = day.weekday()
        return tuple(session for session in self.sessions if weekday in session.weekdays)
