"""First file the virtual board runs: puts the chip's modules over those of the unix port.

asyncio keeps the port's own clock, because its task queue is C and compares the port's ticks;
the firmware gets the chip's, which wrap after 12 days.
"""

import sys

import micropython

micropython.opt_level(3)
_PORT = sys.path.pop(0)

sys.modules.pop("time", None)
sys.path.insert(0, _PORT)

import main  # noqa: E402, F401  pyright: ignore
