"""What happens when a time becomes known, and from when on it must be. A part of `clock`, loaded
when a power-on begins and when the time is told, and dropped again.

After a loss of power the RTC starts no earlier than the day on which the image was built, nor than
the last time that was known, so that certificates that began since are valid. No reading is ever
dated by that.
"""
# ruff: noqa: SLF001 - one class in two files, for the heap's sake

import os
import struct
import sys
import time

import machine
from clock import ANCHOR, is_drift, seal
from micropython import const

_FILE = "known_time"
_EPOCH_2000 = const(946_684_800)
_EVERY_S = const(21_600)
_YEAR_2020 = const(1_577_836_800)
_DRIFT_FROM_S = const(3_000)


def _last() -> int:
    try:
        with open(_FILE) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _remember(unix_s: int):
    """Notes a known time, four times a day at most."""
    if abs(unix_s - _last()) < _EVERY_S:
        return
    with open(_FILE + ".new", "w") as file:
        file.write(str(unix_s))
        file.flush()
    os.rename(_FILE + ".new", _FILE)


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


def begin():
    """Sets the RTC to no earlier than must be; what it shows then, and the last known time."""
    last = _last()
    floor_s = max(_built_s(), last - _EPOCH_2000)
    if int(time.time()) < floor_s:
        year, month, day, hour, minute, second = time.gmtime(floor_s)[:6]
        machine.RTC().datetime((year, month, day, 0, hour, minute, second, 0))
    return int(time.time()), last


def set_clock(clock, unix_s) -> bool:
    """See `Clock.set`."""
    if type(unix_s) is not int or not _YEAR_2020 <= unix_s < 0xFFFF_FFFF:
        return False
    rtc_s = clock._tick()
    offset = unix_s - rtc_s
    passed_s = rtc_s - clock._synced_s
    drift_s = offset - clock._offset
    if clock._offset and passed_s >= _DRIFT_FROM_S and is_drift(passed_s, passed_s + drift_s):
        clock.drift_ppm = drift_s * 1_000_000 // passed_s
    # Both count whole seconds: a difference of one is no news.
    if not clock._sleeps and clock._offset and abs(drift_s) <= 1:
        return True
    if not clock._offset or (clock._sleeps and not clock._fixed):
        ms = clock._next_ms() if unix_s <= clock._latest_s else 0
        clock._anchors.add(clock.epoch, rtc_s, unix_s, ms)
    clock._latest_s = max(clock._latest_s, unix_s)
    clock._offset = offset
    clock._synced_s = rtc_s
    clock._fixed = True
    clock._save()
    _remember(unix_s)
    return True


def add_anchor(anchors, new):
    """See `Anchors.add`."""
    path = anchors.path + ".new"
    last = None
    with open(path, "wb") as file:
        for entry in anchors.entries():
            _keep(file, last, entry, anchors.outbox.oldest)
            last = entry
        _keep(file, last, new, anchors.outbox.oldest)
        file.write(seal(struct.pack(ANCHOR, *new)))
        file.flush()
    os.rename(path, anchors.path)


def _keep(file, entry, following, oldest: int):
    """What lies between two anchors needs both."""
    if entry and (entry[4] >= oldest or (entry[0] == following[0] and following[4] >= oldest)):
        file.write(seal(struct.pack(ANCHOR, *entry)))
