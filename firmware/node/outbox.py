"""Packs on flash until their receipt: an append-only log in segment files of 4 KiB.

A segment is a header (log, first number) and records (number, CRC-32, payload); it is only ever
appended to, and deleted whole, oldest first. What has been settled lies beside it in `done`,
small enough to live in the file system's metadata. Losing `done` costs repeats, never readings.
It must not know what a payload means, the clock, or how packs are sent.

A *position* is segment number * 4096 + offset: it orders all packs of all logs.
"""

import binascii
import os
import struct
from array import array

import seldom
from micropython import const

# MicroPython's `errno` lacks some of these names.
_ENOENT = const(2)
_ENOSPC = const(28)

SEGMENT_SIZE = const(4096)
_HEADER = const("<4sII")  # magic, log, first number; then CRC-32
_HEADER_SIZE = const(16)
_MAGIC = const(b"PRO1")
_RECORD = const("<HII")  # payload size, number, CRC-32 over log, size, number and payload
_RECORD_SIZE = const(10)
PAYLOAD_MAX = const(512)

_DONE = const(
    "<4sIIIB"
)  # magic, dropped, rejected, scan position, open positions; then those and CRC
_OPEN_MAX = const(8)


class OutboxError(Exception):
    """The flash would not take the pack."""


def _crc(log: int, size: int, seq: int, payload) -> int:
    return binascii.crc32(payload, binascii.crc32(struct.pack("<IHI", log, size, seq)))


