"""How the process deals with memory: what the C library and the collector are told at the start."""

import ctypes
import gc
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_MMAP_FROM_BYTES: Final = 128 * 1024
_COLLECT_AFTER: Final = (50_000, 20, 100)


def give_freed_memory_back() -> None:
    """Take large blocks from the system one by one, as glibc begins with (mallopt(3)), and small
    ones from one arena for all threads.

    Left alone it raises that limit to what was freed last, up to 32 MB, and keeps what lies below:
    15 MB of a gateway with 10,000 nodes; what one arena has free is of no use to another. A C
    library without these settings is left as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES)
        mallopt(_M_ARENA_MAX, 1)


def collect_less_often() -> None:
    """Look for garbage in cycles after 50,000 new objects, not after each 700.

    A batch of packs makes as many and frees them all by itself, while what is known of 10,000 nodes
    is a million objects, looked through in vain: that was a third of the time of a commit.
    """
    gc.set_threshold(*_COLLECT_AFTER)
