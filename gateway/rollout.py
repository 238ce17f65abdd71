"""Rolls a firmware bundle out: one node, then a tenth, then all; stops where a step does not come
back healthy.

It knows the API of the service and nothing of how nodes update: what counts is what they say.
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.firmware.shelf import Offer
from ingest.errors import PreauError, TransientError

_LOOK_S: Final = 0.5
_COMMAND_S: Final = 30.0


class RolloutError(TransientError):
    """A step did not come back healthy: the nodes after it were left as they are."""


class Service(Protocol):
    """What a rollout asks."""

    async def get(self, path: str) -> Any:
        """The JSON of an address."""

    async def post(self, path: str, body: dict[str, Any], timeout_s: float) -> Any:
        """Post JSON; the answer's."""


def steps(nodes: Sequence[str], canary: int) -> Iterator[list[str]]:
    """`canary` nodes, then a tenth of all, then the rest."""
    first, tenth = canary, math.ceil(len(nodes) / 10)
    for part in (nodes[:first], nodes[first : first + tenth], nodes[first + tenth :]):
        if part:
            yield list(part)


@dataclass(frozen=True, slots=True)
class Rollout:
    """One bundle on its way to nodes. `tell` gets a line for each change of a node."""

    service: Service
    offer: Offer
    trial_s: int
    wait_s: float
    """How long a step may take, the trial included."""
    tell: Callable[[str], None]

    async def states(self) -> dict[str, dict[str, Any]]:
        """What every node says of itself, by id."""
        found: dict[str, dict[str, Any]] = {}
        address: str | None = "/api/v1/nodes"
        while address:
            page = await self.service.get(address)
            found |= {node["id"]: node for node in page["nodes"]}
            address = page["next"]
        return found

    async def run(self, nodes: Sequence[str], canary: int) -> None:
        """All steps. Raises `RolloutError` where one fails, and what the service raises."""
        done = 0
        for step in steps(nodes, canary):
            self.tell(f"step: {len(step)} of {len(nodes)} nodes")
            failed = await self._step(step)
            if failed:
                left = len(nodes) - done - len(step)
                raise RolloutError(
                    f"stopped: {'; '.join(failed)}. {left} nodes were left as they are"
                )
            done += len(step)

    async def _step(self, step: Sequence[str]) -> list[str]:
        """Offer it to these nodes and wait for all; what went wrong, in words."""
        failed: list[str] = []
        waiting: list[_Waiting] = []
        for node in step:
            try:
                waiting.append(_Waiting(node, await self._offer_to(node)))
            except PreauError as error:
                failed.append(f"{node}: {error}")
        deadline = asyncio.get_running_loop().time() + self.wait_s
        while waiting and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_LOOK_S)
            states = await self.states()
            for one in waiting:
                one.look(states.get(one.node, {}).get("update") or {}, self.tell)
            failed += [one.problem for one in waiting if one.problem]
            waiting = [one for one in waiting if not one.has_ended]
        return failed + [f"{one.node}: not back within {self.wait_s:g} s" for one in waiting]

    async def _offer_to(self, node: str) -> str:
        """The id of the command, once the node has taken it. Raises `PreauError`."""
        body = {
            "do": "update",
            "bundle": self.offer.name,
            "trial_s": self.trial_s,
            "timeout_s": _COMMAND_S,
        }
        reply = await self.service.post(f"/api/v1/nodes/{node}/commands", body, _COMMAND_S)
        if not reply["ok"]:
            raise RolloutError(f"refused, {reply['error']}")
        return str(reply["id"])


@dataclass(slots=True)
class _Waiting:
    """A node that has taken the command, until it says how it went."""

    node: str
    command_id: str
    state: str | None = None
    problem: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in {"confirmed", "refused", "rolled_back"}

    def look(self, update: dict[str, Any], tell: Callable[[str], None]) -> None:
        # What it says of an earlier update is not meant.
        if update.get("id") != self.command_id or update["state"] == self.state:
            return
        self.state = update["state"]
        tell(f"{self.node}: {self.state}")
        if self.state in {"refused", "rolled_back"}:
            self.problem = f"{self.node}: {self.state}, {update['error'] or 'no reason given'}"