class Outbox:
    """Opens or creates the outbox in `directory`. `random_u32()` draws logs. `open` has the
    number of every pack that was fetched and not settled, by its position.
    """

    def __init__(self, directory: str, max_bytes: int, random_u32):
        self._directory = directory
        self._segments_max = max(2, max_bytes // SEGMENT_SIZE)
        self._random_u32 = random_u32
        self._logs = array("I")
        self._firsts = array("I")
        self._counts = array("H")
        self._size = 0
        self._scan = 0
        self._unfetched = 0
        self.open: dict[int, int] = {}
        self._again: list[int] = []
        self.oldest = 1
        self.log = self.next = 0
        self.dropped = self.rejected = 0
        self.damaged = False
        seldom.load("outbox_load").load(self)

    @property
    def newest(self) -> int:
        """Number of the newest segment."""
        return self.oldest + len(self._logs) - 1

    @property
    def held(self) -> int:
        """How many packs wait for their receipt."""
        return self._unfetched + len(self.open)

    def _path(self, segment: int) -> str:
        return "{}/{:08d}".format(self._directory, segment)

    # -- places ----------------------------------------------------------------------------

    def _tail_is_damaged(self) -> bool:
        return os.stat(self._path(self.newest))[6] != self._size

    def _start(self, segment: int) -> int:
        return segment * SEGMENT_SIZE + _HEADER_SIZE

    def _left_in_scanned(self) -> int:
        """Packs of the segment being scanned that were not fetched yet."""
        record = self._peek(self._scan)
        if not record:
            return 0
        index = self._scan // SEGMENT_SIZE - self.oldest
        return self._firsts[index] + self._counts[index] - record[2]

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
        raise OutboxError("flash refuses: {!r}".format(failure))

    def _append(self, payload: bytes) -> int:
        if self.damaged:
            self._new_log()
        # A segment stays a byte short of full: its end is a position, and must be its own.
        elif self._size + _RECORD_SIZE + len(payload) >= SEGMENT_SIZE:
            self._new_segment(self.log, self.next)
        seq = self.next
        size = len(payload)
        record = struct.pack(_RECORD, size, seq, _crc(self.log, size, seq, payload)) + payload
        with open(self._path(self.newest), "ab") as file:
            file.write(record)
            file.flush()
        self._size += len(record)
        self._counts[-1] += 1
        self._unfetched += 1
        self.next = seq + 1
        return seq

    def _add(self, log: int, first: int):
        self._logs.append(log)
        self._firsts.append(first)
        self._counts.append(0)

    def _new_log(self):
        self._new_segment(self._random_u32() or 1, 1)
        self.damaged = False

    def _new_segment(self, log: int, first: int):
        if len(self._logs) >= self._segments_max:
            self._drop_oldest()
        data = struct.pack(_HEADER, _MAGIC, log, first)
        with open(self._path(self.newest + 1), "wb") as file:
            file.write(data + struct.pack("<I", binascii.crc32(data)))
            file.flush()
        self._add(log, first)
        self._size = _HEADER_SIZE
        self.log = log
        self.next = first

    def _drop_oldest(self):
        """Gives up the oldest segment with what it still holds; counted in `dropped`."""
        if len(self._logs) < 2:
            return
        end = self._start(self.oldest + 1)
        for position in [p for p in self.open if p < end]:
            self.dropped += 1
            self.settle(position)
        if self._scan < end:
            left = self._left_in_scanned()
            self.dropped += left
            self._unfetched -= left
            self._scan = end
        # Deleted first: on a full flash there may be no room to write down that it goes.
        self._delete_oldest()
        self.save()

    # -- fetching and settling --------------------------------------------------------------

    def _peek(self, position: int):
        """(payload, log, number, next position) of the record there, or None."""
        segment, offset = divmod(position, SEGMENT_SIZE)
        index = segment - self.oldest
        if not 0 <= index < len(self._logs) or not self._logs[index]:
            return None
        log = self._logs[index]
        try:
            with open(self._path(segment), "rb") as file:
                file.seek(offset)
                head = file.read(_RECORD_SIZE)
                if len(head) < _RECORD_SIZE:
                    return None
                size, seq, crc = struct.unpack(_RECORD, head)
                payload = file.read(size) if size <= PAYLOAD_MAX else b""
        except OSError:
            return None
        if len(payload) != size or _crc(log, size, seq, payload) != crc:
            return None
        return payload, log, seq, position + _RECORD_SIZE + size

    def fetch(self):
        """Position of the next pack to send, open from now on; None when there is none."""
        if self._again:
            return self._again.pop(0)
        while self._unfetched:
            record = self._peek(self._scan)
            if record:
                position, self._scan = self._scan, record[3]
                self._unfetched -= 1
                self.open[position] = record[2]
                return position
            if self._scan // SEGMENT_SIZE >= self.newest:
                return None
            self._leave_scanned()
        return None

    def _leave_scanned(self):
        """Goes to the next segment; what could not be read of this one is lost and counted."""
        index = self._scan // SEGMENT_SIZE - self.oldest
        after = sum(self._counts[i] for i in range(index + 1, len(self._counts)))
        lost = self._unfetched - after
        self.dropped += lost
        self._unfetched -= lost
        self._scan = self._start(self.oldest + index + 1)

    def read(self, position: int):
        """(payload, log, number) of an open pack; None if it was dropped or is damaged."""
        record = self._peek(position) if position in self.open else None
        return record[:3] if record else None

    def log_of(self, position: int) -> int:
        """The log that a pack of the outbox belongs to."""
        return self._logs[position // SEGMENT_SIZE - self.oldest]

    def first(self, log: int) -> int:
        """The oldest number of `log` still held; its next number if none is."""
        numbers = [seq for position, seq in self.open.items() if self.log_of(position) == log]
        if numbers:
            return min(numbers)
        scanned = self._scan // SEGMENT_SIZE
        for index, owner in enumerate(self._logs):
            if owner != log or self.oldest + index < scanned:
                continue
            if self.oldest + index > scanned:
                return self._firsts[index]
            record = self._peek(self._scan)
            if record:
                return record[2]
        return self.next

    def lose(self, position: int):
        """Gives up an open pack that can no longer be read; counted in `dropped`."""
        self.dropped += 1
        self.settle(position)

    def reject(self, position: int, pack):
        """Moves a pack that can't be delivered to the reject file: the latest 4 to 8 KiB."""
        path = self._directory + "/rejects"
        try:
            if os.stat(path)[6] > SEGMENT_SIZE:
                os.rename(path, path + ".old")
        except OSError:
            pass  # There is none yet.
        with open(path, "ab") as file:
            file.write(pack)
            file.write(b"\n")
        self.rejected += 1
        self.settle(position)
        self.save()

    def settle(self, position: int):
        """An open pack is durable elsewhere, or lost: it may be forgotten. `save` makes that
        last.
        """
        self.open.pop(position, None)
        if position in self._again:
            self._again.remove(position)

    def save(self):
        """Makes what is settled last, and deletes segments in which nothing is held."""
        scan = self._scan
        held = sorted(self.open)
        if len(held) > _OPEN_MAX:
            scan = held[_OPEN_MAX]
            held = held[:_OPEN_MAX]
        data = struct.pack(_DONE, b"PRD1", self.dropped, self.rejected, scan, len(held))
        data += struct.pack("<{}I".format(len(held)), *held)
        with open(self._directory + "/done", "wb") as file:
            file.write(data + struct.pack("<I", binascii.crc32(data)))
            file.flush()
        oldest = min(held[0], self._scan) if held else self._scan
        while self.oldest < self.newest and oldest >= self._start(self.oldest + 1):
            self._delete_oldest()

    def _delete_oldest(self):
        try:
            os.remove(self._path(self.oldest))
        except OSError as error:
            if error.errno != _ENOENT:
                raise
        self.oldest += 1
        self._logs = self._logs[1:]
        self._firsts = self._firsts[1:]
        self._counts = self._counts[1:]
