from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.timeparse import (
    LATEST_MS,
    LONGEST_STEP_MS,
    TimeError,
    iso_instant,
    parse_instant,
    parse_step,
)
from tests.unit.web.town import ZONE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1767596400", 1767596400000),
        ("1767596400.25", 1767596400250),
        ("0", 0),
        ("2026-01-05", 1767567600000),  # midnight in Paris
        ("2026-07-05", 1783202400000),  # in summer
        ("2026-01-05T08:00:00", 1767596400000),
        ("2026-01-05T08:00:00+01:00", 1767596400000),
        ("2026-01-05T08:00:00 01:00", 1767596400000),  # the + as an address decodes it
        ("2026-01-05T07:00Z", 1767596400000),
        ("2026-01-05T07:00:00.125Z", 1767596400125),
    ],
)
def test_a_time_is_iso_8601_or_unix_seconds(text: str, expected: int) -> None:
    assert parse_instant(text, ZONE) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("yesterday", "2026-01-05"),
        ("", "no time"),
        ("20260105", "write a date"),
        ("1767596400000", "numbers are seconds"),
        ("2300-01-01", "1970 to 2200"),
        ("1969-12-31", "1970 to 2200"),
        ("0001-01-01T00:00:00+14:00", "1970 to 2200"),
        ("-5", "no time"),
        ("1e9", "no time"),
        ("١٢٣", "no time"),
    ],
)
def test_what_is_no_time_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(TimeError, match=hint):
        parse_instant(text, ZONE)


@given(st.integers(0, LATEST_MS - 1))
def test_a_time_we_write_is_read_back(at_ms: int) -> None:
    assert parse_instant(iso_instant(at_ms), ZONE) == at_ms


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2199, 12, 30)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_every_offset_is_honoured(naive: datetime, offset_min: int) -> None:
    instant = naive.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    exact = instant.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_instant(instant.isoformat(), ZONE) == exact // timedelta(milliseconds=1)


@given(st.text(max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(TimeError):
        parse_instant(text, ZONE)
    with suppress(TimeError):
        parse_step(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1", 1),
        ("900", 900),
        ("PT15M", 900),
        ("PT1H30M", 5400),
        ("P1D", 86400),
        ("P1W", 604800),
        ("P1DT12H", 129600),
        ("PT90S", 90),
    ],
)
def test_a_step_is_seconds_or_a_duration(text: str, seconds: int) -> None:
    assert parse_step(text) == seconds * 1000


@pytest.mark.parametrize(
    "text", ["", "0", "PT0S", "-5", "1.5", "P1M", "P1Y", "PT", "P", "P1DT", "15M", "P400D", "٣"]
)
def test_a_step_without_a_fixed_length_is_refused(text: str) -> None:
    with pytest.raises(TimeError):
        parse_step(text)


@given(st.integers(1, LONGEST_STEP_MS // 1000))
def test_a_duration_is_as_long_as_its_parts(seconds: int) -> None:
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    assert parse_step(f"P{days}DT{hours}H{minutes}M{left}S") == parse_step(str(seconds))
