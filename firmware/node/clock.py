"""What time it is, if the node knows, and how a reading taken before that gets its time.

The chip's RTC counts on from power-on, through sleep and resets; the clock holds what to add to
it. Each power-on is an *epoch* with a random number kept in RTC memory. An *anchor* (epoch, RTC
seconds, Unix seconds) is written to flash before the first pack that waited for it can be sent, and
never changes: a pack sent again keeps its time. It must not know topics, sockets or the outbox's
records; nothing in it ever guesses a time.

A node that sleeps has an RTC that is off by percents, so it dates by two anchors, the one before a
reading and the one after it. A node on mains dates by one: its crystal is off by seconds a week.
"""

import binascii
import struct
import time

import pack
import seldom
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from node_types import AnyOutbox, Entry, Memory

# Magic, epoch, base, RTC seconds last seen, offset (0: time unknown), RTC seconds of the last
# synchronisation, latest time given to a reading, how many got milliseconds; then CRC-32.
_MEMORY = const("<4s7I")
_MAGIC = const(b"PRC2")
MEMORY_SIZE = const(36)
# Epoch, RTC seconds, Unix seconds, milliseconds, newest outbox segment then; then CRC-32.
ANCHOR = const("<IIIHI")
_ANCHOR_SIZE = const(22)

# Nothing sleeps or resets for a day. A larger step means that someone set the RTC (editors do).
_STEP_MAX_S = const(86_400)
_ANSWER_MAX_MS = const(10_000)


def seal(data: bytes) -> bytes:
    return data + struct.pack("<I", binascii.crc32(data))


def unseal(data: bytes) -> bytes | None:
    """The data without its CRC, or None if that is wrong."""
    if len(data) < 5 or seal(data[:-4]) != data:
        return None
    return data[:-4]


def is_drift(rtc_s: int, unix_s: int) -> bool:
    """Whether an RTC may be off by so much: its oscillator by 5 to 7 % at most, where a clock that
    was set jumps.
    """
    return abs(unix_s - rtc_s) <= rtc_s // 8 + 2


class Anchors:
    """The file of anchors; `outbox` gives `oldest` and `newest`, the numbers of its segments."""

    def __init__(self, path: str, outbox: AnyOutbox) -> None:
        self.path = path
        self.outbox = outbox

    def entries(self) -> Iterator[Entry]:
        try:
            with open(self.path, "rb") as file:
                while True:
                    entry = unseal(file.read(_ANCHOR_SIZE))
                    if entry is None:
                        return
                    yield struct.unpack(ANCHOR, entry)
        except OSError:
            return

    def get(self, epoch: int, rtc_s: int) -> tuple[int, int] | None:
        """(Unix seconds, milliseconds) of that moment, or None."""
        before = None
        for known, at_s, unix_s, ms, _ in self.entries():
            if known != epoch:
                continue
            if rtc_s > at_s:
                before = at_s, unix_s, ms
                continue
            if not before:
                return unix_s - (at_s - rtc_s), ms
            passed_s, true_s = at_s - before[0], unix_s - before[1]
            since_s = rtc_s - before[0]
            if is_drift(passed_s, true_s):
                return before[1] + since_s * true_s // passed_s, before[2]
            break  # The clock was set in between: until then the one before holds.
        return (before[1] + rtc_s - before[0], before[2]) if before else None

    def add(self, epoch: int, rtc_s: int, unix_s: int, ms: int) -> None:
        """Writes an anchor durably, and drops those whose packs have all left the outbox."""
        seldom.run("known_time", "add_anchor", self, (epoch, rtc_s, unix_s, ms, self.outbox.newest))


