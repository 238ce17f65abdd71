"""What time it is, if the node knows, and how a reading taken before that gets its time.

The chip's RTC is never set: it counts from power-on, through sleep and resets, and the clock
holds what to add to it. Each power-on is an *epoch* with a random number kept in RTC memory.
An *anchor* (epoch, what to add) is written to flash before the first pack of that epoch that
waited for it can be sent, and never changes: a pack sent again keeps its time. It must not know
topics, sockets or the outbox's records; nothing in it ever guesses a time.
"""

import binascii
import os
import struct
import time

import pack
from micropython import const

# Magic, epoch, RTC seconds last seen, offset (0: time unknown); then CRC-32.
_MEMORY = const("<4sIII")
_MAGIC = const(b"PRC1")
_MEMORY_SIZE = const(20)
_ANCHOR = const("<III")  # epoch, offset, newest outbox segment when it was written; then CRC-32
_ANCHOR_SIZE = const(16)

# Nothing sleeps or resets for a day. A larger step means that someone set the RTC (editors do).
_STEP_MAX_S = const(86_400)
_ANSWER_MAX_MS = const(10_000)
_YEAR_2020 = const(1_577_836_800)


def _seal(data: bytes) -> bytes:
    return data + struct.pack("<I", binascii.crc32(data))


def _unseal(data: bytes):
    """The data without its CRC, or None if that is wrong."""
    if len(data) < 5 or _seal(data[:-4]) != data:
        return None
    return data[:-4]


class Anchors:
    """The file of anchors; `outbox` gives `oldest` and `newest`, the numbers of its segments."""

    def __init__(self, path: str, outbox):
        self._path = path
        self._outbox = outbox

    def _entries(self):
        try:
            with open(self._path, "rb") as file:
                while True:
                    entry = _unseal(file.read(_ANCHOR_SIZE))
                    if entry is None:
                        return
                    yield struct.unpack(_ANCHOR, entry)
        except OSError:
            return

    def get(self, epoch: int):
        """What to add to the RTC seconds of `epoch`, or None."""
        for known, offset, _ in self._entries():
            if known == epoch:
                return offset
        return None

    def add(self, epoch: int, offset: int):
        """Writes the anchor durably, and drops those whose packs have all left the outbox."""
        if self.get(epoch) is not None:
            return
        path = self._path + ".new"
        with open(path, "wb") as file:
            for entry in self._entries():
                if entry[2] >= self._outbox.oldest:
                    file.write(_seal(struct.pack(_ANCHOR, *entry)))
            file.write(_seal(struct.pack(_ANCHOR, epoch, offset, self._outbox.newest)))
            file.flush()
        os.rename(path, self._path)


class Clock:
    """`memory` is `RTC().memory`, `random_u32()` draws epochs."""

    def __init__(self, memory, anchors: Anchors, random_u32):
        self._memory = memory
        self._random_u32 = random_u32
        self._anchors = anchors
        self._offset = 0
        self._last_s = 0
        self._hello: str | None = None
        self._presence_ms = time.ticks_ms()
        self.epoch = 0
        self._restore()

    def _restore(self):
        data = _unseal(bytes(self._memory()[:_MEMORY_SIZE]))
        if data and data[:4] == _MAGIC:
            _, self.epoch, self._last_s, self._offset = struct.unpack(_MEMORY, data)
        self._tick()

    def _tick(self) -> int:
        """RTC seconds; a new epoch begins if they can't be this power-on's."""
        rtc_s = int(time.time())
        if not self.epoch or not 0 <= rtc_s - self._last_s < _STEP_MAX_S:
            self.epoch = self._random_u32() or 1
            self._offset = 0
        self._last_s = rtc_s
        data = struct.pack(_MEMORY, _MAGIC, self.epoch, rtc_s, self._offset)
        self._memory(_seal(data))
        return rtc_s

    @property
    def known(self) -> bool:
        return self._offset != 0

    def now(self):
        """Unix seconds, or None."""
        rtc_s = self._tick()
        return rtc_s + self._offset if self._offset else None

    def stamp(self) -> bytes:
        """The head of a pack taken now."""
        rtc_s = self._tick()
        if self._offset:
            return pack.encode_head(rtc_s + self._offset)
        return pack.encode_head_rtc(rtc_s, self.epoch)

    def anchor(self, epoch: int):
        """What to add to the RTC seconds of `epoch`; None if it never knew the time."""
        offset = self._anchors.get(epoch)
        if offset is None and epoch == self.epoch and self._offset:
            # The file was lost; while this power-on lasts, RTC memory still knows.
            self._anchors.add(epoch, self._offset)
            offset = self._offset
        return offset

    def presence_sent(self, hello: str):
        """A presence with this `hello` is being sent: its answer may carry the time."""
        self._hello = hello
        self._presence_ms = time.ticks_ms()

    def answer(self, hello, now) -> bool:
        """Takes `now` of a receipt if it answers the presence just sent; says whether it did."""
        if hello != self._hello or self._hello is None:
            return False
        if time.ticks_diff(time.ticks_ms(), self._presence_ms) > _ANSWER_MAX_MS:
            return False
        return self.set(now)

    def set(self, unix_s) -> bool:
        """Takes the time from a source that is trusted with it; refuses what is no time."""
        if type(unix_s) is not int or not _YEAR_2020 <= unix_s < 0xFFFF_FFFF:
            return False
        offset = unix_s - self._tick()
        # Both count whole seconds: a difference of one is no news.
        if self._offset and abs(offset - self._offset) <= 1:
            return True
        if not self._offset:
            self._anchors.add(self.epoch, offset)
        self._offset = offset
        self._tick()
        return True
