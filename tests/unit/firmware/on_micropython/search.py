"""Prints the ROMs of the DS18B20s on a pin: `search.py PIN`."""

import os
import sys

sys.modules.pop("time", None)

sys.path.insert(0, os.getenv("PORT"))
# From then on the chip's modules are there.
__import__("remote")

import machine
import onewire
from drivers.ds18b20 import Wire

for rom in Wire(onewire.OneWire(machine.Pin(int(sys.argv[1]))), "pin").scan():
    print(rom.hex())
