"""Packs on flash until their receipt: an append-only log in segment files of 4 KiB.

A segment is a header, twice (log, first number), and records (number, CRC-32, payload); it is only
ever appended to, and deleted whole, oldest first. What has been settled lies beside it in `done`,
small enough to live in the file system's metadata. Losing `done` costs repeats, never readings.
It must not know what a payload means, the clock, or how packs are sent.

A *position* is segment number * 4096 + offset: it orders all packs of all logs. A *cursor* is a
position and the number expected there, so that what is damaged between two records is counted.
"""

# Wear: appending a record and flushing it costs LittleFS about one erase, `done` 0.02. At a pack a
# minute that is 1,440 erases a day. The `vfs` partition of a 4 MiB board is 2 MiB, 512 blocks of
# 100,000 erases; LittleFS spreads them over what is free, at least the 3/4 that the outbox, full
# with 128 blocks, leaves: 384 * 100,000 / 1,440 days are 73 years.

import binascii
import os
import struct
from array import array

import seldom
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from node_types import Buffer, Cursor, Record

# MicroPython's `errno` lacks some of these names.
_ENOENT = const(2)
_ENOSPC = const(28)

SEGMENT_SIZE = const(4096)
# Magic, format (a digit), log, first number; then CRC-32; all of it twice.
_HEADER = const("<3sBII")
_HEADERS_SIZE = const(32)
_MAGIC = const(b"PRO")
_RECORD = const("<HII")  # payload size, number, CRC-32 over log, size, number and payload
_RECORD_SIZE = const(10)
PAYLOAD_MAX = const(512)

# Magic, format, dropped, rejected, log, next number, three cursors, open positions; then those and
# a CRC-32. In all at most 117 bytes: up to 128 stay in LittleFS's metadata.
_DONE = const("<3sB10IB")
_DONE_MAGIC = const(b"PRD")
_OPEN_MAX = const(16)


class OutboxError(Exception):
    """The flash would not take the pack."""


def _crc(log: int, size: int, seq: int, payload: Buffer) -> int:
    return binascii.crc32(payload, binascii.crc32(struct.pack("<IHI", log, size, seq)))  # type: ignore[no-any-return]


