"""Finds out what lies on flash when an `Outbox` is opened, and is dropped after that: it is a third
of the outbox's code. A part of `outbox`, whose layouts it reads and whose state it fills in.
"""
# ruff: noqa: SLF001 - one class in several files, for the heap's sake

import binascii
import os
import struct

import seldom
from micropython import const
from outbox import SEGMENT_SIZE, OutboxError
from release import OUTBOX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Cursor
    from outbox import Outbox

_EEXIST = const(17)
_HEADER_SIZE = const(16)
_HEADERS_SIZE = const(32)
_MAGIC = const(b"PRO")
_DONE = const("<3sB10IB")
_DONE_MAGIC = const(b"PRD")
_DONE_HEAD = const(45)
_OPEN_MAX = const(16)


def load(box: Outbox) -> None:
    """Counts what the segments hold; where nothing usable is there, begins a log. Raises
    OutboxError, and changes nothing, where they are of a format that this version does not read.
    """
    box.format = seldom.run("formats", "written", "outbox")
    try:
        os.mkdir(box._directory)
    except OSError as error:
        if error.errno != _EEXIST:
            raise
    numbers = [int(e[0]) for e in os.ilistdir(box._directory) if e[0].isdigit()]
    torn = 0
    if numbers:
        box.oldest = min(numbers)
        for segment in range(box.oldest, max(numbers) + 1):
            box._add(*_header(box, segment))
        torn = _finish_counts(box)
    _load_done(box, torn)
    box.dropped += torn
    if box.damaged and len(box._logs) > 1:
        _clear_torn(box)
    if box.damaged or not numbers:
        box._new_log()


def _header(box: Outbox, segment: int) -> tuple[int, int]:
    """(log, first number) of a segment; log 0 where neither of its two headers can be read."""
    try:
        with open(box._path(segment), "rb") as file:
            data = file.read(_HEADERS_SIZE)
    except OSError:
        return 0, 0
    for at in (0, _HEADER_SIZE):
        header = data[at : at + _HEADER_SIZE]
        if (
            len(header) == _HEADER_SIZE
            and header[:3] == _MAGIC
            and binascii.crc32(header[:12]) == struct.unpack_from("<I", header, 12)[0]
        ):
            # Taken for damage it would be given up, and the version that wrote it can come back.
            box._begun = header[3] - 48
            if not OUTBOX[0] <= box._begun <= OUTBOX[1]:
                raise OutboxError("{} is of format {}".format(box._path(segment), box._begun))
            return struct.unpack_from("<II", header, 4)
    return 0, 0


def _finish_counts(box: Outbox) -> int:
    """A segment's count follows from the next one's first number; the last of each log is
    read through, and a damaged end of the newest ends its log: 1 then, else 0.
    """
    torn = 0
    last = len(box._logs) - 1
    for index in range(last + 1):
        if index and not box._logs[index]:
            _adopt(box, index)
        if index < last and box._logs[index] == box._logs[index + 1]:
            box._counts[index] = box._firsts[index + 1] - box._firsts[index]
            continue
        position = box._start(box.oldest + index)
        while True:
            record = box._peek(position, True)
            if not record:
                break
            box._counts[index] = record[1] + 1 - box._firsts[index]
            position = record[2]
        if index == last:
            box._size = position % SEGMENT_SIZE
            box.log = box._logs[index]
            box.next = box._firsts[index] + box._counts[index]
            if not box.log or box._tail_is_damaged():
                box.damaged = True
                # What is torn was one pack at least.
                torn = 1 if os.stat(box._path(box.newest))[6] > _HEADERS_SIZE else 0
    return torn


def _clear_torn(box: Outbox) -> None:
    """A segment that was being created when power failed is empty: it takes no other's place."""
    if os.stat(box._path(box.newest))[6]:
        return
    start = box._start(box.newest)
    os.remove(box._path(box.newest))
    box._logs = box._logs[:-1]
    box._firsts = box._firsts[:-1]
    box._counts = box._counts[:-1]
    for cursor in (box._scan, box._split, box._fresh):
        if cursor and cursor[0] >= start:
            cursor[:] = (start, 1)  # Where the new log begins.
    box.save()


def _adopt(box: Outbox, index: int) -> None:
    """A segment without a header, between two of one log, holds what those lack."""
    if index + 1 < len(box._logs) and box._logs[index - 1] == box._logs[index + 1]:
        box._logs[index] = box._logs[index - 1]
        box._firsts[index] = box._firsts[index - 1] + box._counts[index - 1]


def _load_done(box: Outbox, torn: int) -> None:
    box._scan = _cursor(box, 0, 0)
    box._fresh = box._scan
    done = _read_done(box)
    if not done:
        return
    box.dropped, box.rejected, log, following = done[:4]
    box._scan = _cursor(box, *done[4:6])
    _count_gone(box, log, *done[4:6])
    box._fresh = box._scan
    if done[6] > box._scan[0]:
        box._split = _cursor(box, *done[6:8])
        box._fresh = _cursor(box, *done[8:10])
    _end_log(box, log, following - torn, done[5])


def _end_log(box: Outbox, log: int, following: int, seq: int) -> None:
    """A log whose end is cut between two records looks whole: only this tells, and so no number
    is given twice.
    """
    index = len(box._logs) - 1
    while index >= 0 and not box._logs[index]:
        index -= 1
    if index < 0 or box._logs[index] != log:
        return
    end = box._firsts[index] + box._counts[index]
    if following > end:
        box.dropped += following - max(end, seq)
        box.damaged = True


def _count_gone(box: Outbox, log: int, position: int, seq: int) -> None:
    """The segment that was to be fetched from is gone, or nobody can read whose it is: the next
    one's first number tells how many packs it held.
    """
    saved = position // SEGMENT_SIZE - box.oldest
    index = max(saved, 0)
    while index < len(box._logs) and not box._logs[index]:
        index += 1
    if saved < index < len(box._logs) and box._logs[index] == log and box._firsts[index] >= seq:
        box.dropped += box._firsts[index] - seq
        box._scan = [box._start(box.oldest + index), box._firsts[index]]


def _cursor(box: Outbox, position: int, seq: int) -> Cursor:
    """The cursor as it was saved, or the nearest there is."""
    if position < box._start(box.oldest):
        return [box._start(box.oldest), box._firsts[0] if box._firsts else 1]
    index = position // SEGMENT_SIZE - box.oldest
    if index >= len(box._logs):
        return box._end()
    first = box._firsts[index]
    if not first <= seq <= first + box._counts[index]:
        return [box._start(box.oldest + index), first]
    return [position, seq]


def _read_done(box: Outbox) -> tuple[int, ...] | None:
    try:
        with open(box._directory + "/done", "rb") as file:
            data = file.read(_DONE_HEAD + 4 * _OPEN_MAX + 4)
    except OSError:
        return None
    if (
        len(data) < _DONE_HEAD + 4
        or data[:3] != _DONE_MAGIC
        or not OUTBOX[0] <= data[3] - 48 <= OUTBOX[1]
        or binascii.crc32(data[:-4]) != struct.unpack_from("<I", data, len(data) - 4)[0]
    ):
        return None
    done = struct.unpack_from(_DONE, data)[2:]
    for position in struct.unpack_from("<{}I".format(done[10]), data, _DONE_HEAD):
        record = box._peek(position) if position // SEGMENT_SIZE >= box.oldest else None
        if record:
            box.open[position] = record[1]
            box._again.append(position)
        elif position // SEGMENT_SIZE >= box.oldest:
            box.dropped += 1
    return done
