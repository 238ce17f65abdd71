"""What two libraries say of public and school holidays, written as JSON to standard output.

A program of its own, run by `ingest.estate.holidays`: `holidays` loads the rules of 250 countries,
11 MB that would stay in the gateway for a few hundred dates. What becomes of them it must not know.
"""

import sys
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final, Literal, get_args

import msgspec

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100
"""Public holidays follow rules, so they are told for any year; school holidays are decreed."""

Zone = Literal["A", "B", "C"]
_ZONES: Final[tuple[Zone, ...]] = get_args(Zone)
# INSEE's départements, where the library has regions.
_SUBDIVISIONS: Final = {"67": "6AE", "68": "6AE"}


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """Days in a row under one name, `last` included."""

    first: date
    last: date
    name: str


class Told(msgspec.Struct, frozen=True):
    """What the libraries say for a region and a school zone.

    `school` has what `holidays` and `vacances-scolaires-france` say, in this order: each lacks
    days that the other has. `decreed_until` is the last day that both have from a decree; what
    `holidays` says beyond is extrapolated.
    """

    public: list[Stretch]
    school: tuple[list[Stretch], list[Stretch]]
    decreed_from: date
    decreed_until: date


def read_libraries(zone: Zone | None, region: str | None) -> Told:
    """Ask both libraries; without a zone there are no school holidays."""
    from holidays import country_holidays  # noqa: PLC0415 - see above
    from vacances_scolaires_france import SchoolHolidayDates  # noqa: PLC0415

    years = range(FIRST_YEAR, LAST_YEAR + 1)
    subdivision = _SUBDIVISIONS.get(region, region) if region else None
    public = country_holidays("FR", subdiv=subdivision, years=years, language="fr")
    dates = SchoolHolidayDates()
    decreed_from, decreed_until = min(dates.data), max(dates.data)
    school: tuple[list[Stretch], list[Stretch]] = ([], [])
    if zone is not None:
        decreed = range(decreed_from.year, decreed_until.year + 1)
        computed = country_holidays(
            "FR", subdiv=f"Zone {zone}", categories=("school",), years=decreed, language="fr"
        )
        listed = {
            day: row["nom_vacances"] for day, row in dates.data.items() if row[dates.zone_key(zone)]
        }
        school = (
            list(stretches((day, name) for day, name in computed.items() if day <= decreed_until)),
            list(stretches(listed.items())),
        )
    return Told(list(stretches(public.items())), school, decreed_from, decreed_until)


def stretches(days: Iterable[tuple[date, str]]) -> Iterator[Stretch]:
    """Named days as stretches of days that follow each other under the same name."""
    current: Stretch | None = None
    for day, name in sorted(days):
        if current and day - current.last == timedelta(days=1) and name == current.name:
            current = Stretch(current.first, day, name)
            continue
        if current:
            yield current
        current = Stretch(day, day, name)
    if current:
        yield current


def _main(zone_word: str, region: str) -> None:
    zone = next((zone for zone in _ZONES if zone == zone_word), None)
    sys.stdout.buffer.write(msgspec.json.encode(read_libraries(zone, region or None)))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
