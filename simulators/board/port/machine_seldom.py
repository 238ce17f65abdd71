"""The parts of `machine` that a program uses once or seldom: what the chip is and why it started,
UART, ADC, and resets, which end the program at once.
"""

import os
import struct
import time

import utime
import wire

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5


def unique_id():
    return bytes.fromhex(os.getenv("BOARD_NODE"))


def reset_cause():
    return int(os.getenv("BOARD_RESET") or PWRON_RESET)


def _stop(cause, sleep_ms):
    # The host kills the process: like on the chip, no `finally` runs.
    wire.ask("X", cause, struct.pack("<I", sleep_ms))
    while True:
        utime.sleep(1)


def reset():
    _stop(HARD_RESET, 0)


def deepsleep(time_ms=0):
    _stop(DEEPSLEEP_RESET, time_ms)


def set_rtc(date):
    year, month, day, _, hour, minute, second, _ = date
    wanted = time.mktime((year, month, day, hour, minute, second, 0, 0))
    time._set_by_s += wanted - time.time()
    with open(os.getenv("BOARD_RTC_MEMORY") + ".set", "w") as file:
        file.write(str(time._set_by_s))


class UART:
    def __init__(self, id, baudrate=115200, **options):
        if id not in (1, 2):
            raise ValueError("UART({}) is the console or doesn't exist".format(id))
        self._id = id

    def write(self, buf):
        wire.ask("T", self._id, buf)
        return len(buf)

    def any(self):
        return struct.unpack("<H", wire.ask("a", self._id))[0]

    def read(self, nbytes=256):
        return wire.ask("V", self._id, struct.pack("<H", nbytes)) or None


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten=ATTN_11DB):
        id = pin.id if hasattr(pin, "id") else pin
        if not 32 <= id <= 39:
            raise ValueError("ADC2 does not work beside Wi-Fi")
        self._id = id

    def read_uv(self):
        return struct.unpack("<I", wire.ask("A", self._id))[0]