class Clock:
    """`memory` is `RTC().memory`, `random_u32()` draws epochs, `begin()` is called at the start of
    one and gives what the RTC shows then. `sleeps`: the RTC is slept on.
    """

    def __init__(
        self,
        memory: Memory,
        anchors: Anchors,
        random_u32: Callable[[], int],
        begin: Callable[[], tuple[int, int]] | None = None,
        sleeps: bool = False,
    ) -> None:
        self._memory = memory
        self._random_u32 = random_u32
        self._anchors = anchors
        self._begin = begin
        self._sleeps = sleeps
        self._base = self._offset = self._synced_s = self._latest_s = self._twice = 0
        self._last_s = 0
        # The RTC second up to which readings may have been taken.
        self._stamped_s = -1
        self._hello: str | None = None
        self._presence_ms = time.ticks_ms()
        self._fixed = False
        self.drift_ppm: int | None = None
        self.epoch = 0
        self._restore()

    def _restore(self) -> None:
        data = unseal(bytes(self._memory()[:MEMORY_SIZE]))
        if data and data[:4] == _MAGIC:
            (
                _,
                self.epoch,
                self._base,
                self._last_s,
                self._offset,
                self._synced_s,
                self._latest_s,
                self._twice,
            ) = struct.unpack(_MEMORY, data)
            self._stamped_s = self._last_s
        self._tick()

    def _tick(self) -> int:
        """RTC seconds; a new epoch begins if they can't be this power-on's."""
        rtc_s = int(time.time()) - self._base
        if not self.epoch or not 0 <= rtc_s - self._last_s < _STEP_MAX_S:
            self.epoch = self._random_u32() or 1
            self._offset = self._synced_s = 0
            self._base = 0
            self._stamped_s = -1
            if self._begin:
                self._base, self._latest_s = self._begin()
                # Random: two power-ons must hardly ever give one second the same milliseconds.
                self._twice = self.epoch % 999
            rtc_s = int(time.time()) - self._base
        self._last_s = rtc_s
        self._save()
        return rtc_s

    def _save(self) -> None:
        data = struct.pack(
            _MEMORY,
            _MAGIC,
            self.epoch,
            self._base,
            self._last_s,
            self._offset,
            self._synced_s,
            self._latest_s,
            self._twice,
        )
        self._memory(seal(data) + bytes(self._memory()[MEMORY_SIZE:]))

    @property
    def known(self) -> bool:
        return self._offset != 0

    @property
    def ready(self) -> bool:
        """Whether the times of what was taken are fixed: it may be sent."""
        return self._fixed if self._sleeps else self.known

    def now(self) -> int | None:
        """Unix seconds, or None."""
        rtc_s = self._tick()
        return rtc_s + self._offset if self._offset else None

    def stamp(self) -> bytes:
        """The head of a pack taken now; no two are alike, whatever happened to the clock."""
        rtc_s = self._tick()
        known = self._offset and not self._sleeps
        at_s = rtc_s + self._offset if known else rtc_s
        if known and at_s > self._latest_s:
            self._latest_s = at_s
            self._save()
            return pack.encode_head(at_s)
        if known:
            # It was set back, or this second has its reading: that one keeps the second.
            return pack.encode_head(at_s, self._next_ms())
        ms = self._next_ms() if rtc_s <= self._stamped_s else 0
        self._stamped_s = rtc_s
        return pack.encode_head(rtc_s, ms, self.epoch)

    def _next_ms(self) -> int:
        self._twice = self._twice % 999 + 1
        self._save()
        return self._twice

    def anchor(self, epoch: int, rtc_s: int) -> tuple[int, int] | None:
        """(Unix seconds, milliseconds) of RTC second `rtc_s` of `epoch`; None if that never knew
        the time.
        """
        time_of = self._anchors.get(epoch, rtc_s)
        if time_of is None and epoch == self.epoch and self._offset:
            # The file was lost; while this power-on lasts, RTC memory still knows.
            self._anchors.add(epoch, self._synced_s, self._synced_s + self._offset, 0)
            time_of = rtc_s + self._offset, 0
        return time_of

    def presence_sent(self, hello: str) -> None:
        """A presence with this `hello` is being sent: its answer may carry the time."""
        self._hello = hello
        self._presence_ms = time.ticks_ms()

    def answer(self, hello: object, now: object) -> bool:
        """Takes `now` of a receipt if it answers the presence just sent; says whether it did."""
        if hello != self._hello or self._hello is None:
            return False
        if time.ticks_diff(time.ticks_ms(), self._presence_ms) > _ANSWER_MAX_MS:
            return False
        return self.set(now)

    def set(self, unix_s: object) -> bool:
        """Takes the time from a source that is trusted with it; refuses what is no time."""
        return seldom.run("known_time", "set_clock", self, unix_s)
