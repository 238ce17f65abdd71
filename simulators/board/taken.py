"""What a firmware node has taken, read on the host from the flash of its board while it runs.

A pack is taken once it is flushed to a segment of the outbox. This reads segments by the layout
that `docs/firmware.md` describes, with code of its own: a mistake of the firmware's can't hide by
being made on both sides. What was seen once stays, whatever becomes of the file. It knows neither
broker nor gateway.
"""

import binascii
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from ingest.errors import TransientError
from ingest.quantities import QUANTITIES
from ingest.readings import MAIN_CHANNEL, Reading

_SEGMENT_SIZE: Final = 4096
_HEADER: Final = struct.Struct("<4sIII")  # magic, log, first number, CRC-32; twice
_MAGIC: Final = b"PRO2"
_RECORD: Final = struct.Struct("<HII")  # size, number, CRC-32 over log, size, number, payload
_DONE: Final = struct.Struct("<4s10IB")
_ANCHOR: Final = struct.Struct("<IIIHII")  # epoch, RTC s, Unix s, ms, newest segment; CRC-32
_RTC, _MS = 1, 2  # bits of a pack's first byte
_CHANNEL, _OFFSET, _NUMBER = 0x80, 0x40, 0x3F

# By number: the contract's order of quantities, which the outbox keeps for ever.
_QUANTITIES: Final = tuple(QUANTITIES.values())


class FlashError(TransientError):
    """What lies on the flash of a board can't be told any more: this is no loss, but no proof."""


class _Head(NamedTuple):
    at_ms: int
    is_dated: bool
    begin: int
    """Where its readings begin."""


class TakenPack(NamedTuple):
    """A pack as it was flushed. `place` orders all packs of a board."""

    log: str
    seq: int
    place: tuple[int, int]
    payload: bytes


@dataclass(slots=True)
class _Segment:
    number: int
    life: int
    file: BinaryIO
    log: int | None = None
    read_to: int = 0


