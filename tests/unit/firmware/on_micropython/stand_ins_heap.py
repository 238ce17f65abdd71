"""Prints what the modules that stand in for the chip's take of the heap, all of them in use."""

import gc
import os
import sys

sys.modules.pop("time", None)
sys.path.insert(0, os.getenv("PORT"))
gc.collect()
before = gc.mem_alloc()

import machine
import neopixel
import network
import onewire

kept = [machine.RTC(), machine.WDT(timeout=60_000), network.WLAN()]
kept.append(machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21)))
door = machine.Pin(25)
door.irq(lambda pin: None)
kept.append(onewire.OneWire(machine.Pin(4)))
kept.append(neopixel.NeoPixel(machine.Pin(27), 3))
kept.append(machine.UART(2, 9600, tx=17, rx=16))
kept.append(machine.ADC(machine.Pin(34), atten=machine.ADC.ATTN_11DB))
machine.unique_id()
network.WLAN().active(True)

gc.collect()
print(gc.mem_alloc() - before)
