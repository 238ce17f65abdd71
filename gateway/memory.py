"""Has the C library give freed memory back to the system."""

import ctypes
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_BYTES: Final = 128 * 1024


def give_freed_memory_back() -> None:
    """Take large blocks from the system one by one, as glibc begins with (mallopt(3)).

    Left alone it raises that limit to what was freed last, up to 32 MB, and keeps what lies below:
    15 MB of a gateway with 10,000 nodes. A C library without this setting is left as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _BYTES)
