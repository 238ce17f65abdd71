"""What is given up: the oldest segment when the outbox is full, a pack that can't be delivered.
Loaded for it and dropped. A part of `outbox`, whose state it changes.
"""
# ruff: noqa: SLF001 - one class in several files, for the heap's sake

import os

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Buffer
    from outbox import Outbox

_SEGMENT_SIZE = const(4096)


def reject(path: str, pack: Buffer) -> None:
    """Puts a pack into the reject file, and the file aside when it is full."""
    try:
        if os.stat(path)[6] > _SEGMENT_SIZE:
            os.rename(path, path + ".old")
    except OSError:
        pass  # There is none yet.
    with open(path, "ab") as file:
        file.write(pack)
        file.write(b"\n")


def drop_oldest(box: Outbox) -> None:
    """Gives up the oldest segment with what it still holds; counted in `dropped`."""
    if len(box._logs) < 2:
        return
    held = box.held
    end = box._start(box.oldest + 1)
    for position in [p for p in box.open if p < end]:
        box.settle(position)
    for cursor in (box._scan, box._split, box._fresh):
        if cursor and cursor[0] < end:
            cursor[:] = (end, box._firsts[1])
    box.dropped += held - box.held
    # Deleted first: on a full flash there may be no room to write down that it goes.
    box._delete_oldest()
    box.save()
