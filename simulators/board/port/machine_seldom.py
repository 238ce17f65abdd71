"""The parts of `machine` that a program uses once or seldom: what the chip is, why it started, and
resets, which end the program at once.
"""

import os
import struct

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


def dht_readinto(pin, buf):
    buf[:] = wire.ask("H", pin.id)
