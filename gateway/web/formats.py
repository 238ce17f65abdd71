"""Numbers, dates and ages as a French or an English reader writes them.

Its own small tables: the C library's locales may be missing, and belong to the whole process.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.web.texts import Texts

NO_BREAK: Final = "\N{NO-BREAK SPACE}"
_NARROW: Final = "\N{NARROW NO-BREAK SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"

UNITS: Final = {"temperature": "°C", "co2": "ppm", "humidity": "%"}
DECIMALS: Final = {"temperature": 1, "co2": 0, "humidity": 0}

_WEEKDAYS: Final = {
    "fr": ("lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS: Final = {
    "fr": (
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ),
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
}


_SHORT_MONTHS: Final = {
    "fr": [
        "janv.",
        "févr.",
        "mars",
        "avr.",
        "mai",
        "juin",
        "juil.",
        "août",
        "sept.",
        "oct.",
        "nov.",
        "déc.",
    ],
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
}


@dataclass(frozen=True, slots=True)
class Formats:
    """Writes values for one language and one time zone."""

    texts: Texts
    zone: ZoneInfo

    def number(self, value: float, decimals: int) -> str:
        """`1 234,5` or `1,234.5`, with a true minus, and no minus before a rounded zero."""
        written = f"{value:,.{decimals}f}"
        if not any(digit in written for digit in "123456789"):
            written = written.removeprefix("-")
        if self.texts.language == "fr":
            written = written.translate({ord(","): _NARROW, ord("."): ","})
        return written.replace("-", _MINUS)

    def value(self, quantity: str, value: float) -> str:
        """A value as a reader wants it, without its unit."""
        return self.number(value, DECIMALS[quantity])

    def with_unit(self, quantity: str, value: float) -> str:
        """A value and its unit, which stay on one line."""
        unit = UNITS[quantity]
        close = self.texts.language == "en" and unit == "%"
        return f"{self.value(quantity, value)}{'' if close else NO_BREAK}{unit}"

    def age(self, at_ms: int, now_ms: int) -> str:
        """`il y a 3 min`; for a time ahead, which clocks that differ a little produce, `now`."""
        if now_ms - at_ms < 60_000:
            return self.texts("age.now")
        return self.texts("age.ago", span=self.span(now_ms - at_ms))

    def span(self, span_ms: int) -> str:
        """A length of time in its largest unit: `40 min`, `3 h`, `2 jours`."""
        minutes = max(0, span_ms) // 60_000
        if minutes < 120:
            return self.texts.count("age.minutes", minutes)
        if minutes < 48 * 60:
            return self.texts.count("age.hours", minutes // 60)
        return self.texts.count("age.days", minutes // (24 * 60))

    def clock(self, at_ms: int) -> str:
        """`14:32`"""
        return f"{self._local(at_ms):%H:%M}"

    def moment(self, at_ms: int) -> str:
        """Day and time to the second: `jeu. 5 mars 2026 à 14:32:07`."""
        local = self._local(at_ms)
        return self.texts("age.moment", day=self._day(local), time=f"{local:%H:%M:%S}")

    def date(self, at_ms: int) -> str:
        """`jeu. 5 mars 2026`"""
        return self._day(self._local(at_ms))

    def hour(self, local: datetime) -> str:
        """An hour of a day: `jeu. 5 mars, 14:00`."""
        weekday = _WEEKDAYS[self.texts.language][local.weekday()]
        return f"{weekday} {self._day_month(local)}, {local:%H:%M}"

    def day(self, local: datetime) -> str:
        """`jeu. 5 mars`"""
        return f"{_WEEKDAYS[self.texts.language][local.weekday()]} {self._day_month(local)}"

    def month(self, local: datetime) -> str:
        """`mars 2026`"""
        return f"{_MONTHS[self.texts.language][local.month - 1]} {local.year}"

    def iso(self, at_ms: int) -> str:
        """For the `datetime` of a `<time>`."""
        return self._local(at_ms).isoformat(timespec="seconds")

    def months(self) -> tuple[str, ...]:
        """The names of the months."""
        return _MONTHS[self.texts.language]

    def short_months(self) -> list[str]:
        """The names of the months as an axis has room for them."""
        return _SHORT_MONTHS[self.texts.language]

    def weekdays(self) -> tuple[str, ...]:
        """Short names of the days, Monday first."""
        return _WEEKDAYS[self.texts.language]

    def _day(self, local: datetime) -> str:
        return f"{self.day(local)} {local.year}"

    def _day_month(self, local: datetime) -> str:
        # French writes the first of a month as an ordinal.
        french = self.texts.language == "fr"
        day = "1er" if french and local.day == 1 else str(local.day)
        return f"{day} {_MONTHS[self.texts.language][local.month - 1]}"

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms // 1000, self.zone)
