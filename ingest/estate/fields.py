"""The values that estate files are made of: ids, names, instants, opening hours, exposures.

Each is a type that pydantic validates, with a reason in words where it refuses. It knows neither
files nor the estate they make up.
"""

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from ingest.topics import is_node_id

DEFAULT_ZONE: Final = ZoneInfo("Europe/Paris")
# What the time-series database calls a node's place before it has one.
_RESERVED: Final = frozenset({"unplaced"})
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SPAN: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FRENCH_WEST: Final = {"O": "W", "NO": "NW", "SO": "SW"}


class EstateModel(BaseModel):
    """A table of an estate file: read once, never changed, unknown keys refused, and no text
    taken for a number.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
    )


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime, exactly."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def _checked_id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(
            "must be 1 to 63 lowercase letters a-z, digits and hyphens, not a hyphen first"
        )
    if value in _RESERVED:
        raise ValueError(f"{value!r} is reserved; choose another id")
    return value


def _checked_node_id(value: str) -> str:
    if not is_node_id(value):
        raise ValueError("must be the 12 lowercase hex digits of the label, such as 3c71bf4a2b10")
    return value


def _checked_name(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("must be one line of text, without blanks around it")
    return value


def _instant(value: object, info: ValidationInfo) -> datetime:
    """A local date is its midnight; a time without offset is local; both in the estate's zone."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - gets its zone below
    if not isinstance(value, datetime):
        raise ValueError("must be a date or a time without quotes: 2026-09-01")  # noqa: TRY004 - pydantic's protocol
    if not 2000 <= value.year < 2200:
        raise ValueError("must lie between the years 2000 and 2199")
    if value.tzinfo is None:
        zone = (info.context or {}).get("zone", DEFAULT_ZONE)
        value = value.replace(tzinfo=zone)
    return value.astimezone(UTC)


def _exposure(value: object) -> object:
    return _FRENCH_WEST.get(value, value) if isinstance(value, str) else value


class Span(NamedTuple):
    """Part of a day, in minutes after local midnight; `end` no longer belongs to it."""

    start: int
    end: int


def _span(value: object) -> Span:
    if isinstance(value, Span):
        return value
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be written "08:30-16:30"')
    h1, m1, h2, m2 = map(int, match.groups())
    span = Span(h1 * 60 + m1, h2 * 60 + m2)
    if m1 > 59 or m2 > 59 or span.end > 24 * 60:
        raise ValueError("must lie between 00:00 and 24:00")
    if span.start >= span.end:
        raise ValueError("must end after it begins; a night is written as two days")
    return span


def _in_order(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    for before, after in pairwise(spans):
        if after.start < before.end:
            raise ValueError("its spans must follow each other without overlap")
    return spans


Id = Annotated[str, AfterValidator(_checked_id)]
NodeId = Annotated[str, AfterValidator(_checked_node_id)]
Name = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_checked_name)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Exposure = Annotated[
    Literal["N", "NE", "E", "SE", "S", "SW", "W", "NW"], BeforeValidator(_exposure)
]
Spans = Annotated[
    tuple[Annotated[Span, BeforeValidator(_span)], ...],
    Field(strict=False),
    AfterValidator(_in_order),
]


class Hours(EstateModel):
    """When people are in, for each day of an ordinary week. A day left out is closed."""

    mon: Spans = ()
    tue: Spans = ()
    wed: Spans = ()
    thu: Spans = ()
    fri: Spans = ()
    sat: Spans = ()
    sun: Spans = ()

    def of(self, weekday: int) -> tuple[Span, ...]:
        """The spans of a day of the week, Monday being 0."""
        days = (self.mon, self.tue, self.wed, self.thu, self.fri, self.sat, self.sun)
        return days[weekday]


def until_after_since(value: Any, info: ValidationInfo) -> Any:
    """For a field that must lie after the `since` that stands before it in its model."""
    since = info.data.get("since")
    if value is not None and since is not None and value <= since:
        raise ValueError("must be later than `since`")
    return value
