"""First module the virtual board runs: puts the chip's modules over those of the unix port, then
does what the chip's own start does: `boot`, where there is one, then `main`.

asyncio keeps the port's own clock, because its task queue is C and compares the port's ticks;
the firmware gets the chip's, which wrap after 12 days.
"""

import os
import sys

import micropython

micropython.opt_level(3)
path = sys.path[:]
sys.path[:] = [".frozen"]
import asyncio.core  # noqa: E402, F401  pyright: ignore

sys.path[:] = path
del path, micropython

import remote  # noqa: E402, F401  pyright: ignore

if "boot.py" in os.listdir():
    import boot  # noqa: F401  pyright: ignore
del os

import main  # noqa: E402, F401  pyright: ignore
