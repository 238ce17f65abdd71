"""Central heating: the programme of a building by its calendar, the curve of its boiler by weather.

Set-back, boost before people come, and what goes wrong with it in real life. It knows no rooms, and
has no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from ingest.estate.calendar import OccupancyCalendar
from simulators.faults import BoilerDown, BuildingFault, ClockOnWinterTime, HeatingLeftOn
from simulators.presence import Flags
from simulators.seeds import Floats, Integers
from simulators.weather import Sky

DESIGN_EXCESS_K: Final = 50.0
"""A radiator's nominal power is given at this excess over the air (EN 442)."""
RADIATOR_EXPONENT: Final = 1.3
"""n of EN 442 for a usual radiator."""
OFF_C: Final = -273.15
"""What a boiler that is off sends: as cold as it gets, so that nothing comes from it."""

_HOUR_MS: Final = 3_600_000
_DESIGN_INSIDE_C: Final = 20.0
_DESIGN_OUTSIDE_C: Final = -7.0
"""Base temperature of Seine-et-Marne (NF EN 12831/NA)."""
_SHORT_BREAK_MS: Final = 4 * _HOUR_MS
_ENDLESS_MS: Final = 400 * 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Regime:
    """How a building is heated. `night_c` holds in gaps of less than two days, `away_c` in longer
    ones; the boost before people come is longer after those. Above `limit_c`, the mean of a day
    outdoors, the boiler is off.
    """

    comfort_c: float = 19.5
    night_c: float = 16.0
    away_c: float = 11.0
    boost_h: float = 2.5
    boost_after_days_h: float = 6.0
    limit_c: float = 15.0
    margin: float = 1.1
    boost_margin: float = 1.4


class Programme(NamedTuple):
    """What a building's heating aims at, step by step, and the temperature of its radiators."""

    target_c: Floats
    is_comfort: Flags
    radiator_c: Floats


def programme(
    regime: Regime,
    calendar: OccupancyCalendar,
    refs: Sequence[str],
    *,
    unix_s: Integers,
    sky: Sky,
    faults: Sequence[BuildingFault] = (),
) -> Programme:
    """The programme of the building that the rooms `refs` lie in; one of them used is enough."""
    at_ms = unix_s * 1000
    shown_ms = at_ms.copy()
    for fault in faults:
        if isinstance(fault, ClockOnWinterTime):
            in_summer = np.array([_is_summer_time(int(ms), calendar) for ms in at_ms])
            shown_ms[in_summer & _held(fault, at_ms)] -= _HOUR_MS
    target_c, is_boost = _targets(regime, calendar, refs, shown_ms)
    for fault in faults:
        if isinstance(fault, HeatingLeftOn):
            target_c[_held(fault, at_ms)] = regime.comfort_c
    radiator_c = _curve(regime, target_c, is_boost, sky)
    for fault in faults:
        if isinstance(fault, BoilerDown):
            radiator_c[_held(fault, at_ms)] = OFF_C
    return Programme(target_c, target_c >= regime.comfort_c, radiator_c)


def emission(heater_w: Floats, radiator_c: Floats, air_c: Floats) -> Floats:
    """The most that radiators give, in W: nominal power by their excess to the power of 1.3."""
    excess = np.maximum(radiator_c - air_c, 0.0) / DESIGN_EXCESS_K
    given: Floats = heater_w * excess**RADIATOR_EXPONENT
    return given


def _curve(regime: Regime, target_c: Floats, is_boost: Flags, sky: Sky) -> Floats:
    """The mean radiator temperature that just carries the load of the weather, with a margin."""
    load = (target_c - sky.temperature_c) / (_DESIGN_INSIDE_C - _DESIGN_OUTSIDE_C)
    margin = np.where(is_boost, regime.boost_margin, regime.margin)
    excess_k = DESIGN_EXCESS_K * np.clip(load * margin, 0.0, regime.boost_margin) ** (
        1 / RADIATOR_EXPONENT
    )
    radiator_c: Floats = np.where(sky.mean_c > regime.limit_c, OFF_C, target_c + excess_k)
    return radiator_c


def _targets(
    regime: Regime, calendar: OccupancyCalendar, refs: Sequence[str], at_ms: Integers
) -> tuple[Floats, Flags]:
    target_c = np.full(len(at_ms), regime.comfort_c)
    is_boost = np.zeros(len(at_ms), np.bool_)
    now_ms, last_ms = int(at_ms[0]), int(at_ms[-1])
    while now_ms <= last_ms:
        gap = _gap(calendar, refs, now_ms)
        if gap.is_empty and gap.end_ms - gap.begin_ms > _SHORT_BREAK_MS:
            hours = (gap.end_ms - gap.begin_ms) / _HOUR_MS
            boost_h = regime.boost_h if hours < 24 else regime.boost_after_days_h
            boost_ms = max(gap.begin_ms, gap.end_ms - int(boost_h * _HOUR_MS))
            low = (gap.begin_ms <= at_ms) & (at_ms < boost_ms)
            target_c[low] = regime.night_c if hours < 48 else regime.away_c
            is_boost |= (boost_ms <= at_ms) & (at_ms < gap.end_ms)
        now_ms = gap.end_ms
    return target_c, is_boost


class _Gap(NamedTuple):
    is_empty: bool
    begin_ms: int
    end_ms: int


def _gap(calendar: OccupancyCalendar, refs: Sequence[str], at_ms: int) -> _Gap:
    """Whether nobody is in any of the rooms, since when and until when nothing changes."""
    rooms = [calendar.at_ms(ref, at_ms) for ref in refs]
    begins = [room.since_ms for room in rooms if room.since_ms is not None]
    ends = [room.until_ms for room in rooms if room.until_ms is not None]
    return _Gap(
        all(room.state == "unoccupied" for room in rooms),
        max(begins, default=at_ms - _ENDLESS_MS),
        min(ends, default=at_ms + _ENDLESS_MS),
    )


def _held(fault: BuildingFault, at_ms: Integers) -> Flags:
    held: Flags = (fault.since_ms <= at_ms) & (at_ms < fault.until_ms)
    return held


def _is_summer_time(at_ms: int, calendar: OccupancyCalendar) -> bool:
    return bool(datetime.fromtimestamp(at_ms / 1000, calendar.zone).dst())
