"""Gets lines into an InfluxDB whatever it answers: waits, halves, and sets the culprits aside.

When `ship` returns, every point is either accepted or told as refused. It never gives up on a
server that is away.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ingest.backoff import backoff_s
from ingest.forwarder.client import InfluxClient
from ingest.forwarder.errors import InfluxAwayError, InfluxRefusedError, InfluxSetupError
from ingest.forwarder.lines import split_fields, time_of

_log = logging.getLogger(__name__)

_SETUP_PAUSE_S: Final = 10.0
"""An operator takes minutes: no need to ask more often."""
_SLOWEST_S: Final = 60.0


class Refused(NamedTuple):
    """One point, or one field of it, that the server will not take, and its words."""

    line: bytes
    words: str


@dataclass(slots=True)
class ShippingState:
    """What happened so far, for metrics and for the page. `problem` is why it waits."""

    problem: str | None = None
    points: int = 0
    requests: int = 0
    retries: int = 0
    refused: int = 0
    beyond_retention: int = 0
    """Points that the database is set not to keep."""


@dataclass(slots=True)
class Shipping:
    """Ships through `client`. `changed` is called whenever `state.problem` changes."""

    client: InfluxClient
    state: ShippingState = field(default_factory=ShippingState)
    changed: Callable[[], None] = lambda: None
    setup_pause_s: float = _SETUP_PAUSE_S
    first_pause_s: float = 0.5

    async def ship(self, lines: Sequence[bytes]) -> list[Refused]:
        """Have `lines` accepted; those that are not, each with the server's words."""
        waiting, refused = [list(lines)] if lines else [], []
        while waiting:
            part = waiting.pop()
            try:
                await self._until_answered(part)
            except InfluxRefusedError as error:
                if error.is_beyond_retention and error.dropped is not None:
                    # The others of the part are stored; these it is set to forget.
                    self.state.beyond_retention += error.dropped
                elif (parts := _apart(part, error.field)) or (
                    error.dropped != len(part) and (parts := _halves(part))
                ):
                    waiting += parts
                else:
                    refused += [Refused(line, error.words) for line in part]
        self.state.points += len(lines)
        self.state.refused += len(refused)
        return refused

    async def _until_answered(self, part: Sequence[bytes]) -> None:
        body = b"\n".join(part)
        for pause_s in backoff_s(self.first_pause_s, _SLOWEST_S):
            self.state.requests += 1
            try:
                await self.client.write(body)
            except InfluxAwayError as error:
                await self._wait(str(error), max(pause_s, error.retry_after_s))
            except InfluxSetupError as error:
                await self._wait(str(error), max(pause_s, self.setup_pause_s))
            except InfluxRefusedError:
                # An answer is an answer: the server is there.
                self._note(None)
                raise
            else:
                self._note(None)
                return

    async def _wait(self, problem: str, pause_s: float) -> None:
        self.state.retries += 1
        if self.state.problem is None:
            _log.warning("%s; trying again, nothing is lost meanwhile", problem)
        self._note(problem)
        await asyncio.sleep(pause_s)

    def _note(self, problem: str | None) -> None:
        if problem != self.state.problem:
            self.state.problem = problem
            self.changed()


def _apart(part: Sequence[bytes], conflicting: str | None) -> list[list[bytes]]:
    """A field that the server names, and the rest of each point, which is good."""
    if conflicting is None:
        return []
    quantity = conflicting.removesuffix("_quality")
    pairs = [(name, line) for whole in part for name, line in split_fields(whole)]
    culprits = [line for name, line in pairs if name == quantity]
    others = [line for name, line in pairs if name != quantity]
    return [culprits, others] if culprits and others else []


def _halves(part: Sequence[bytes]) -> list[list[bytes]]:
    """Two smaller parts; of a single point its fields; none where it is one field already."""
    if len(part) > 1:
        # By time: what a database is set to forget, and what lies in one shard, stays together.
        ordered = sorted(part, key=time_of)
        middle = len(ordered) // 2
        return [ordered[middle:], ordered[:middle]]
    fields = [line for _, line in split_fields(part[0])]
    return [[line] for line in fields] if len(fields) > 1 else []
