"""Finds the next whole record after a damaged one; ends a log. Seldom needed: loaded for it and
dropped.

A part of `outbox`, whose layouts it reads.
"""
# ruff: noqa: SLF001 - one class in several files, for the heap's sake

import struct

from micropython import const
from outbox import _crc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Record
    from outbox import Outbox

_SEGMENT_SIZE = const(4096)
_RECORD = const("<HII")
_RECORD_SIZE = const(10)
_PAYLOAD_MAX = const(512)


def next_whole(box: Outbox, position: int) -> Record | None:
    """(position, number, next position, payload) of the first whole record that begins at
    `position` or after it in that segment, or None. A size may be what is damaged, so every byte
    may begin a record; its CRC-32 and a number that can follow tell.
    """
    segment, offset = divmod(position, _SEGMENT_SIZE)
    index = segment - box.oldest
    log, first = box._logs[index], box._firsts[index]
    with open(box._path(segment), "rb") as file:
        file.seek(offset)
        data = memoryview(file.read(_SEGMENT_SIZE))
    for at in range(len(data) - _RECORD_SIZE + 1):
        size, seq, crc = struct.unpack_from(_RECORD, data, at)
        end = at + _RECORD_SIZE + size
        if size > _PAYLOAD_MAX or end > len(data) or not 0 <= seq - first < _SEGMENT_SIZE:
            continue
        payload = bytes(data[at + _RECORD_SIZE : end])
        if _crc(log, size, seq, payload) == crc:
            return position + at, seq, position + end, payload
    return None


def end_log(box: Outbox) -> None:
    """Begins a new log after a write that failed. What is whole on flash of it, though the flash
    said no, counts: else the last pack of all would wait for the one after it.
    """
    record = box._peek(box._end()[0])
    if record:
        box._size = record[2] % _SEGMENT_SIZE
        box._counts[-1] += 1
        box.next += 1
    box._new_log()
