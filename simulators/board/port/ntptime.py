"""`ntptime`: answers only where the board was given a time server."""

import errno
import os

import utime

host = "pool.ntp.org"


def time():
    if host != os.getenv("BOARD_NTP"):
        raise OSError(errno.ETIMEDOUT)
    return int(utime.time()) - 946_684_800
