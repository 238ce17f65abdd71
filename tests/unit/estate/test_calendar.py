"""The calendar: what was published, what the estate corrects, days of 23 and 25 hours."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.estate.calendar import Occupancy, OccupancyCalendar
from ingest.estate.holidays import HolidaysUnreadableError, published_holidays
from ingest.estate.load import EstateError, load_estate
from ingest.estate.model import Region

PARIS = ZoneInfo("Europe/Paris")
ROOM = "ferry/cp"
HEAD = """\
[calendar]
school_zone = "C"
"""
SCHOOL = """
[[site]]
id = "ferry"
name = "École Jules-Ferry"
{site}
[site.hours]
mon = ["08:30-11:30", "13:30-16:30"]
tue = ["08:30-11:30", "13:30-16:30"]
thu = ["08:30-11:30", "13:30-16:30"]
fri = ["08:30-11:30", "13:30-16:30"]
[site.profile_hours.canteen]
mon = ["11:30-13:30"]
[[site.building]]
id = "main"
name = "Bâtiment A"
[[site.building.room]]
id = "cp"
name = "CP"
profile = "classroom"
[[site.building.room]]
id = "canteen"
name = "Cantine"
profile = "canteen"
[[site.building.room]]
id = "gym"
name = "Gymnase"
profile = "gym"
open_in_school_holidays = true
hours = {gym}
[[site]]
id = "mairie"
name = "Mairie"
open_in_school_holidays = true
hours = {{ mon = ["09:00-12:00"], sat = ["09:00-12:00"] }}
[[site.building]]
id = "main"
name = "Mairie"
[[site.building.room]]
id = "hall"
name = "Accueil"
[[site]]
id = "depot"
name = "Dépôt"
[[site.building]]
id = "main"
name = "Dépôt"
[[site.building.room]]
id = "hall"
name = "Halle"
"""
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAILY = "{ " + ", ".join(f'{d} = ["00:00-24:00"]' for d in WEEK)
DAILY += " }"


def calendar_of(tmp_path: Path, head: str = HEAD, site: str = "", gym: str = DAILY):
    file = tmp_path / "estate.toml"
    file.write_text(head + SCHOOL.format(site=site, gym=gym), encoding="utf-8")
    return OccupancyCalendar.of(load_estate(file))


@pytest.fixture(scope="module")
def calendar(tmp_path_factory):
    return calendar_of(tmp_path_factory.mktemp("estate"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


def local(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, PARIS).strftime("%Y-%m-%d %H:%M")


def told(occupancy: Occupancy) -> tuple[str, str | None, str | None, str | None]:
    """State, local begin and end, and the name of the holiday."""
    return (
        occupancy.state,
        local(occupancy.since_ms),
        local(occupancy.until_ms),
        occupancy.holiday.name if occupancy.holiday else None,
    )


def test_a_school_day_and_its_lunch(calendar):
    assert told(calendar.at(ROOM, at("2026-11-16 09:00"))) == (
        *("occupied", "2026-11-16 08:30", "2026-11-16 11:30", None),
    )
    assert told(calendar.at(ROOM, at("2026-11-16 11:30"))) == (
        *("unoccupied", "2026-11-16 11:30", "2026-11-16 13:30", None),
    )


def test_a_weekend_is_unoccupied_from_friday_to_monday_without_a_holiday(calendar):
    assert told(calendar.at(ROOM, at("2026-11-21 12:00"))) == (
        *("unoccupied", "2026-11-20 16:30", "2026-11-23 08:30", None),
    )


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        # Zone C, arrêtés of 7 December 2022 and 22 October 2025; with the weekends around.
        (date(2025, 10, 18), date(2025, 11, 2), "Toussaint"),
        (date(2025, 12, 20), date(2026, 1, 4), "Noël"),
        (date(2026, 2, 21), date(2026, 3, 8), "hiver"),
        (date(2026, 4, 18), date(2026, 5, 3), "printemps"),
        (date(2026, 7, 4), date(2026, 8, 31), "été"),
        (date(2026, 10, 17), date(2026, 11, 1), "Toussaint"),
        (date(2026, 12, 19), date(2027, 1, 3), "Noël"),
        (date(2027, 2, 6), date(2027, 2, 21), "hiver"),
        (date(2027, 4, 3), date(2027, 4, 18), "printemps"),
        (date(2027, 7, 3), date(2027, 8, 31), "été"),
    ],
)
def test_school_holidays_of_zone_c_are_the_published_ones(calendar, first, last, name):
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    holidays = [calendar.holiday(ROOM, day) for day in days]

    assert all(holidays)
    assert {h.name for h in holidays if h.kind == "school"} == {
        next(h.name for h in holidays if h.kind == "school")
    }
    assert name in next(h.name for h in holidays if h.kind == "school")
    assert calendar.holiday(ROOM, first - timedelta(days=1)) is None


@pytest.mark.parametrize(
    "day",
    # The first school day after each of those holidays.
    [
        *("2025-11-03", "2026-01-05", "2026-03-09", "2026-05-04", "2026-09-01"),
        *("2026-11-02", "2027-01-04", "2027-02-22", "2027-04-19"),
    ],
)
def test_the_day_after_the_holidays_is_a_school_day(calendar, day):
    assert calendar.at(ROOM, at(f"{day} 09:00")).state == "occupied"


def test_the_bridge_of_ascension_2026_is_a_holiday_though_one_source_lacks_it(calendar):
    for day in ("2026-05-15", "2026-05-16"):
        holiday = calendar.holiday(ROOM, date.fromisoformat(day))
        assert (holiday.name, holiday.kind) == ("Pont de l'Ascension", "school")
    assert told(calendar.at(ROOM, at("2026-05-15 10:00"))) == (
        *("unoccupied", "2026-05-12 16:30", "2026-05-18 08:30", "Pont de l'Ascension"),
    )
    assert date(2026, 5, 15) in calendar.disputed(date(2026, 5, 1), date(2026, 5, 31))


def test_a_public_holiday_is_named_and_closes_what_is_open_in_school_holidays(calendar):
    assert told(calendar.at("mairie/hall", at("2026-04-06 10:00")))[3] == "Lundi de Pâques"
    assert calendar.at("mairie/hall", at("2026-04-06 10:00")).state == "unoccupied"
    assert calendar.at("mairie/hall", at("2026-10-19 10:00")).state == "occupied"
    assert calendar.at(ROOM, at("2026-10-19 10:00")).state == "unoccupied"


def test_hours_of_a_profile_win_over_those_of_the_site(calendar):
    assert calendar.at("ferry/canteen", at("2026-11-16 12:00")).state == "occupied"
    assert calendar.at("ferry/canteen", at("2026-11-17 12:00")).state == "unoccupied"
    assert calendar.at("ferry/canteen", at("2026-11-16 09:00")).state == "unoccupied"


def test_beyond_the_data_school_hours_are_unknown_and_never_silently_school(calendar):
    end = calendar.valid_until
    assert end >= date(2028, 8, 31)
    monday = end + timedelta(days=7 - end.weekday())
    unknown = calendar.at(ROOM, at(f"{monday} 09:00"))
    assert told(unknown) == ("unknown", f"{monday} 08:30", f"{monday} 11:30", None)
    assert calendar.is_school_day(ROOM, monday) is None
    assert calendar.at(ROOM, at(f"{monday} 03:00")).state == "unoccupied"
    assert calendar.at("mairie/hall", at(f"{monday} 10:00")).state == "occupied"
    assert calendar.at(ROOM, at("2040-05-01 09:00")).holiday.name == "Fête du Travail"
    assert calendar.at("mairie/hall", at("2101-01-03 10:00")).state == "unknown"


def test_beyond_the_data_what_the_estate_says_is_known(tmp_path):
    head = HEAD + "[[calendar.opening]]\nfirst = 2031-01-06\nlast = 2031-01-06\n"
    head += '[[calendar.closure]]\nfirst = 2031-01-07\nlast = 2031-01-07\nname = "Travaux"\n'
    calendar = calendar_of(tmp_path, head)
    assert calendar.at(ROOM, at("2031-01-06 09:00")).state == "occupied"
    assert told(calendar.at(ROOM, at("2031-01-07 09:00")))[0::3] == ("unoccupied", "Travaux")


def test_without_hours_nothing_is_known_of_a_room(calendar):
    assert told(calendar.at("depot/hall", at("2026-11-17 09:00")))[0] == "unknown"


def test_without_a_school_zone_there_are_only_public_holidays(tmp_path):
    calendar = calendar_of(tmp_path, "")
    assert calendar.at(ROOM, at("2026-10-20 09:00")).state == "occupied"
    assert calendar.at(ROOM, at("2040-10-23 09:00")).state == "occupied"


def test_a_region_has_its_own_public_holidays(tmp_path):
    calendar = calendar_of(tmp_path, HEAD + 'region = "67"\n')
    good_friday = calendar.holiday("mairie/hall", date(2026, 4, 3))
    assert (good_friday.name, good_friday.kind) == ("Vendredi saint", "public")


CORRECTIONS = """
[[calendar.closure]]
first = 2026-11-16
last = 2026-11-17
name = "Chauffage en panne"
rooms = ["ferry/cp"]
[[calendar.opening]]
first = 2026-10-24
last = 2026-10-24
hours = ["09:00-12:00"]
sites = ["ferry"]
[[calendar.opening]]
first = 2026-11-17
last = 2026-11-17
"""


def test_closures_and_openings_of_the_estate_win_where_they_hold(tmp_path):
    calendar = calendar_of(tmp_path, HEAD + CORRECTIONS)
    assert told(calendar.at(ROOM, at("2026-11-16 09:00"))) == (
        *("unoccupied", "2026-11-13 16:30", "2026-11-19 08:30", "Chauffage en panne"),
    )
    assert calendar.at("ferry/canteen", at("2026-11-16 12:00")).state == "occupied"
    assert told(calendar.at(ROOM, at("2026-10-24 10:00"))) == (
        *("occupied", "2026-10-24 09:00", "2026-10-24 12:00", None),
    )


def test_who_is_in_over_midnight_is_in_without_a_gap(tmp_path):
    calendar = calendar_of(
        tmp_path, gym='{ fri = ["20:00-24:00"], sat = ["00:00-02:00", "02:00-03:00"] }'
    )
    for time in ("2026-11-20 23:00", "2026-11-21 00:00", "2026-11-21 02:30"):
        assert told(calendar.at("ferry/gym", at(time)))[:3] == (
            *("occupied", "2026-11-20 20:00", "2026-11-21 03:00"),
        )


@pytest.mark.parametrize(
    ("hours", "day", "seconds"),
    [
        # The clocks go from 2:00 to 3:00 on 29 March 2026, and from 3:00 to 2:00 on 25 October.
        ('["00:00-24:00"]', "2026-03-29", 23 * 3600),
        ('["00:00-24:00"]', "2026-10-25", 25 * 3600),
        ('["01:00-04:00"]', "2026-03-29", 2 * 3600),
        ('["01:00-04:00"]', "2026-10-25", 4 * 3600),
        ('["02:15-02:45"]', "2026-03-29", 0),
        ('["02:15-02:45"]', "2026-10-25", 90 * 60),
        ('["01:00-02:30", "02:30-03:00"]', "2026-10-25", 3 * 3600),
        ('["01:00-02:30", "02:45-04:00"]', "2026-03-29", 2 * 3600),
        ('["08:00-12:00"]', "2026-03-29", 4 * 3600),
    ],
)
def test_days_of_23_and_25_hours(tmp_path, hours, day, seconds):
    calendar = calendar_of(tmp_path, gym=f"{{ sun = {hours} }}")
    start = at(f"{day} 00:00")
    end = at(f"{date.fromisoformat(day) + timedelta(days=1)} 00:00")
    start_ms, end_ms = (int(t.timestamp() * 1000) for t in (start, end))
    occupied = [
        s for s in calendar.stretches("ferry/gym", start_ms, end_ms) if s.state == "occupied"
    ]
    assert sum(s.end_ms - s.start_ms for s in occupied) == seconds * 1000


INSTANTS = st.datetimes(
    datetime(1999, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2110, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(instant=INSTANTS, ref=st.sampled_from([ROOM, "ferry/canteen", "ferry/gym", "mairie/hall"]))
def test_every_instant_lies_within_its_stretch_and_both_ends_are_changes(calendar, instant, ref):
    now = calendar.at(ref, instant)
    at_ms = int(instant.timestamp() * 1000)
    if now.since_ms is not None:
        assert now.since_ms <= at_ms
        assert calendar.at_ms(ref, now.since_ms).state == now.state
        assert calendar.at_ms(ref, now.since_ms - 1).state != now.state
    if now.until_ms is not None:
        assert at_ms < now.until_ms
        assert calendar.at_ms(ref, now.until_ms - 1).state == now.state
        assert calendar.at_ms(ref, now.until_ms).state != now.state


@given(start=INSTANTS, days=st.integers(1, 60))
def test_stretches_are_a_partition_and_nobody_is_in_on_a_holiday(calendar, start, days):
    start_ms = int(start.timestamp() * 1000)
    end_ms = start_ms + days * 86_400_000
    stretches = list(calendar.stretches(ROOM, start_ms, end_ms))
    assert (stretches[0].start_ms, stretches[-1].end_ms) == (start_ms, end_ms)
    assert all(a.end_ms == b.start_ms and a.state != b.state for a, b in pairwise(stretches))
    for stretch in stretches:
        if stretch.state != "unoccupied":
            for edge_ms in (stretch.start_ms, stretch.end_ms - 1):
                day = datetime.fromtimestamp(edge_ms / 1000, PARIS).date()
                assert calendar.holiday(ROOM, day) is None


@given(
    first=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    length=st.integers(0, 40),
    minute=st.integers(0, 40 * 1440),
)
def test_no_opening_hour_lies_within_a_closure(tmp_path_factory, first, length, minute):
    last = first + timedelta(days=length)
    head = f"{HEAD}[[calendar.closure]]\nfirst = {first}\nlast = {last}\n"
    calendar = calendar_of(tmp_path_factory.mktemp("estate"), head)
    instant = datetime.combine(first, datetime.min.time(), PARIS) + timedelta(minutes=minute)
    is_closed = first <= instant.date() <= last
    for ref in (ROOM, "ferry/gym"):
        now = calendar.at(ref, instant)
        assert not is_closed or (now.state, now.holiday.kind) == ("unoccupied", "closure")


def test_the_libraries_of_holidays_take_no_memory_of_the_process_that_asks():
    program = (
        "import sys; from ingest.estate.holidays import published_holidays as ask;"
        "assert ask('C').public;"
        "print({'holidays', 'vacances_scolaires_france'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout.strip() == b"set()"


def test_a_room_that_there_is_not_is_told_by_its_name(calendar):
    with pytest.raises(KeyError, match="ferry/nowhere"):
        calendar.at("ferry/nowhere", at("2026-11-16 09:00"))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('school_zone = "D"', "estate.toml:2: calendar.school_zone = \"D\": must be one of 'A'"),
        ('region = "75"', "estate.toml:2: calendar.region = \"75\": must be one of '57', '67'"),
        (
            "[[calendar.opening]]\nfirst = 2026-01-01\nlast = 2026-01-02\nhours = ['9-12']",
            'estate.toml:5: calendar.opening[0].hours[0] = "9-12": must be written',
        ),
        (
            "[[calendar.closure]]\nfirst = 2026-01-01\nlast = 2026-01-02\nhours = ['09:00-12:00']",
            "estate.toml:5: calendar.closure[0].hours: is not known here",
        ),
        (
            "[[calendar.closure]]\nfirst = 2026-01-01\nlast = 2026-01-02\nrooms = ['ferry/x']",
            'estate.toml:5: calendar.closure[0].rooms[0] = "ferry/x": there is no such room',
        ),
        (
            "[[calendar.opening]]\nfirst = 2026-01-01\nlast = 2026-01-02\nrooms = ['cp']",
            'estate.toml:5: calendar.opening[0].rooms[0] = "cp": must be written "site/room"',
        ),
    ],
)
def test_a_mistake_in_the_calendar_is_told_with_line_and_key(tmp_path, lines, said):
    with pytest.raises(EstateError) as caught:
        calendar_of(tmp_path, f"[calendar]\n{lines}\n")
    (problem,) = caught.value.problems
    assert str(problem).removeprefix(f"{tmp_path}/").startswith(said)


def test_a_profile_that_there_is_not_is_told_with_the_nearest(tmp_path):
    text = SCHOOL.format(site="", gym=DAILY).replace(
        "profile_hours.canteen", "profile_hours.canten"
    )
    file = tmp_path / "estate.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(EstateError, match="did you mean canteen"):
        load_estate(file)


@pytest.mark.parametrize("region", get_args(Region))
def test_every_region_that_an_estate_may_name_has_public_holidays(region):
    assert published_holidays(None, region).public[date(2026, 7, 14)] == "Fête nationale"


@pytest.mark.parametrize("executable", ["/bin/false", "/nowhere/python"])
def test_libraries_that_can_not_be_asked_are_an_error_and_not_a_year_without_holidays(
    monkeypatch, executable
):
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(HolidaysUnreadableError, match="holidays can't be read"):
        published_holidays.__wrapped__("C")
