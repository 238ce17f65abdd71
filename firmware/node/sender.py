"""Which pack to send next: at most 32 without receipt, repeated until receipted.

What gets no receipt in 60 s is sent again, backing off to an hour; a new session starts again
at once. A pack that was sent 20 times while later ones were receipted is rejected, so that one
pack the gateway can't read never stops the others. It must not know sockets or topics; time is
an argument, in seconds of any clock that does not run backwards.
"""

from array import array

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from outbox import Outbox

_IN_FLIGHT_MAX = const(32)
_WAIT_FIRST_S = const(60)
_WAIT_MAX_S = const(3600)
_SENDS_MAX = const(20)

_SENT = const(1)
_PASSED_OVER = const(2)


class Sender:
    """`encode(payload, log, number)` makes the pack of what the outbox holds, in
    a buffer that is used again for the next.

    What is in flight lies in slots of a few arrays: as objects it would be 5 KiB of heap.
    """

    def __init__(self, outbox: Outbox, encode: Callable[[bytes, int, int], memoryview]) -> None:
        self._outbox = outbox
        self._encode = encode
        self._positions = array("I", [0] * _IN_FLIGHT_MAX)
        self._due_s = array("I", [0] * _IN_FLIGHT_MAX)
        self._sends = bytearray(_IN_FLIGHT_MAX)
        self._states = bytearray(_IN_FLIGHT_MAX)
        self._times_passed_over = bytearray(_IN_FLIGHT_MAX)

    def all_due(self) -> None:
        """Everything without receipt is due now: a new session, or the gateway is back."""
        for slot in range(_IN_FLIGHT_MAX):
            self._due_s[slot] = 0
            self._sends[slot] = 0

    def next(self, now_s: int) -> memoryview | None:
        """The next pack to publish as a buffer, then taken as sent; None when nothing is due."""
        while True:
            slot = self._due(now_s)
            if slot is None:
                return None
            position = self._positions[slot]
            record = self._outbox.read(position)
            if record is None:
                self._positions[slot] = 0
                if position in self._outbox.open:
                    self._outbox.lose(position)
                continue
            pack = self._encode(*record)
            if self._times_passed_over[slot] >= _SENDS_MAX:
                self._positions[slot] = 0
                self._outbox.reject(position, pack)
                continue
            self._due_s[slot] = now_s + min(_WAIT_FIRST_S << self._sends[slot], _WAIT_MAX_S)
            self._sends[slot] = min(self._sends[slot] + 1, 10)
            self._states[slot] = _SENT
            return pack

    def _due(self, now_s: int) -> int | None:
        """The slot of the oldest pack that is due, of a new one where none is; or None."""
        position: int | None
        oldest = free = None
        for slot in range(_IN_FLIGHT_MAX):
            position = self._positions[slot]
            if not position:
                free = slot
            elif self._due_s[slot] <= now_s and (
                oldest is None or position < self._positions[oldest]
            ):
                oldest = slot
        if oldest is not None or free is None:
            return oldest
        position = self._outbox.fetch()
        if position is None:
            return None
        self._positions[free] = position
        self._due_s[free] = self._sends[free] = 0
        self._states[free] = self._times_passed_over[free] = 0
        return free

    def receipt(self, log: str, ranges: list[list[int]]) -> int:
        """Settles what a receipt names (log as in JSON, inclusive ranges); how many that were."""
        wanted = int(log, 16)
        settled = [
            slot
            for slot in range(_IN_FLIGHT_MAX)
            if self._positions[slot] in self._outbox.open
            and self._outbox.log_of(self._positions[slot]) == wanted
            and _within(self._outbox.open[self._positions[slot]], ranges)
        ]
        latest = 0
        for slot in settled:
            latest = max(latest, self._positions[slot])
            self._outbox.settle(self._positions[slot])
            self._positions[slot] = 0
        if settled:
            self._pass_over(latest)
            self._outbox.save()
        return len(settled)

    def _pass_over(self, latest: int) -> None:
        # Once a sending: an outage of the gateway must not count against what it never saw.
        for slot in range(_IN_FLIGHT_MAX):
            if self._states[slot] == _SENT and 0 < self._positions[slot] < latest:
                self._states[slot] = _PASSED_OVER
                self._times_passed_over[slot] += 1


def _within(seq: int, ranges: list[list[int]]) -> bool:
    return any(first <= seq <= last for first, last in ranges)
