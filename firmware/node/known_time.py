"""What happens when a time becomes known. A part of `clock`, loaded for that and dropped again."""
# ruff: noqa: SLF001 - one class in two files, for the heap's sake

import os
import struct

from clock import ANCHOR, is_drift, seal
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from clock import Anchors, Clock
    from node_types import Entry

_FILE = "known_time"
_EVERY_S = const(21_600)
_YEAR_2020 = const(1_577_836_800)
_DRIFT_FROM_S = const(3_000)


def _remember(unix_s: int) -> None:
    """Notes a known time, four times a day at most."""
    try:
        with open(_FILE) as file:
            if abs(unix_s - int(file.read())) < _EVERY_S:
                return
    except (OSError, ValueError):
        pass  # There is none yet.
    with open(_FILE + ".new", "w") as file:
        file.write(str(unix_s))
        file.flush()
    os.rename(_FILE + ".new", _FILE)


def set_clock(clock: Clock, unix_s: object) -> bool:
    """See `Clock.set`."""
    if type(unix_s) is not int or not _YEAR_2020 <= unix_s < 0xFFFF_FFFF:
        return False
    rtc_s = clock._tick()
    offset = unix_s - rtc_s
    passed_s = rtc_s - clock._synced_s
    drift_s = offset - clock._offset
    if clock._offset and passed_s >= _DRIFT_FROM_S and is_drift(passed_s, passed_s + drift_s):
        clock.drift_ppm = drift_s * 1_000_000 // passed_s
    # Both count whole seconds: a difference of one is no news.
    if not clock._sleeps and clock._offset and abs(drift_s) <= 1:
        return True
    if not clock._offset or (clock._sleeps and not clock._fixed):
        # What is dated by it may be as old as this power-on, and that as the last pack before it.
        oldest_s = unix_s if clock._offset else offset
        ms = clock._next_ms() if oldest_s <= clock._latest_s else 0
        clock._anchors.add(clock.epoch, rtc_s, unix_s, ms)
    clock._latest_s = max(clock._latest_s, unix_s)
    clock._offset = offset
    clock._synced_s = rtc_s
    clock._fixed = True
    clock._save()
    _remember(unix_s)
    return True


def add_anchor(anchors: Anchors, new: Entry) -> None:
    """See `Anchors.add`."""
    path = anchors.path + ".new"
    last = None
    with open(path, "wb") as file:
        for entry in anchors.entries():
            _keep(file, last, entry, anchors.outbox.oldest)
            last = entry
        _keep(file, last, new, anchors.outbox.oldest)
        file.write(seal(struct.pack(ANCHOR, *new)))
        file.flush()
    os.rename(path, anchors.path)


def _keep(file: BinaryIO, entry: Entry | None, following: Entry, oldest: int) -> None:
    """What lies between two anchors needs both."""
    if entry and (entry[4] >= oldest or (entry[0] == following[0] and following[4] >= oldest)):
        file.write(seal(struct.pack(ANCHOR, *entry)))
