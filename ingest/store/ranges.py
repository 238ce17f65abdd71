"""Sets of whole numbers as sorted inclusive ranges: the pack numbers of one log.

Pure: `add` says what changed, for the caller to write down.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """Disjoint inclusive ranges that never touch; numbers arrive mostly in order."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        ordered = sorted(ranges)
        self._firsts = [first for first, _ in ordered]
        self._lasts = [last for _, last in ordered]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._firsts, self._lasts, strict=True))

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def __len__(self) -> int:
        """How many ranges."""
        return len(self._firsts)

    def covers(self, first: int, last: int) -> bool:
        """Whether every number from `first` to `last` is there; true where there is none."""
        at = bisect_right(self._firsts, first) - 1
        return last < first or (at >= 0 and last <= self._lasts[at])

    def count(self) -> int:
        """How many numbers."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def last(self) -> int:
        """The largest number, 0 where there is none."""
        return self._lasts[-1] if self._lasts else 0

    def add(self, number: int) -> tuple[int, int, int | None] | None:
        """Put `number` in; `None` where it was there.

        Else (first, last, swallowed): the range that holds it now, whose `first` replaces an older
        `first` that is `swallowed` when two ranges have met or one has grown downwards.
        """
        at = bisect_right(self._firsts, number) - 1
        if at >= 0 and number <= self._lasts[at]:
            return None
        touches_below = at >= 0 and self._lasts[at] == number - 1
        touches_above = at + 1 < len(self._firsts) and self._firsts[at + 1] == number + 1
        if touches_below and touches_above:
            swallowed = self._firsts.pop(at + 1)
            del self._lasts[at]
            return self._firsts[at], self._lasts[at], swallowed
        if touches_below:
            self._lasts[at] = number
            return self._firsts[at], number, None
        if touches_above:
            swallowed = self._firsts[at + 1]
            self._firsts[at + 1] = number
            return number, self._lasts[at + 1], swallowed
        self._firsts.insert(at + 1, number)
        self._lasts.insert(at + 1, number)
        return number, number, None
