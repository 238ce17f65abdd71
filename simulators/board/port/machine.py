"""`machine` as on the ESP32, as far as the firmware uses it: pins that exist, I2C and UART that
reach the host's chips, an RTC memory that survives all but a loss of power, and resets that end
the program at once.
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


class Pin:
    IN = 1
    OUT = 3

    def __init__(self, id, mode=-1, value=None):
        # 6 to 11 are the flash's; 20, 24 and 28 to 31 are not led out.
        if id not in range(40) or 6 <= id <= 11 or id in (20, 24) or 28 <= id <= 31:
            raise ValueError("invalid pin")
        if mode == self.OUT and id >= 34:
            raise ValueError("pin can only be input")
        self.id = id
        if value is not None:
            self.value(value)

    def value(self, value=None):
        if value is None:
            return wire.ask("p", self.id)[0]
        wire.ask("P", self.id, bytes((1 if value else 0,)))


class I2C:
    def __init__(self, id=0, *, scl=None, sda=None, freq=400_000, timeout=50_000):
        if id not in (0, 1):
            raise ValueError("I2C({}) doesn't exist".format(id))
        if not 0 < freq <= 1_000_000:
            raise ValueError("invalid freq")

    def scan(self):
        return list(wire.ask("S"))

    def writeto(self, addr, buf, stop=True):
        wire.ask("W", addr, buf)
        return len(buf) + 1

    def readfrom_into(self, addr, buf, stop=True):
        buf[:] = wire.ask("R", addr, struct.pack("<H", len(buf)))


class WDT:
    def __init__(self, id=0, timeout=5000):
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        wire.ask("D", 0, struct.pack("<I", timeout))

    def feed(self):
        wire.ask("F")


class RTC:
    _PATH = os.getenv("BOARD_RTC_MEMORY")

    def memory(self, data=None):
        if data is None:
            try:
                with open(self._PATH, "rb") as file:
                    return file.read()
            except OSError:
                return b""
        if len(data) > 2048:
            raise ValueError("buffer too long")
        with open(self._PATH, "wb") as file:
            file.write(data)


def __getattr__(name):
    # Loaded when used: what stands in for the chip must not eat the heap that it lacks.
    if name not in ("ADC", "UART"):
        raise AttributeError(name)
    import peripherals

    return getattr(peripherals, name)
