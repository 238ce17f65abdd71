"""How a building is run from day to day: who sits in a room, when it is aired and heated.

A day is planned at once, five minutes by five minutes of local time. It has no clock and knows no
physics.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final, NamedTuple

from simulators.people import Session, Use

PLAN_STEP_S: Final = 300
"""A plan has one moment for each five minutes of a day."""

_DAY_S: Final = 86_400
_ONE_DAY: Final = timedelta(days=1)
_AIRING_S: Final = 900
_BOOST_S: Final = 2 * 3600
_BOOST_AFTER_BREAK_S: Final = 5 * 3600
_LEAST_ATTENDANCE: Final = 0.86


@dataclass(frozen=True, slots=True)
class Habits:
    """How a room is used.

    `airing` is the share of sessions after which the windows are opened, `airing_in_class_ppm`
    the CO2 above which someone opens one during a session. `night_c` holds between two days of
    use, `away_c` over two days off or more.
    """

    use: Use
    airing: float = 0.5
    airing_in_class_ppm: float = math.inf
    comfort_c: float = 19.5
    night_c: float = 16.0
    away_c: float = 12.0


class Moment(NamedTuple):
    """What people do to a room in one step of its day."""

    children: int
    adults: int
    windows_open: bool
    setpoint_c: float


def plan_day(habits: Habits, day: date, seed: int | str) -> list[Moment]:
    """The moments of a local day from midnight on. Same arguments, same plan."""
    random = Random(f"day/{seed}/{day}")  # noqa: S311 - a simulation
    sessions = habits.use.sessions_of(day)
    children = round(habits.use.children * random.uniform(_LEAST_ATTENDANCE, 1.0))
    aired = [session for session in sessions if random.random() < habits.airing]
    heated = _heated_hours(habits.use, day, sessions)
    before_c, after_c = _setbacks_c(habits, day)
    plan: list[Moment] = []
    for second in range(0, _DAY_S, PLAN_STEP_S):
        used = any(session.start_s <= second < session.end_s for session in sessions)
        setpoint_c = before_c if second < heated[0] else after_c
        plan.append(
            Moment(
                children=children if used else 0,
                adults=habits.use.adults if used else 0,
                windows_open=any(0 <= second - session.end_s < _AIRING_S for session in aired),
                setpoint_c=habits.comfort_c if heated[0] <= second < heated[1] else setpoint_c,
            )
        )
    return plan


def _heated_hours(use: Use, day: date, sessions: tuple[Session, ...]) -> tuple[int, int]:
    """From the boost, longer after days off, to the end of the last session."""
    if not sessions:
        return 0, 0
    boost_s = _BOOST_AFTER_BREAK_S if _is_in_break(use, day - _ONE_DAY) else _BOOST_S
    return sessions[0].start_s - boost_s, sessions[-1].end_s


def _setbacks_c(habits: Habits, day: date) -> tuple[float, float]:
    """What the heating falls back to before and after the hours of a day."""
    around = [_is_in_break(habits.use, day + offset * _ONE_DAY) for offset in (-1, 0, 1)]
    before_c = habits.away_c if around[0] or around[1] else habits.night_c
    after_c = habits.away_c if around[1] or around[2] else habits.night_c
    return before_c, after_c


def _is_in_break(use: Use, day: date) -> bool:
    """Whether a day is one of at least two days off in a row."""
    before, there, after = (not use.sessions_of(day + n * _ONE_DAY) for n in (-1, 0, 1))
    return there and (before or after)
