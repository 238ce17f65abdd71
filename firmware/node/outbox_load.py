"""Finds out what lies on flash when an `Outbox` is opened, and is dropped after that: it is a third
of the outbox's code. A part of `outbox`, whose layouts it reads and whose state it fills in.
"""
# ruff: noqa: SLF001 - one class in two files, for the heap's sake

import binascii
import os
import struct

from micropython import const
from outbox import SEGMENT_SIZE

_EEXIST = const(17)
_HEADER_SIZE = const(16)
_MAGIC = const(b"PRO1")
_DONE = const("<4sIIIB")
_DONE_HEAD = const(17)
_OPEN_MAX = const(8)


def load(box):
    """Counts what the segments hold; where nothing usable is there, begins a log."""
    try:
        os.mkdir(box._directory)
    except OSError as error:
        if error.errno != _EEXIST:
            raise
    numbers = [int(e[0]) for e in os.ilistdir(box._directory) if e[0].isdigit()]
    if numbers:
        box.oldest = min(numbers)
        for segment in range(box.oldest, max(numbers) + 1):
            box._add(*_header(box, segment))
        _finish_counts(box)
    _load_done(box)
    if box.damaged or not numbers:
        box._new_log()


def _header(box, segment: int):
    """(log, first number) of a segment; log 0 where it can't be read."""
    try:
        with open(box._path(segment), "rb") as file:
            data = file.read(_HEADER_SIZE)
    except OSError:
        return 0, 0
    if (
        len(data) < _HEADER_SIZE
        or binascii.crc32(data[:12]) != struct.unpack_from("<I", data, 12)[0]
    ):
        return 0, 0
    return struct.unpack_from("<II", data, 4) if data[:4] == _MAGIC else (0, 0)


def _finish_counts(box):
    """A segment's count follows from the next one's first number; the last of each log is
    read through, and a damaged end of the newest ends its log.
    """
    last = len(box._logs) - 1
    for index in range(last + 1):
        if index < last and box._logs[index] == box._logs[index + 1]:
            box._counts[index] = box._firsts[index + 1] - box._firsts[index]
            continue
        position = box._start(box.oldest + index)
        while True:
            record = box._peek(position)
            if not record:
                break
            box._counts[index] += 1
            position = record[3]
        if index == last:
            box._size = position % SEGMENT_SIZE
            box.log = box._logs[index]
            box.next = box._firsts[index] + box._counts[index]
            box.damaged = not box.log or box._tail_is_damaged()


def _load_done(box):
    box._scan = box._start(box.oldest)
    _read_done(box)
    box._scan = max(box._scan, box._start(box.oldest))
    if box._scan // SEGMENT_SIZE > box.newest:
        box._scan = box._start(box.newest + 1)
    box._unfetched = 0
    for index, count in enumerate(box._counts):
        if box.oldest + index > box._scan // SEGMENT_SIZE:
            box._unfetched += count
        elif box.oldest + index == box._scan // SEGMENT_SIZE:
            box._unfetched += box._left_in_scanned()


def _read_done(box):
    try:
        with open(box._directory + "/done", "rb") as file:
            data = file.read(_DONE_HEAD + 4 * _OPEN_MAX + 4)
    except OSError:
        return
    if (
        len(data) < _DONE_HEAD + 4
        or binascii.crc32(data[:-4]) != struct.unpack_from("<I", data, len(data) - 4)[0]
    ):
        return
    _, box.dropped, box.rejected, box._scan, count = struct.unpack_from(_DONE, data)
    for position in struct.unpack_from("<{}I".format(count), data, _DONE_HEAD):
        record = box._peek(position) if position // SEGMENT_SIZE >= box.oldest else None
        if record:
            box.open[position] = record[2]
            box._again.append(position)
