"""When people are in a room, since when and until when nobody is, and why.

Joins the opening hours of the estate with published holidays; what the estate says of single days
wins. It knows until when its data are valid, and beyond answers "unknown". It has no clock and
reads nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from ingest.estate.fields import DEFAULT_ZONE, Hours, Span, to_ms
from ingest.estate.holidays import Published, published_holidays
from ingest.estate.local_days import local_day, span_ms
from ingest.estate.model import Days, Estate, Opening, RoomPlace

State = Literal["occupied", "unoccupied", "unknown"]
Kind = Literal["closure", "public", "school"]

SEARCH_DAYS: Final = 400
"""So far `since` and `until` are looked for: no school is closed for longer than that."""

_ONE_DAY: Final = timedelta(days=1)
_DAYS_KEPT: Final = 2048
_ALL_DAY: Final = (Span(0, 24 * 60),)
"""Where no hours are given, people may be in at any time."""


class Holiday(NamedTuple):
    """Why a day is off: its name in French, and who says so."""

    name: str
    kind: Kind


class Stretch(NamedTuple):
    """Time in one state, from `start_ms` to before `end_ms`."""

    start_ms: int
    end_ms: int
    state: State


class Occupancy(NamedTuple):
    """Whether people are in at an instant.

    The state holds from `since_ms` to before `until_ms`; `None` means that it does so for more than
    400 days. Unoccupied until a time after which nothing is known ends there. `holiday` is why the
    local day of the instant is off, `None` on an ordinary day or weekend.
    """

    state: State
    since_ms: int | None
    until_ms: int | None
    holiday: Holiday | None


@dataclass(frozen=True)
class _Rules:
    """What decides of the days of a room; many rooms share theirs."""

    hours: Hours | None
    follows_school: bool
    closures: tuple[Days, ...]
    openings: tuple[Opening, ...]


@dataclass(frozen=True)
class OccupancyCalendar:
    """The calendar of all rooms of an estate; `zone` is where its clocks are."""

    estate: Estate
    published: Published
    zone: ZoneInfo = DEFAULT_ZONE
    _timelines: dict[str, "_Timeline"] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shared: dict[_Rules, _Timeline] = {}
        timelines = {}
        for place in self.estate.rooms():
            rules = self._rules(place)
            if rules not in shared:
                shared[rules] = _Timeline(rules, self.published, self.zone)
            timelines[place.ref] = shared[rules]
        object.__setattr__(self, "_timelines", timelines)

    @classmethod
    def of(cls, estate: Estate, zone: ZoneInfo = DEFAULT_ZONE) -> "OccupancyCalendar":
        """The calendar of an estate with the holidays of its zone and region.

        Takes a third of a second the first time. Raises `HolidaysUnreadableError`.
        """
        calendar = estate.calendar
        return cls(estate, published_holidays(calendar.school_zone, calendar.region), zone)

    @property
    def valid_from(self) -> date:
        """The first day from which school holidays are known."""
        return self.published.valid_from

    @property
    def valid_until(self) -> date:
        """The last day until which school holidays are known."""
        return self.published.valid_until

    def at(self, ref: str, instant: datetime) -> Occupancy:
        """Whether people are in the room `site/room` at an aware instant.

        Raises `KeyError` where there is no such room.
        """
        return self._timeline(ref).at(to_ms(instant))

    def at_ms(self, ref: str, at_ms: int) -> Occupancy:
        """The same for Unix milliseconds."""
        return self._timeline(ref).at(at_ms)

    def stretches(self, ref: str, start_ms: int, end_ms: int) -> Iterator[Stretch]:
        """The states of a room from `start_ms` to before `end_ms`, without gap or overlap."""
        return self._timeline(ref).stretches(start_ms, end_ms)

    def holiday(self, ref: str, day: date) -> Holiday | None:
        """Why a local day is off for a room, if it is for more than its weekday."""
        return self._timeline(ref).day(day).holiday

    def is_school_day(self, ref: str, day: date) -> bool | None:
        """Whether an ordinary timetable holds on a local day; `None` where that is not known.

        Weekends count as well: what is done on which weekday is for the timetable to say.
        """
        plan = self._timeline(ref).day(day)
        return None if plan.is_unknown else plan.holiday is None

    def disputed(self, first: date, last: date) -> list[date]:
        """Days between two, both included, of which the sources of school holidays disagree."""
        return [day for day in self.published.disputed if first <= day <= last]

    def _timeline(self, ref: str) -> "_Timeline":
        try:
            return self._timelines[ref]
        except KeyError:
            raise KeyError(f"there is no room {ref!r} in the estate") from None

    def _rules(self, place: RoomPlace) -> _Rules:
        calendar = self.estate.calendar
        return _Rules(
            place.hours,
            place.follows_school and calendar.school_zone is not None,
            tuple(days for days in calendar.closures if days.holds_in(place.site.id, place.ref)),
            tuple(days for days in calendar.openings if days.holds_in(place.site.id, place.ref)),
        )


class _Day(NamedTuple):
    """A local day of a room: when people are in, or may be where that is not known."""

    spans: tuple[tuple[int, int], ...]
    holiday: Holiday | None
    is_unknown: bool


class _Timeline:
    """The days of all rooms that share their rules."""

    def __init__(self, rules: _Rules, published: Published, zone: ZoneInfo) -> None:
        self._rules = rules
        self._published = published
        self._zone = zone
        self._last: tuple[date, Occupancy] | None = None
        self.day = lru_cache(maxsize=_DAYS_KEPT)(self._day)

    def at(self, at_ms: int) -> Occupancy:
        # Who asks for many rooms every minute gets the same answer many times.
        today = local_day(at_ms, self._zone)
        if self._last is None or self._last[0] != today or not _covers(self._last[1], at_ms):
            self._last = (today, self._looked_up(at_ms, today))
        return self._last[1]

    def _looked_up(self, at_ms: int, today: date) -> Occupancy:
        holiday = self.day(today).holiday
        here = next((s for s in self._busy(today) if s.start_ms <= at_ms < s.end_ms), None)
        if here is not None:
            since_ms, until_ms = self._begin(here, today), self._end(here, today)
            return Occupancy(here.state, since_ms, until_ms, holiday)
        before = (s.end_ms for s in self._backward(today) if s.end_ms <= at_ms)
        after = (s.start_ms for s in self._forward(today) if s.start_ms > at_ms)
        return Occupancy("unoccupied", next(before, None), next(after, None), holiday)

    def stretches(self, start_ms: int, end_ms: int) -> Iterator[Stretch]:
        """The states from `start_ms` to before `end_ms`."""
        at_ms = start_ms
        while at_ms < end_ms:
            now = self.at(at_ms)
            until_ms = end_ms if now.until_ms is None else min(now.until_ms, end_ms)
            yield Stretch(at_ms, until_ms, now.state)
            at_ms = until_ms

    def _begin(self, here: Stretch, today: date) -> int | None:
        """From when on what is going on goes on without a gap, over midnights if need be."""
        start_ms = here.start_ms
        for before in self._backward(today):
            if before.start_ms >= start_ms:
                continue
            if before.end_ms < start_ms or before.state != here.state:
                return start_ms
            start_ms = before.start_ms
        return None

    def _end(self, here: Stretch, today: date) -> int | None:
        """Until when it does."""
        end_ms = here.end_ms
        for after in self._forward(today):
            if after.end_ms <= end_ms:
                continue
            if after.start_ms > end_ms or after.state != here.state:
                return end_ms
            end_ms = after.end_ms
        return None

    def _forward(self, today: date) -> Iterator[Stretch]:
        for offset in range(SEARCH_DAYS):
            yield from self._busy(today + offset * _ONE_DAY)

    def _backward(self, today: date) -> Iterator[Stretch]:
        for offset in range(SEARCH_DAYS):
            yield from reversed(self._busy(today - offset * _ONE_DAY))

    def _busy(self, day: date) -> list[Stretch]:
        plan = self.day(day)
        state: State = "unknown" if plan.is_unknown else "occupied"
        return [Stretch(start_ms, end_ms, state) for start_ms, end_ms in plan.spans]

    def _day(self, day: date) -> _Day:
        rules = self._rules
        usual = rules.hours.of(day.weekday()) if rules.hours else _ALL_DAY
        for closure in rules.closures:
            if closure.covers(day):
                return _Day((), Holiday(closure.name or "Fermeture", "closure"), is_unknown=False)
        for opening in rules.openings:
            if opening.covers(day):
                hours = usual if opening.hours is None else opening.hours
                is_unknown = opening.hours is None and rules.hours is None
                return _Day(self._instants(day, hours), None, is_unknown)
        holiday = self._published_holiday(day)
        if holiday is not None:
            return _Day((), holiday, is_unknown=False)
        is_unknown = rules.hours is None or not self._is_known(day)
        return _Day(self._instants(day, usual), None, is_unknown)

    def _published_holiday(self, day: date) -> Holiday | None:
        public = self._published.public.get(day)
        if public is not None:
            return Holiday(public, "public")
        school = self._published.school.get(day) if self._rules.follows_school else None
        return None if school is None else Holiday(school, "school")

    def _is_known(self, day: date) -> bool:
        published = self._published
        if not published.public_from <= day <= published.public_until:
            return False
        in_school_data = published.valid_from <= day <= published.valid_until
        return in_school_data or not self._rules.follows_school

    def _instants(self, day: date, spans: tuple[Span, ...]) -> tuple[tuple[int, int], ...]:
        """Spans in Unix milliseconds, those joined that the change of the clocks lets overlap."""
        joined: list[tuple[int, int]] = []
        for span in spans:
            start_ms, end_ms = span_ms(day, span, self._zone)
            if joined and start_ms <= joined[-1][1]:
                start_ms, end_ms = joined[-1][0], max(joined.pop()[1], end_ms)
            if start_ms < end_ms:
                joined.append((start_ms, end_ms))
        return tuple(joined)


def _covers(occupancy: Occupancy, at_ms: int) -> bool:
    """Whether it holds at that time as well."""
    since_ms, until_ms = occupancy.since_ms, occupancy.until_ms
    return (since_ms is None or since_ms <= at_ms) and (until_ms is None or at_ms < until_ms)
