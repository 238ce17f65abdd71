"""Changes of a pin, each with its moment, taken by an interrupt and handed over at the next round.

It must not know what the pin means. The interrupt writes `_head` and `lost`, the reader `_tail`:
neither needs to stop the other.
"""

import array
import time

from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from machine import Pin
    from node_types import Ticks

_SLOTS = const(32)


class Edges:
    """Changes are bounced out if the level is back within `bounce_ms`."""

    def __init__(self, pin: Pin, bounce_ms: int) -> None:
        self._pin = pin
        self._bounce_ms = bounce_ms
        self._ticks_ms: array.array[Any] = array.array("I", (0 for _ in range(_SLOTS)))
        self._levels = bytearray(_SLOTS)
        self._head = self._tail = 0
        self._level = pin.value()
        self.lost = 0
        pin.irq(self._changed, pin.IRQ_RISING | pin.IRQ_FALLING)

    def _changed(self, pin: Pin) -> None:
        head = self._head
        after = (head + 1) % _SLOTS
        if after == self._tail:
            self.lost += 1
            return
        self._ticks_ms[head] = time.ticks_ms()
        self._levels[head] = pin.value()
        self._head = after

    def drain(self) -> list[tuple[int, Ticks]]:
        """[(level, ticks_ms), …] of the changes since, and last the level there is now."""
        end = self._head
        changes: list[tuple[int, Ticks]] = []
        while self._tail != end:
            at = self._tail
            self._take(changes, self._levels[at], self._ticks_ms[at])
            self._tail = (at + 1) % _SLOTS
        now_ms = time.ticks_ms()
        level = self._pin.value()
        if self._head == end:
            # A change that came while all slots were taken: when is not known, that it was is.
            self._take(changes, level, now_ms)
        changes.append((self._level, now_ms))
        return changes

    def offsets(self, changes: list[tuple[int, Ticks]], rtc_s: int) -> list[tuple[int, int]]:
        """The same as [(level, milliseconds from the RTC second `rtc_s`), …], no two of them in
        the same millisecond. What found no slot is noted.
        """
        now_ms = time.ticks_ms()
        since_ms = time.time_ns() // 1_000_000 - rtc_s * 1000
        dated: list[tuple[int, int]] = []
        for level, moment in changes:
            offset_ms = since_ms - time.ticks_diff(now_ms, moment)
            if dated and offset_ms <= dated[-1][1]:
                offset_ms = dated[-1][1] + 1
            dated.append((level, offset_ms))
        if self.lost:
            note("a pin changed too often, not noted:", self.lost)
            self.lost = 0
        return dated

    def _take(self, changes: list[tuple[int, Ticks]], level: int, ticks_ms: Ticks) -> None:
        if level == self._level:
            return
        if changes and time.ticks_diff(ticks_ms, changes[-1][1]) < self._bounce_ms:
            changes.pop()
        else:
            changes.append((level, ticks_ms))
        self._level = level
