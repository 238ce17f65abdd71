"""Weekly hours, such as "Mo-Fr 08:00-12:00,13:30-18:00; Sa 08:00-12:00" (a part of OpenStreetMap's
`opening_hours`), and whether they hold at a moment.

It must not know whose hours they are.
"""

from micropython import const

_DAYS = const("MoTuWeThFrSaSu")
_RULES_MAX = const(16)


def _day(text: str) -> int:
    at = _DAYS.find(text)
    if len(text) != 2 or at < 0 or at % 2:
        raise ValueError("{!r} is no day".format(text))
    return at // 2


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    if len(hour) != 2 or len(minute) != 2 or not (hour + minute).isdigit():
        raise ValueError("{!r} is no time".format(text))
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > 1440:
        raise ValueError("{!r} is no time".format(text))
    return total


def parse(text: str) -> bytes:
    """Five bytes a rule: days as bits, start and end in minutes. Raises ValueError."""
    rules = bytearray()
    for part in text.split(";"):
        days, _, times = part.strip().partition(" ")
        bits = 0
        for span in days.split(","):
            first, _, last = span.partition("-")
            for day in range(_day(first), _day(last or first) + 1):
                bits |= 1 << day
        if not bits:
            raise ValueError("{!r} holds no day".format(days))
        for span in times.strip().split(","):
            start, _, end = span.strip().partition("-")
            begins, ends = _minutes(start), _minutes(end)
            if begins >= ends:
                raise ValueError("{!r} ends before it begins".format(span))
            rules.extend(bytes((bits, begins >> 8, begins & 0xFF, ends >> 8, ends & 0xFF)))
    if len(rules) > 5 * _RULES_MAX:
        raise ValueError("more than 16 spans")
    return bytes(rules)


def _last_sunday(year: int, month: int) -> int:
    """Days from 1970 to the last Sunday of March or October. Both have 31 days, and a year
    counted from March has the 31st of March as its day 30, that of October as its day 244.
    """
    days = (
        365 * year + year // 4 - year // 100 + year // 400 - 719_468 + (30 if month == 3 else 244)
    )
    return days - (days + 4) % 7


def is_summer(unix_s: int) -> bool:
    """Summer time in the European Union: from the last Sunday of March to that of October, at
    01:00 UTC (directive 2000/84/EC).
    """
    year = 1970 + unix_s // 86_400 * 400 // 146_097
    begins, ends = (_last_sunday(year, month) * 86_400 + 3_600 for month in (3, 10))
    return begins <= unix_s < ends


def is_open(rules: bytes, unix_s: int, offset_min: int, summer: bool) -> bool:
    """Whether a rule holds, `offset_min` east of UTC, with the Union's summer time if `summer`."""
    minutes = unix_s // 60 + offset_min + (60 if summer and is_summer(unix_s) else 0)
    # 1 January 1970 was a Thursday.
    day, minute = (minutes // 1440 + 3) % 7, minutes % 1440
    for at in range(0, len(rules), 5):
        bits, b1, b0, e1, e0 = rules[at : at + 5]
        if bits >> day & 1 and b1 << 8 | b0 <= minute < e1 << 8 | e0:
            return True
    return False
