"""A virtual node's packs until their receipt, and which of them to send next.

It stands for a node's flash: it outlives crashes of the node, and forgets a pack only for a
receipt. The rules are the contract's: at most 32 without receipt, repeats that back off, a pack
that nobody can read set aside. Time is an argument; it knows neither MQTT nor what a pack holds.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

IN_FLIGHT: Final = 32
REJECTED_AFTER: Final = 20
"""How often a pack is sent while later ones are receipted, before it is set aside."""


RECEIPT_WITHIN_S: Final = 5.0
"""A gateway that is there has answered by then."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """How long a pack waits for its receipt before it is sent again: doubled up to a limit."""

    first_s: float = 60.0
    longest_s: float = 3600.0


@dataclass(slots=True)
class _Flight:
    due_s: float
    wait_s: float
    sent_s: float = 0.0
    overtaken: bool = False
    passed_over: int = 0


class Outbox:
    """The packs of one log. `next_seq` is the number that the next pack gets."""

    def __init__(
        self,
        log: str,
        *,
        next_seq: int = 1,
        capacity: int = 100_000,
        repeats: Repeats | None = None,
    ) -> None:
        self.log = log
        self.next_seq = next_seq
        self.receipted = 0
        self.resent = 0
        self.lost = 0
        self.rejected: list[bytes] = []
        self._capacity = capacity
        self._repeats = repeats or Repeats()
        self._packs: dict[int, bytes] = {}
        self._unsent: deque[int] = deque()
        self._flights: dict[int, _Flight] = {}

    def __len__(self) -> int:
        return len(self._packs)

    @property
    def first(self) -> int:
        """The oldest number still held; the next number where none is."""
        return next(iter(self._packs), self.next_seq)

    @property
    def under_way(self) -> int:
        """How many packs were sent and wait for their receipt."""
        return len(self._flights)

    def take(self, encode: Callable[[int, int], bytes]) -> int:
        """Keep a pack made by `encode(number, oldest number held)`, and return its number.

        A full outbox gives up its oldest pack for it, which is counted in `lost`.
        """
        if len(self._packs) >= self._capacity:
            self._forget(self.first)
            self.lost += 1
        seq = self.next_seq
        self._packs[seq] = encode(seq, self.first)
        self._unsent.append(seq)
        self.next_seq += 1
        return seq

    def new_session(self) -> None:
        """Everything without receipt is due at once."""
        for flight in self._flights.values():
            flight.due_s = 0.0
            flight.wait_s = self._repeats.first_s

    def gateway_is_back(self, now_s: float) -> None:
        """What has waited longer than a receipt takes was sent to nobody: it is due now."""
        first_s = self._repeats.first_s
        within_s = min(first_s, RECEIPT_WITHIN_S)
        for flight in self._flights.values():
            flight.wait_s = first_s
            flight.due_s = min(flight.due_s, max(now_s, flight.sent_s + within_s))

    def due(self, now_s: float) -> list[bytes]:
        """The packs to send now, oldest first; they count as sent."""
        packs = []
        for seq in [seq for seq, flight in self._flights.items() if flight.due_s <= now_s]:
            if self._flights[seq].passed_over >= REJECTED_AFTER:
                self.rejected.append(self._packs[seq])
                self._forget(seq)
            else:
                self.resent += 1
                packs.append(self._send(seq, now_s))
        while self._unsent and len(self._flights) < IN_FLIGHT:
            seq = self._unsent.popleft()
            if seq in self._packs:
                self._flights[seq] = _Flight(0.0, self._repeats.first_s)
                packs.append(self._send(seq, now_s))
        return packs

    def next_due_s(self) -> float | None:
        """When something will be due next; `None` where nothing waits for its receipt."""
        return min((flight.due_s for flight in self._flights.values()), default=None)

    def settle(self, log: str, ranges: Iterable[Sequence[int]]) -> int:
        """Forget what a receipt names, inclusive ranges of a log; return how many that were."""
        if log != self.log:
            return 0
        settled = [seq for low, high in ranges for seq in self._flights if low <= seq <= high]
        for seq in settled:
            self._forget(seq)
        self.receipted += len(settled)
        self._pass_over(max(settled, default=0))
        return len(settled)

    def _send(self, seq: int, now_s: float) -> bytes:
        flight = self._flights[seq]
        flight.sent_s = now_s
        flight.due_s = now_s + flight.wait_s
        flight.wait_s = min(2 * flight.wait_s, self._repeats.longest_s)
        flight.overtaken = False
        return self._packs[seq]

    def _pass_over(self, receipted: int) -> None:
        # Once a sending: an outage of the gateway must not count against what it never saw.
        for seq, flight in self._flights.items():
            if seq < receipted and not flight.overtaken:
                flight.overtaken = True
                flight.passed_over += 1

    def _forget(self, seq: int) -> None:
        del self._packs[seq]
        self._flights.pop(seq, None)
