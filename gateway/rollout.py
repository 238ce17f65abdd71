"""A rollout as an order: one bundle for some nodes, first a few, then a tenth, then all.

Here is what it consists of, and the file that keeps it through a restart of the service. It holds
no secret. `rollout_desk` carries it out.
"""

import asyncio
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from gateway.atomic_file import write_atomically

FILE_NAME: Final = "rollout.json"
_log = logging.getLogger(__name__)
_One = TypeVar("_One")

NodeState = Literal[
    "waiting",
    "offered",
    "taken",
    "fetching",
    "trial",
    "confirmed",
    "refused",
    "rolled_back",
    "away",
]
"""`waiting`: left as it is; `offered`: until it says that it takes it; `away`: it did not come or
did not come back in time. The others are the node's own words."""
ENDED: Final = frozenset({"confirmed", "refused", "rolled_back", "away"})


class NodeOrder(msgspec.Struct, kw_only=True):
    """One node of a rollout. Its command's id is drawn with the order, so that an offer that is
    repeated after a restart is the same command to the node.
    """

    node: str
    command_id: str
    state: NodeState = "waiting"
    error: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is to come of this node."""
        return self.state in ENDED

    @property
    def problem(self) -> str | None:
        """Why the rollout ends here, in words."""
        if not self.has_ended or self.state == "confirmed":
            return None
        if self.state == "away":
            return f"{self.node}: {self.error}"
        return f"{self.node}: {self.state}, {self.error or 'no reason given'}"


class Order(msgspec.Struct, kw_only=True):
    """A rollout. Times are Unix milliseconds."""

    id: str
    bundle: str
    version: str
    sha256: str
    canary: int
    trial_s: int | None
    """`None`: as fits the node."""
    nodes: list[NodeOrder]
    began_at_ms: int
    state: Literal["running", "done", "failed", "stopped"] = "running"
    """`failed`: it ended by itself; `stopped`: on order."""
    problem: str | None = None
    ended_at_ms: int | None = None

    def steps(self) -> list[list[NodeOrder]]:
        """Its nodes, step by step."""
        return list(steps(self.nodes, self.canary))

    def end(
        self, state: Literal["done", "failed", "stopped"], why: str | None, now_ms: int
    ) -> None:
        """No node gets it from here on."""
        left = sum(one.state == "waiting" for one in self.nodes)
        self.state = state
        self.problem = f"{why}. {left} nodes were left as they are" if why else None
        self.ended_at_ms = now_ms


def steps(nodes: Sequence[_One], canary: int) -> Iterator[list[_One]]:
    """`canary` nodes, then a tenth of all, then the rest."""
    first, tenth = canary, math.ceil(len(nodes) / 10)
    for part in (nodes[:first], nodes[first : first + tenth], nodes[first + tenth :]):
        if part:
            yield list(part)


_decoder: Final = msgspec.json.Decoder(Order)


async def save_order(folder: Path, order: Order) -> None:
    """Put it in the place of the one before, as it is now. Raises `ConfigurationError`."""
    content = msgspec.json.encode(order)
    await asyncio.to_thread(write_atomically, folder / FILE_NAME, content)


def load_order(folder: Path) -> Order | None:
    """The last one, if there was any. One that can't be read is told and goes on nowhere."""
    file = folder / FILE_NAME
    try:
        return _decoder.decode(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("%s can't be read, so no rollout goes on: %s", file, error)
        return None