class Taken:
    """Everything that was taken on one flash; `look` finds what is new."""

    def __init__(self, flash: Path) -> None:
        self.packs: list[TakenPack] = []
        self._folder = flash / "packs"
        self._segments: dict[int, _Segment] = {}
        self._newest = 0
        self._there: list[int] = []
        # A number comes a second time where a segment was thrown away: then it has another life.
        self._lives: dict[int, int] = {}
        self._anchors: dict[int, list[tuple[int, int, int]]] = {}
        self._done = b""

    def close(self) -> None:
        """Let go of the files."""
        for segment in self._segments.values():
            segment.file.close()
        self._segments.clear()

    def look(self) -> None:
        """Read on. Raises `FlashError` where something came and went unseen, or is no record.

        Segments stay open: what is deleted between two looks is read all the same.
        """
        # First: what is taken after that counts as held.
        self._done = self._content("done")
        self._there = self._numbers()
        for number in self._there:
            self._open(number)
        self._read_anchors()
        for number in sorted(self._segments):
            self._read_on(self._segments[number])
        self._close_finished()

    def held(self) -> list[TakenPack]:
        """What the node itself has not settled yet, by its `done`."""
        there = {number: self._lives[number] for number in self._there if number in self._lives}
        return [
            pack
            for pack in self.packs
            if there.get(pack.place[1] // _SEGMENT_SIZE) == pack.place[0]
            and not self._is_settled(pack.place[1])
        ]

    def readings(self) -> Iterator[Reading]:
        """Every reading taken; where no time was ever known, at the second of the chip's RTC."""
        for pack in self.packs:
            yield from self._readings_of(pack.payload)

    def dated_ms(self, pack: TakenPack) -> int | None:
        """When the firmware says that it took a pack; `None` where it never knew."""
        head = self._head(pack.payload)
        return head.at_ms if head.is_dated else None

    def _numbers(self) -> list[int]:
        try:
            files = list(self._folder.iterdir())
        except FileNotFoundError:
            return []
        return sorted(int(file.name) for file in files if file.name.isdecimal())

    def _content(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return b""

    def _open(self, number: int) -> None:
        known = self._segments.get(number)
        path = self._folder / f"{number:08d}"
        if known is None and number > self._newest + 1:
            raise FlashError(f"{path}: the segments before it came and went unseen")
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return  # Deleted since: if it was never read, the next number tells.
        if known is not None:
            if os.path.sameopenfile(file.fileno(), known.file.fileno()):
                file.close()
                return
            self._read_on(known)
            known.file.close()
        life = self._lives[number] = self._lives.get(number, -1) + 1
        self._segments[number] = _Segment(number, life, file)
        self._newest = number

    def _read_on(self, segment: _Segment) -> None:
        size = os.fstat(segment.file.fileno()).st_size
        if size < segment.read_to:
            raise FlashError(f"segment {segment.number} was cut to {size} bytes")
        segment.file.seek(0)
        data = segment.file.read()
        if segment.log is None:
            if len(data) < 2 * _HEADER.size:
                return
            segment.log = _log_of(data, segment.number)
            segment.read_to = 2 * _HEADER.size
        while (end := self._record(segment, segment.log, data)) is not None:
            segment.read_to = end
        following = self._segments.get(segment.number + 1)
        if following is not None and following.log == segment.log and segment.read_to < len(data):
            raise FlashError(f"segment {segment.number}: no record at {segment.read_to}")

    def _record(self, segment: _Segment, log: int, data: bytes) -> int | None:
        """Take the record at the end of what was read; where it ends, or `None` for none yet."""
        at = segment.read_to
        if len(data) < at + _RECORD.size:
            return None
        size, seq, crc = _RECORD.unpack_from(data, at)
        end: int = at + _RECORD.size + size
        payload = data[at + _RECORD.size : end]
        head = struct.pack("<IHI", log, size, seq)
        if len(payload) < size or binascii.crc32(payload, binascii.crc32(head)) != crc:
            return None
        place = segment.life, segment.number * _SEGMENT_SIZE + at
        self.packs.append(TakenPack(f"{log:08x}", seq, place, payload))
        return end

    def _close_finished(self) -> None:
        """Let go of segments that are deleted and have a successor: nothing is added to them."""
        gone = [n for n in self._segments if n not in self._there and n + 1 in self._segments]
        for number in gone:
            self._segments.pop(number).file.close()

    def _read_anchors(self) -> None:
        data = self._content("anchors")
        for at in range(0, len(data) - _ANCHOR.size + 1, _ANCHOR.size):
            epoch, rtc_s, unix_s, ms, _, crc = _ANCHOR.unpack_from(data, at)
            if binascii.crc32(data[at : at + _ANCHOR.size - 4]) != crc:
                return
            known = self._anchors.setdefault(epoch, [])
            if (rtc_s, unix_s, ms) not in known:
                known.append((rtc_s, unix_s, ms))

    def _is_settled(self, position: int) -> bool:
        done = self._done
        if len(done) < _DONE.size + 4:
            return False
        _, _, _, _, _, scan, _, split, _, fresh, _, count = _DONE.unpack_from(done)
        if position in struct.unpack_from(f"<{count}I", done, _DONE.size):
            return False
        waits_behind = position >= scan and (not split or position < split)
        return not (waits_behind or (split and position >= fresh))

    def _readings_of(self, payload: bytes) -> Iterator[Reading]:
        head = self._head(payload)
        for number, value, channel, offset_ms in _values(payload, head.begin):
            quantity = _QUANTITIES[number]
            yield Reading(
                quantity.name,
                channel or MAIN_CHANNEL,
                head.at_ms + offset_ms,
                value / 10**quantity.decimals,
            )

    def _head(self, payload: bytes) -> _Head:
        kind, seconds = struct.unpack_from("<BI", payload)
        if kind > _RTC | _MS:
            raise FlashError(f"a pack of kind {kind} lies in the outbox")
        begin, epoch, own_ms = 5, None, 0
        if kind & _RTC:
            (epoch,), begin = struct.unpack_from("<I", payload, begin), begin + 4
        if kind & _MS:
            (own_ms,), begin = struct.unpack_from("<H", payload, begin), begin + 2
        at_ms = seconds * 1000 + own_ms
        if epoch is None:
            return _Head(at_ms, is_dated=True, begin=begin)
        known = sorted(self._anchors.get(epoch, []))
        if not known:
            return _Head(at_ms, is_dated=False, begin=begin)
        # A node on mains dates by the last anchor; before the first it counts back.
        before = [anchor for anchor in known if anchor[0] < seconds]
        at_s, unix_s, anchor_ms = before[-1] if before else known[0]
        since_ms = at_ms - at_s * 1000
        return _Head(unix_s * 1000 + since_ms + anchor_ms, is_dated=True, begin=begin)


def _log_of(data: bytes, number: int) -> int:
    for at in (0, _HEADER.size):
        magic, log, _, crc = _HEADER.unpack_from(data, at)
        if magic == _MAGIC and binascii.crc32(data[at : at + 12]) == crc:
            return int(log)
    raise FlashError(f"segment {number} has no header")


def _values(payload: bytes, at: int) -> Iterator[tuple[int, int, str, int]]:
    """(number of the quantity, value in its smallest step, channel, offset in ms)."""
    while at < len(payload):
        flags = payload[at]
        at += 1
        channel, offset_ms = "", 0
        if flags & _CHANNEL:
            end = at + 1 + payload[at]
            channel, at = payload[at + 1 : end].decode("ascii"), end
        if flags & _OFFSET:
            (offset_ms,), at = struct.unpack_from("<i", payload, at), at + 4
        zigzag = shift = 0
        more = True
        while more:
            zigzag |= (payload[at] & 0x7F) << shift
            more = payload[at] > 0x7F
            at, shift = at + 1, shift + 7
        yield flags & _NUMBER, zigzag >> 1 ^ -(zigzag & 1), channel, offset_ms
