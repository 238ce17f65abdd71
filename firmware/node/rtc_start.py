"""From when on it must be: the time that the image was built, or the last one that was known.

The RTC starts there after a loss of power, so that certificates that began since are valid. No
reading is ever dated by it. Needed once a power-on: dropped after that.
"""
# ruff: noqa: SLF001 - a part of `outbox` is here, for the heap's sake

import sys
import time

import machine
import pack
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outbox import Outbox

_FILE = "known_time"
_EPOCH_2000 = const(946_684_800)


def _last() -> int:
    try:
        with open(_FILE) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _built_s() -> int:
    """The day of MicroPython's build, of its version's text: "3.4.0; MicroPython v1.28.0 on
    2026-04-09"; seconds since 2000.
    """
    try:
        year, month, day = [int(part) for part in sys.version[-10:].split("-")]
        return time.mktime((year, month, day, 0, 0, 0, 0, 0)) - time.mktime(
            (2000, 1, 1, 0, 0, 0, 0, 0)
        )
    except ValueError:
        return 0


def _last_dated(box: Outbox) -> int:
    """Unix seconds of the last pack on flash, 0 where it tells none."""
    for segment in (box.newest, box.newest - 1):
        if segment < box.oldest:
            break
        position, last = box._start(segment), None
        while record := box._peek(position):
            position, last = record[2], record[3]
        if last:
            seconds, _, epoch, _ = pack.decode_head(last)
            return 0 if epoch is not None else seconds
    return 0


def begin(box: Outbox) -> tuple[int, int]:
    """Sets the RTC to no earlier than must be; what it shows then, and the last time that is known
    to have been.
    """
    last = max(_last(), _last_dated(box))
    floor_s = max(_built_s(), last - _EPOCH_2000)
    if int(time.time()) < floor_s:
        year, month, day, hour, minute, second = time.gmtime(floor_s)[:6]
        machine.RTC().datetime((year, month, day, 0, hour, minute, second, 0))
    return int(time.time()), last