class Outbox:
    """Opens or creates the outbox in `directory`. `random_u32()` draws logs. `open` has the
    number of every pack that was fetched and not settled, by its position.
    """

    def __init__(self, directory: str, max_bytes: int, random_u32: Callable[[], int]) -> None:
        self._directory = directory
        self._segments_max = max(2, max_bytes // SEGMENT_SIZE)
        self._random_u32 = random_u32
        self._logs = array("I")
        self._firsts = array("I")
        self._counts = array("H")
        self._size = 0
        # Up to `_split` packs are fetched at `_scan`, what was taken after that at `_fresh`.
        self._scan = [0, 0]
        self._split: list[int] | None = None
        self._fresh = self._scan
        self._turn = False
        self.open: dict[int, int] = {}
        self._again: list[int] = []
        self.oldest = 1
        # The format to write, and that of the newest segment.
        self.format = self._begun = 0
        self.log = self.next = 0
        self.dropped = self.rejected = 0
        self.damaged = False
        seldom.run("outbox_load", "load", self)

    @property
    def newest(self) -> int:
        """Number of the newest segment."""
        return self.oldest + len(self._logs) - 1

    @property
    def held(self) -> int:
        """How many packs wait for their receipt."""
        held = self._left(self._scan) + len(self.open)
        if self._split:
            held -= self._left(self._split) - self._left(self._fresh)
        return held

    def _path(self, segment: int) -> str:
        return "{}/{:08d}".format(self._directory, segment)

    # -- places ----------------------------------------------------------------------------

    def _tail_is_damaged(self) -> bool:
        return os.stat(self._path(self.newest))[6] != self._size

    def _start(self, segment: int) -> int:
        return segment * SEGMENT_SIZE + _HEADERS_SIZE

    def _end(self) -> Cursor:
        return [self.newest * SEGMENT_SIZE + self._size, self.next]

    def _left(self, cursor: Cursor) -> int:
        """How many numbers were given from the cursor on."""
        index = cursor[0] // SEGMENT_SIZE - self.oldest
        if index >= len(self._logs):
            return 0
        return (
            self._firsts[index] + self._counts[index] - cursor[1] + sum(self._counts[index + 1 :])
        )

    # -- taking ----------------------------------------------------------------------------

    def take(self, payload: bytes) -> int:
        """Its number, once the pack is on flash. Raises OutboxError if it is not; then nothing
        was taken, and the log ends here unless the flash certainly holds nothing of it.
        """
        if len(payload) > PAYLOAD_MAX:
            raise OutboxError("pack of {} bytes, at most {}".format(len(payload), PAYLOAD_MAX))
        failure = None
        for _ in range(3):
            try:
                if failure and failure.errno == _ENOSPC:
                    self._drop_oldest()
                return self._append(payload)
            except OSError as error:
                failure = error
                self.damaged = error.errno != _ENOSPC or self._tail_is_damaged()
            except MemoryError:
                # How far it got is not known: no number may be given twice.
                self.damaged = True
                raise
        raise OutboxError("flash refuses: {!r}".format(failure))

    def _append(self, payload: bytes) -> int:
        if self.damaged:
            seldom.run("outbox_mend", "end_log", self)
        # A segment stays a byte short of full: its end is a position, and must be its own.
        elif self._size + _RECORD_SIZE + len(payload) >= SEGMENT_SIZE or self._begun != self.format:
            self._new_segment(self.log, self.next)
        seq = self.next
        size = len(payload)
        record = struct.pack(_RECORD, size, seq, _crc(self.log, size, seq, payload)) + payload
        with open(self._path(self.newest), "ab") as file:
            file.write(record)
            file.flush()
        self._size += len(record)
        self._counts[-1] += 1
        self.next = seq + 1
        return seq

    def _add(self, log: int, first: int) -> None:
        self._logs.append(log)
        self._firsts.append(first)
        self._counts.append(0)

    def _new_log(self) -> None:
        self._new_segment(self._random_u32() or 1, 1)
        self.damaged = False

    def _new_segment(self, log: int, first: int) -> None:
        if len(self._logs) >= self._segments_max:
            self._drop_oldest()
        data = struct.pack(_HEADER, _MAGIC, 48 + self.format, log, first)
        data += struct.pack("<I", binascii.crc32(data))
        with open(self._path(self.newest + 1), "wb") as file:
            file.write(data + data)
            file.flush()
        self._add(log, first)
        self._size = _HEADERS_SIZE
        self._begun = self.format
        self.log = log
        self.next = first

    def _drop_oldest(self) -> None:
        """Gives up the oldest segment with what it still holds; counted in `dropped`."""
        seldom.run("outbox_full", "drop_oldest", self)

    # -- fetching and settling --------------------------------------------------------------

    def _peek(self, position: int, mend: bool = False) -> Record | None:
        """(position, number, next position, payload) of the record there, or None. `mend` asks for
        the next whole one of the segment where that one is damaged.
        """
        segment, offset = divmod(position, SEGMENT_SIZE)
        index = segment - self.oldest
        if not 0 <= index < len(self._logs) or not self._logs[index]:
            return None
        log = self._logs[index]
        try:
            with open(self._path(segment), "rb") as file:
                file.seek(offset)
                head = file.read(_RECORD_SIZE)
                if len(head) == _RECORD_SIZE:
                    size, seq, crc = struct.unpack(_RECORD, head)
                    payload = file.read(size) if size <= PAYLOAD_MAX else b""
                    if len(payload) == size and _crc(log, size, seq, payload) == crc:
                        return position, seq, position + _RECORD_SIZE + size, payload
        except OSError:
            return None
        if mend and head:
            return seldom.run("outbox_mend", "next_whole", self, position + 1)
        return None

    def split(self) -> None:
        """What is taken from now on is fetched in turn with what waits already: it need not wait
        for the end of a backlog.
        """
        if not self._split or self._left(self._fresh) > _OPEN_MAX:
            self._split = self._end()
            self._fresh = self._end()

    def _turn_of(self) -> Cursor:
        """The cursor whose turn it is."""
        if self._split:
            if self._scan[0] >= self._split[0]:
                self._merge()
            elif not self._turn and self._left(self._fresh):
                self._turn = True
                return self._fresh
        self._turn = False
        return self._scan

    def _ends_backlog(self, cursor: Cursor, record: Record | None) -> bool:
        """Whether what is left of the backlog can't be read, in the segment that it ends in."""
        end = self._split if cursor is self._scan else None
        if not end or end[0] // SEGMENT_SIZE != cursor[0] // SEGMENT_SIZE:
            return False
        if record and record[0] < end[0]:
            return False
        self.dropped += end[1] - cursor[1]
        return True

    def _merge(self) -> None:
        """The backlog is fetched: one cursor is enough again."""
        self._scan = self._fresh
        self._split = None

    def fetch(self) -> int | None:
        """Position of the next pack to send, open from now on; None when there is none."""
        if self._again:
            return self._again.pop(0)
        while True:
            cursor = self._turn_of()
            if not self._left(cursor):
                return None
            record = self._peek(cursor[0], True)
            if self._ends_backlog(cursor, record):
                self._merge()
                continue
            if not record:
                self._leave(cursor)
                continue
            position, seq, after, _ = record
            self.dropped += seq - cursor[1]
            cursor[:] = (after, seq + 1)
            if position not in self.open:
                self.open[position] = seq
                return position

    def _leave(self, cursor: Cursor) -> None:
        """Goes to the next segment; what could not be read of this one is lost and counted."""
        index = cursor[0] // SEGMENT_SIZE - self.oldest
        self.dropped += self._firsts[index] + self._counts[index] - cursor[1]
        if index + 1 < len(self._logs):
            cursor[:] = (self._start(self.oldest + index + 1), self._firsts[index + 1])
        else:
            cursor[:] = self._end()

    def read(self, position: int) -> tuple[bytes, int, int] | None:
        """(payload, log, number) of an open pack; None if it was dropped or is damaged."""
        record = self._peek(position) if position in self.open else None
        return (record[3], self.log_of(position), record[1]) if record else None

    def log_of(self, position: int) -> int:
        """The log that a pack of the outbox belongs to."""
        return self._logs[position // SEGMENT_SIZE - self.oldest]

    def first(self, log: int) -> int:
        """The oldest number of `log` still held; the one after its last if none is."""
        first = self.next if log == self.log else 0xFFFF_FFFF
        at = self._scan[0] // SEGMENT_SIZE - self.oldest
        for index in range(at, len(self._logs)):
            if self._logs[index] == log:
                first = min(first, self._scan[1] if index == at else self._firsts[index])
                break
        for position, seq in self.open.items():
            if seq < first and self.log_of(position) == log:
                first = seq
        return first

    def lose(self, position: int) -> None:
        """Gives up an open pack that can no longer be read; counted in `dropped`."""
        self.dropped += 1
        self.settle(position)

    def reject(self, position: int, pack: Buffer) -> None:
        """Moves a pack that can't be delivered to the reject file: the latest 4 to 8 KiB."""
        seldom.run("outbox_full", "reject", self._directory + "/rejects", pack)
        self.rejected += 1
        self.settle(position)
        self.save()

    def settle(self, position: int) -> None:
        """An open pack is durable elsewhere, or lost: it may be forgotten. `save` makes that
        last.
        """
        self.open.pop(position, None)
        if position in self._again:
            self._again.remove(position)

    def save(self) -> None:
        """Makes what is settled last, and deletes segments in which nothing is held."""
        held = sorted(self.open)
        scan = self._scan
        split = self._split or [0, 0]
        fresh = self._fresh if self._split else split
        # What there is no room for is fetched again after a restart.
        for position in reversed(held[_OPEN_MAX:]):
            if self._split and position >= split[0]:
                fresh = [position, self.open[position]]
            else:
                scan = [position, self.open[position]]
        held = held[:_OPEN_MAX]
        counts = self.dropped, self.rejected, self.log, self.next
        data = struct.pack(
            _DONE, _DONE_MAGIC, 48 + self.format, *counts, *scan, *split, *fresh, len(held)
        )
        data += struct.pack("<{}I".format(len(held)), *held)
        with open(self._directory + "/done", "wb") as file:
            file.write(data + struct.pack("<I", binascii.crc32(data)))
            file.flush()
        oldest = min(held[0], scan[0]) if held else scan[0]
        while self.oldest < self.newest and oldest >= self._start(self.oldest + 1):
            self._delete_oldest()

    def _delete_oldest(self) -> None:
        try:
            os.remove(self._path(self.oldest))
        except OSError as error:
            if error.errno != _ENOENT:
                raise
        self.oldest += 1
        self._logs = self._logs[1:]
        self._firsts = self._firsts[1:]
        self._counts = self._counts[1:]
