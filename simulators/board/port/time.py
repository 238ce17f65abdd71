"""`time` as on the ESP32: epoch 2000, whole seconds, ticks that wrap at 2**30, an RTC that
starts at power-on.
"""

import os

import utime
from utime import sleep, sleep_ms, sleep_us  # noqa: F401

_EPOCH = 946_684_800
_PERIOD = 1 << 30
_POWERED_S = float(os.getenv("BOARD_POWERED") or utime.time())
_TICKS = int(os.getenv("BOARD_TICKS") or 0)
_set_by_s = 0
try:
    # What was set outlasts all but a loss of power, as the RTC itself does.
    with open((os.getenv("BOARD_RTC_MEMORY") or "") + ".set") as file:
        _set_by_s = int(file.read())
except OSError:
    pass


def time():
    return int(utime.time() - _POWERED_S) + _set_by_s


def mktime(date):
    return utime.mktime(date) - _EPOCH


def time_ns():
    return int((utime.time() - _POWERED_S + _set_by_s) * 1_000_000) * 1000


def ticks_ms():
    return utime.ticks_ms() + _TICKS & _PERIOD - 1


def ticks_add(ticks, delta):
    if not -_PERIOD // 2 < delta < _PERIOD // 2:
        raise OverflowError("ticks interval overflow")
    return ticks + delta & _PERIOD - 1


def ticks_diff(end, start):
    return (end - start + _PERIOD // 2 & _PERIOD - 1) - _PERIOD // 2


def gmtime(seconds=None):
    return utime.gmtime((time() if seconds is None else seconds) + _EPOCH)[:8]
