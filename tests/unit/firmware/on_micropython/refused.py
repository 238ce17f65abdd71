"""Prints with which exception the chip's modules refuse what the chip does not have."""

import os
import sys

sys.path.insert(0, os.getenv("PORT"))
# From then on the chip's modules are there.
__import__("remote")

import machine
import network

ASKED = (
    lambda: machine.Pin(6),
    lambda: machine.Pin(24),
    lambda: machine.Pin(40),
    lambda: machine.Pin(34, machine.Pin.OUT),
    lambda: machine.Pin(35, machine.Pin.IN, machine.Pin.PULL_UP),
    lambda: machine.I2C(2, scl=machine.Pin(22), sda=machine.Pin(21)),
    lambda: machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21), speed=1),
    lambda: machine.SoftI2C(machine.Pin(22), machine.Pin(21)).readfrom_into(3, bytearray(1)),
    lambda: machine.UART(0),
    lambda: machine.ADC(machine.Pin(4)),
    lambda: machine.RTC().memory(bytes(2049)),
    lambda: machine.WDT(timeout=0),
    lambda: machine.TIMER_1,
    lambda: network.WLAN(network.STA_IF).connect("preau", "key"),
    lambda: network.WLAN(network.STA_IF).status("stations"),
)
for ask in ASKED:
    try:
        ask()
    except (TypeError, AttributeError) as error:
        print(type(error).__name__)
    except (ValueError, OSError) as error:
        print(type(error).__name__, error)
    else:
        print("taken")
