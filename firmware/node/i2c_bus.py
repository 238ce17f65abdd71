"""Opens the I2C bus, and frees it where a chip holds its data line. Needed seldom: dropped after.

It knows pins and the bus, and nothing of the chips on it.
"""

import time

import machine
from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Json

_FREQUENCY = const(100_000)
# An SCD30 stretches the clock by up to 150 ms and likes it slow ("interface description", §1.1).
# The I2C of an ESP32 in hardware gives up after 13 ms, whatever it is told.
_SLOW = const(50_000)
_STRETCH_US = const(200_000)
_STRETCHES = const(0x61)


def is_held(config: Json) -> bool:
    """Whether the data line is low while nobody talks on a bus that is open."""
    # Without a mode: that would take the pin from the bus.
    return not machine.Pin(config["sda"]).value()


def open_bus(config: Json, soft: bool) -> tuple[machine.I2C, bool]:
    """The bus of `config` (`id`, `scl`, `sda`, `soft`), freed if need be, and whether it is one in
    software: where `soft` or `config` ask for that, or an SCD30 answers, which needs it.
    """
    if not machine.Pin(config["sda"], machine.Pin.IN, machine.Pin.PULL_UP).value():
        _free(config)
    scl = machine.Pin(config["scl"])
    sda = machine.Pin(config["sda"])
    if not (soft or config.get("soft")):
        bus = machine.I2C(config.get("id", 0), scl=scl, sda=sda, freq=_FREQUENCY)
        if _STRETCHES not in bus.scan():
            return bus, False
    return machine.SoftI2C(scl=scl, sda=sda, freq=_SLOW, timeout=_STRETCH_US), True


def _free(config: Json) -> None:
    """Nine clock pulses, which a chip that was stopped in the middle of a byte waits for, and a
    stop condition (I2C specification UM10204, §3.1.16).
    """
    scl = machine.Pin(config["scl"], machine.Pin.OPEN_DRAIN, value=1)
    for _ in range(9):
        scl.value(0)
        time.sleep_us(5)
        scl.value(1)
        time.sleep_us(5)
    scl.value(0)
    sda = machine.Pin(config["sda"], machine.Pin.OPEN_DRAIN, value=0)
    scl.value(1)
    time.sleep_us(5)
    sda.value(1)
    note("I2C: data line was held low,", "still is" if is_held(config) else "freed")
