"""Accounts for the pack numbers of every log: received, lost by the node itself, missing.

Pure: from what one or several stores know of logs to a verdict. A number is received when its pack
was stored or dead-lettered; lost when the node has said that it no longer holds it; missing
otherwise, up to the highest number that was received or announced.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingest.store.ranges import Ranges
from ingest.store.reader import LogState

NumberRanges = list[tuple[int, int]]
"""Inclusive ranges, ascending."""
DeadNumbers = Mapping[tuple[str, str], set[int]]
"""Pack numbers by (node, log) that a dead letter stands for."""


@dataclass(frozen=True, slots=True)
class LogAudit:
    """The account of one log. `received` packs are stored, or are `dead_letters`."""

    node: str
    log: str
    received: int
    dead_letters: int
    lost: NumberRanges
    missing: NumberRanges


@dataclass(frozen=True, slots=True)
class Audit:
    """The accounts of all logs, and their sums in packs."""

    logs: list[LogAudit]

    @property
    def received(self) -> int:
        """Packs stored or dead-lettered."""
        return sum(log.received for log in self.logs)

    @property
    def dead_letters(self) -> int:
        """Packs whose dead letter is still there."""
        return sum(log.dead_letters for log in self.logs)

    @property
    def lost(self) -> int:
        """Packs that their nodes let go before they were received, and said so."""
        return sum(size_of(log.lost) for log in self.logs)

    @property
    def missing(self) -> int:
        """Packs that were numbered and that nobody can account for yet."""
        return sum(size_of(log.missing) for log in self.logs)


def size_of(ranges: Iterable[tuple[int, int]]) -> int:
    """How many numbers lie in `ranges`."""
    return sum(last - first + 1 for first, last in ranges)


def audit(logs: Iterable[LogState], dead: DeadNumbers | None = None) -> Audit:
    """The account of `logs`, of one store or of several: a number in two stores counts once."""
    return Audit([_account(log, dead or {}) for log in merged(logs)])


def merged(logs: Iterable[LogState]) -> list[LogState]:
    """What several stores know of each log as one: a node that was moved has numbers in both."""
    known: dict[tuple[str, str], list[LogState]] = {}
    for log in logs:
        known.setdefault((log.node, log.log), []).append(log)
    return [found[0] if len(found) == 1 else _union(found) for found in known.values()]


def _union(logs: list[LogState]) -> LogState:
    return LogState(
        logs[0].node,
        logs[0].log,
        max(log.first_held for log in logs),
        max(log.next_announced for log in logs),
        Ranges(_joined(sorted(one for log in logs for one in log.received))),
    )


def _joined(ranges: Iterable[tuple[int, int]]) -> NumberRanges:
    """Ascending ranges without overlap, touching ones made one."""
    joined: NumberRanges = []
    for first, last in ranges:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _account(log: LogState, dead: DeadNumbers) -> LogAudit:
    return LogAudit(
        node=log.node,
        log=log.log,
        received=log.received.count(),
        dead_letters=len(dead.get((log.node, log.log), ())),
        lost=log.lost(),
        missing=log.missing(),
    )
