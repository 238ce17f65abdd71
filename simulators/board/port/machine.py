"""`machine` as on the ESP32, as far as the firmware uses it: I2C that reaches the host's chips, a
watchdog, an RTC memory that survives all but a loss of power; the rest is in `machine_…`.
"""

import os
import struct
import sys
import time

import wire
from micropython import const

# The ESP32 counts a stretched clock in 20 bits of 80 MHz, whatever it is told.
_STRETCH_MAX_US = const(13_107)


class I2C:
    def __init__(self, id=0, *, scl=None, sda=None, freq=400_000, timeout=50_000):
        if id not in (0, 1):
            raise ValueError("invalid I2C")
        self._open(scl, sda, freq, min(timeout, _STRETCH_MAX_US), 0)

    def _open(self, scl, sda, freq, timeout, soft):
        if not 0 < freq <= 1_000_000:
            raise ValueError("invalid freq")
        wire.ask("B", 0, struct.pack("<IIBBB", freq, timeout, scl.id, sda.id, soft))

    def scan(self):
        return list(wire.ask("S"))

    def writeto(self, addr, buf, stop=True):
        wire.ask("W", addr, buf)
        return len(buf)

    def readfrom_into(self, addr, buf, stop=True):
        buf[:] = wire.ask("R", addr, struct.pack("<H", len(buf)))


class WDT:
    def __init__(self, id=0, timeout=5000):
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        wire.ask("D", 0, struct.pack("<I", timeout))

    def feed(self):
        # Fed often, it is also how the host puts the chip's clock ahead.
        (ahead_ms,) = struct.unpack("<I", wire.ask("F"))
        time._TICKS = int(os.getenv("BOARD_TICKS") or 0) + ahead_ms


class RTC:
    def memory(self, data=None):
        path = os.getenv("BOARD_RTC_MEMORY")
        if data is None:
            try:
                with open(path, "rb") as file:
                    return file.read(os.stat(path)[6])
            except OSError:
                return b""
        if len(data) > 2048:
            raise ValueError("buffer too long")
        with open(path, "wb") as file:
            file.write(data)

    def datetime(self, date):
        __getattr__("set_rtc")(date)


def __getattr__(name):
    # Loaded when used and dropped again: what stands in for the chip's own, which lies in its ROM,
    # must not eat the heap.
    part = "machine_" + name.lower()
    try:
        module = __import__(part)
    except ImportError:
        part = "machine_seldom"
        module = __import__(part)
    del sys.modules[part]
    return getattr(module, name)
