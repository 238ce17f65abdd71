"""Shows the rollout that the service carries out: once, or line by line until it ends."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.local_service import LocalService
from ingest.errors import TransientError

_LOOK_S: Final = 0.5
_GONE_S: Final = 120.0
"""How long a service may be away, to restart, before nobody looks any more."""
_STOP_S: Final = 30.0
_GO_ON: Final = frozenset({"taken", "fetching", "trial"})
_QUIET: Final = frozenset({"waiting", "offered", "taken"})


class RolloutError(TransientError):
    """A step did not come back healthy, or somebody stopped it: the nodes after it were left."""


@dataclass(slots=True)
class RolloutView:
    """What was told already, so that nothing is told twice. `tell` gets a line for each change."""

    service: LocalService
    tell: Callable[[str], None]
    _told: dict[str, str] = field(default_factory=dict)
    _steps: set[int] = field(default_factory=set)

    async def follow(self) -> int:
        """Until it ends; the exit status. Raises `RolloutError` where it did not end well."""
        while True:
            order = await self._order()
            self._tell_changes(order)
            if order["state"] != "running":
                return self._ended(order)
            await asyncio.sleep(_LOOK_S)

    async def show(self) -> int:
        """As it stands. Raises `RolloutError` where it was stopped or has failed."""
        order = await self.service.get("/api/v1/rollout")
        self.tell(f"{order['bundle']} for {len(order['nodes'])} nodes, since {order['began_at']}")
        for one in order["nodes"]:
            if one["state"] != "waiting":
                self.tell(_line(one))
        if order["state"] != "running":
            return self._ended(order)
        counts = Counter(one["state"] for one in order["nodes"])
        self.tell("under way: " + ", ".join(f"{n} {state}" for state, n in counts.items()))
        return 0

    async def _order(self) -> dict[str, Any]:
        """As it stands, also when the service is just being started again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _GONE_S
        was_away = False
        while True:
            try:
                return dict(await self.service.get("/api/v1/rollout"))
            except TransientError as error:
                if loop.time() > until:
                    raise
                if not was_away:
                    was_away = True
                    self.tell(f"waiting for the service, which goes on when it is back: {error}")
                await asyncio.sleep(_LOOK_S)

    def _tell_changes(self, order: dict[str, Any]) -> None:
        nodes = order["nodes"]
        for one in nodes:
            if one["state"] != "waiting" and one["step"] not in self._steps:
                self._steps.add(one["step"])
                size = sum(each["step"] == one["step"] for each in nodes)
                self.tell(f"step: {size} of {len(nodes)} nodes")
            if one["state"] not in _QUIET and self._told.get(one["id"]) != one["state"]:
                self._told[one["id"]] = one["state"]
                self.tell(_line(one))

    async def stop(self) -> int:
        """End it; what it came to. Raises `RolloutError` where it had failed before."""
        order = await self.service.post("/api/v1/rollout/stop", {}, _STOP_S)
        if order["state"] != "stopped":
            return self._ended(order)
        self.tell(order["problem"])
        left = [one["id"] for one in order["nodes"] if one["state"] in _GO_ON]
        if left:
            self.tell(f"these have taken it and go on by themselves: {', '.join(left)}")
        return 0

    def _ended(self, order: dict[str, Any]) -> int:
        if order["state"] != "done":
            raise RolloutError(order["problem"])
        self.tell(f"done: {len(order['nodes'])} nodes run {order['version']}")
        return 0


def _line(one: dict[str, Any]) -> str:
    reason = f", {one['error']}" if one["error"] else ""
    return f"{one['id']}: {one['state']}{reason}"
