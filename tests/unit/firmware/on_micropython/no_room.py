"""Asks the host for what the heap has no room for, then again."""

import gc
import os
import sys

sys.path.insert(0, os.getenv("PORT"))
# From then on the chip's modules are there.
__import__("remote")

import machine

memory = machine.RTC().memory
memory(bytes(range(256)) * 8)
held = []
try:
    while True:
        held.append(bytearray(1024))
except MemoryError:
    pass
try:
    print(memory())
except MemoryError:
    print("no room")
held.clear()
gc.collect()
print(machine.unique_id().hex(), memory() == bytes(range(256)) * 8)
