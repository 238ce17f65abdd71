"""Accounts for the pack numbers of every log: received, lost by the node itself, missing.

Pure: from what the store knows of logs to a verdict. A number is received when its pack was stored
or dead-lettered; lost when the node has said that it no longer holds it; missing otherwise, up to
the highest number that was received or announced.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ingest.store.reader import LogState

NumberRanges = list[tuple[int, int]]
"""Inclusive ranges, ascending."""


@dataclass(frozen=True, slots=True)
class LogAudit:
    """The account of one log."""

    node: str
    log: str
    received: int
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


def audit(logs: Iterable[LogState]) -> Audit:
    """The account of `logs`."""
    return Audit(
        [
            LogAudit(log.node, log.log, log.received.count(), log.lost(), log.missing())
            for log in logs
        ]
    )
