"""Prints what the modules that stand in for the chip's take of the heap in use: those of a board
with an I2C bus, and with the word `wires` those of one with everything.
"""

import gc
import os
import sys

sys.modules.pop("time", None)
sys.path.insert(0, os.getenv("PORT"))
kept = []


def plain():
    __import__("remote")
    import json

    import esp32
    import machine
    import network

    kept.extend((machine.RTC(), machine.WDT(timeout=60_000), network.WLAN()))
    kept.append(machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21)))
    kept.append(esp32.HEAP_DATA)
    json.loads("[0.5]")
    machine.unique_id()
    network.WLAN().active(True)
    __import__("time").time()


def wires():
    import machine
    import neopixel
    import onewire

    door = machine.Pin(25)
    door.irq(lambda pin: None)
    kept.append(onewire.OneWire(machine.Pin(4)))
    kept.append(neopixel.NeoPixel(machine.Pin(27), 3))
    kept.append(machine.UART(2, 9600, tx=17, rx=16))
    kept.append(machine.ADC(machine.Pin(34), atten=machine.ADC.ATTN_11DB))


gc.collect()
before = gc.mem_alloc()
plain()
if "wires" in sys.argv:
    wires()
# What a stack that was deeper has left behind would keep modules alive.
print(end="".join(str(number) for number in [""] * 100))
gc.collect()
print(gc.mem_alloc() - before)
