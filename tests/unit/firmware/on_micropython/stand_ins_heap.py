"""Prints what the modules that stand in for the chip's take of the heap in use: those of a board
with an I2C bus, and with the word `wires` those of one with everything.
"""

import gc
import os
import sys

sys.modules.pop("time", None)
sys.path.insert(0, os.getenv("PORT"))
gc.collect()
before = gc.mem_alloc()

import json

import esp32
import machine
import network

kept = [machine.RTC(), machine.WDT(timeout=60_000), network.WLAN()]
kept.append(machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21)))
kept.append(esp32.HEAP_DATA)
json.loads("[0.5]")
machine.unique_id()
network.WLAN().active(True)
if "wires" in sys.argv:
    import neopixel
    import onewire

    door = machine.Pin(25)
    door.irq(lambda pin: None)
    kept.append(onewire.OneWire(machine.Pin(4)))
    kept.append(neopixel.NeoPixel(machine.Pin(27), 3))
    kept.append(machine.UART(2, 9600, tx=17, rx=16))
    kept.append(machine.ADC(machine.Pin(34), atten=machine.ADC.ATTN_11DB))

gc.collect()
print(gc.mem_alloc() - before)
