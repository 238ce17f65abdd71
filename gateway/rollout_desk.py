"""Carries a rollout out: offers the bundle, follows what nodes say, stops where one does badly.

The order is on disk before a node hears of it, and every command's id with it. So after a restart
a node that knows the command answers it again and does nothing twice, and what nodes say of
themselves tells how far they are. It knows no HTTP and no command line.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

from gateway.firmware.offers import Offers
from gateway.node_commands import NoReplyError, Reply
from gateway.nodes import NodeRegistry
from gateway.rollout import NodeOrder, NodeState, Order, load_order, save_order
from gateway.sleep import allowed_s
from ingest.errors import ConfigurationError, PermanentError, PreauError

_log = logging.getLogger(__name__)

_LOOK_S: Final = 0.5
_TRIAL_S: Final = 600
_TRIAL_ASLEEP_S: Final = 30
"""A session of a node on batteries lasts some seconds, and a trial adds them up."""
_OFFER_CYCLES: Final = 2
_CYCLES: Final = 10
"""So often a node that sleeps may come before it counts as not back: to fetch, to restart, and the
sessions of its trial."""
_WEEKS_S: Final = 8 * 7 * 86_400.0
"""Longer than any node sleeps; how long one is waited for is said here, not by the command."""
_SAID: Final = frozenset({"fetching", "trial", "confirmed", "refused", "rolled_back"})


class UnderWayError(PermanentError):
    """One rollout at a time is enough, and this one has not ended."""


class Commands(Protocol):
    """What a rollout has nodes do."""

    async def ask(
        self,
        node: str,
        do: str,
        fields: Mapping[str, Any],
        timeout_s: float,
        command_id: str | None = None,
    ) -> Reply:
        """As `CommandDesk.ask`."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a rollout stands on."""

    folder: Path
    commands: Commands
    nodes: NodeRegistry
    offers: Offers
    is_connected: Callable[[], bool]
    """Whether nodes can be heard."""
    clock_ms: Callable[[], int]
    offer_s: float = 30.0
    """How long a node that is awake has to take it."""
    extra_s: float = 900.0
    """What fetching, checking and restarting may take beside the trial."""


class RolloutDesk:
    """The last rollout, and the task that carries it out."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._order = load_order(ground.folder)
        self._begun = asyncio.Event()
        self._saving = asyncio.Lock()
        self._is_saved = True
        self._is_failing = False
        """Whether a node of this step has done badly: those that sleep are left alone then."""

    @property
    def order(self) -> Order | None:
        """The one under way, or else the last one."""
        return self._order

    async def begin(
        self, bundle: str, nodes: Sequence[str] | None, canary: int, trial_s: int | None
    ) -> Order:
        """Take an order for `nodes`, or for all that are there or asleep; it is on disk then.

        Nodes that run the version already are left out; where none is left it is done at once.
        Raises `UnderWayError`, `ConfigurationError` and `BundleError`.
        """
        async with self._saving:
            if self._order is not None and self._order.state == "running":
                raise UnderWayError(
                    f"a rollout of {self._order.bundle} is under way: preau node update --status"
                )
            offer = self._ground.offers.fields(bundle)
            chosen = self._chosen(nodes, offer["version"])
            order = Order(
                id=secrets.token_hex(6),
                bundle=bundle,
                version=offer["version"],
                sha256=offer["sha256"],
                canary=canary,
                trial_s=trial_s,
                nodes=[NodeOrder(node=node, command_id=secrets.token_hex(6)) for node in chosen],
                began_at_ms=self._ground.clock_ms(),
            )
            if not chosen:
                order.end("done", None, self._ground.clock_ms())
            await save_order(self._ground.folder, order)
            _log.info("rollout %s: %s to %d nodes", order.id, bundle, len(chosen))
            self._order = order
            self._begun.set()
            return order

    async def stop(self) -> Order | None:
        """End the one under way. Nodes that have taken it go on by themselves."""
        order = self._order
        if order is not None and order.state == "running":
            for one in order.nodes:
                self._withdraw(one)
            await self._end(order, "stopped", "stopped on order")
        return order

    async def run_loop(self) -> None:
        """Carry out what is ordered, and what an earlier process left undone, for ever."""
        while True:
            self._begun.clear()
            if self._order is not None and self._order.state == "running":
                await self._carry_out(self._order)
            await self._begun.wait()

    def _chosen(self, nodes: Sequence[str] | None, version: str) -> list[str]:
        known = self._ground.nodes
        if nodes is None:
            # Those that answer at once go first: what is wrong with a version shows sooner.
            there = [said for said in known.all() if self._is_there(said.node)]
            nodes = [said.node for said in sorted(there, key=lambda a: (not a.online, a.node))]
        firmware = {node: said.firmware for node in nodes if (said := known.get(node))}
        return [node for node in dict.fromkeys(nodes) if firmware.get(node) != version]

    def _is_there(self, node: str) -> bool:
        said, sleep = self._ground.nodes.get(node), self._ground.nodes.sleep_of(node)
        if said is not None and said.online:
            return True
        now_s = self._ground.clock_ms() / 1000
        return sleep is not None and sleep.is_on and not sleep.is_overdue(now_s)

    async def _carry_out(self, order: Order) -> None:
        try:
            offer = self._ground.offers.fields(order.bundle)
            if offer["sha256"] != order.sha256:
                raise ConfigurationError(f"{order.bundle} is another one than when this began")
        except PreauError as error:
            await self._end(order, "failed", f"stopped: {error}")
            return
        for step in order.steps():
            await self._step(order, offer, step)
            if order.state != "running":
                return
            failed = [one.problem for one in step if one.problem is not None]
            if failed:
                await self._end(order, "failed", f"stopped: {'; '.join(failed)}")
                return
        await self._end(order, "done", None)

    async def _step(self, order: Order, offer: dict[str, Any], step: Sequence[NodeOrder]) -> None:
        """Have all of these end, well or badly, unless the order ends before."""
        self._is_failing = any(one.problem is not None for one in step)
        left = {
            asyncio.create_task(self._see_through(order, offer, one), name=f"update {one.node}")
            for one in step
            if not one.has_ended
        }
        try:
            while left and order.state == "running":
                done, left = await asyncio.wait(left, timeout=_LOOK_S)
                for task in done:
                    task.result()
                await self._save(order)
        finally:
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _see_through(self, order: Order, offer: dict[str, Any], one: NodeOrder) -> None:
        sleeps = self._ground.nodes.sleep_of(one.node) is not None
        trial_s = order.trial_s or (_TRIAL_ASLEEP_S if sleeps else _TRIAL_S)
        if not self._look(one):
            self._note(one, "offered")
            if not await self._offer(offer | {"trial_s": trial_s}, one):
                return
        patience = _Patience(self._ground, one.node, trial_s + self._ground.extra_s, _CYCLES)
        while not one.has_ended:
            if await patience.is_over():
                self._note(one, "away", f"not back within {patience.spent_s:.0f} s")
                return
            self._look(one)

    async def _offer(self, fields: dict[str, Any], one: NodeOrder) -> bool:
        """Whether the node has taken it: by its reply, or by what it says of itself."""
        asking = asyncio.create_task(
            self._ground.commands.ask(one.node, "update", fields, _WEEKS_S, one.command_id)
        )
        patience = _Patience(self._ground, one.node, self._ground.offer_s, _OFFER_CYCLES)
        try:
            while not asking.done():
                if self._look(one):
                    return True
                if self._is_failing and self._withdraw(one):
                    return False
                if await patience.is_over(asking):
                    self._note(one, "away", f"{self._missing(one)} within {patience.spent_s:.0f} s")
                    return False
            return self._take(asking, one)
        finally:
            asking.cancel()

    def _withdraw(self, one: NodeOrder) -> bool:
        """Take back an offer to a node that sleeps or is away; whether there was one."""
        said = self._ground.nodes.get(one.node)
        if one.state != "offered" or (said is not None and said.online):
            return False
        self._note(one, "waiting")
        return True

    def _missing(self, one: NodeOrder) -> str:
        said = self._ground.nodes.get(one.node)
        if said is not None and said.online:
            return "no reply"
        return "slept, and did not come" if said is not None and said.asleep else "was not online"

    def _take(self, asking: asyncio.Task[Reply], one: NodeOrder) -> bool:
        try:
            reply = asking.result()
        except NoReplyError as error:
            self._note(one, "away", str(error))
            return False
        if reply.ok:
            self._note(one, "taken")
            return True
        state = "rolled_back" if reply.state == "rolled_back" else "refused"
        self._note(one, cast("NodeState", state), reply.error)
        return False

    def _look(self, one: NodeOrder) -> bool:
        """Take over what the node says of this update; whether it says anything of it."""
        said = self._ground.nodes.get(one.node)
        update = said.update if said is not None else None
        # What it says of an earlier update is not meant.
        if update is None or update.id != one.command_id:
            return False
        if update.state in _SAID:
            self._note(one, cast("NodeState", update.state), update.error)
        return True

    def _note(self, one: NodeOrder, state: NodeState, error: str | None = None) -> None:
        if (one.state, one.error) != (state, error):
            one.state, one.error = state, error
            self._is_saved = False
            self._is_failing |= one.problem is not None
            _log.info("%s: %s%s", one.node, state, f", {error}" if error else "")

    async def _end(self, order: Order, state: Any, why: str | None) -> None:
        order.end(state, why, self._ground.clock_ms())
        _log.info("rollout %s: %s%s", order.id, state, f", {order.problem}" if why else "")
        self._is_saved = False
        await self._save(order)

    async def _save(self, order: Order) -> None:
        """Where the disk refuses, it is tried again; a restart would find out from the nodes."""
        async with self._saving:
            if self._is_saved or order is not self._order:
                return
            self._is_saved = True
            try:
                await save_order(self._ground.folder, order)
            except ConfigurationError as error:
                self._is_saved = False
                _log.warning("the state of the rollout is not kept: %s", error)


class _Patience:
    """How long a node is waited for: some seconds, and for one that sleeps some of its cycles.

    Only time in which it could have been heard counts.
    """

    def __init__(self, ground: Ground, node: str, base_s: float, cycles: int) -> None:
        self._ground = ground
        self._node = node
        self._base_s = base_s
        self._cycles = cycles
        self.spent_s = 0.0

    async def is_over(self, unless: asyncio.Task[Any] | None = None) -> bool:
        """Wait a moment, until `unless` is done at most; whether the time is used up."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        if unless is not None:
            await asyncio.wait([unless], timeout=_LOOK_S)
        else:
            await asyncio.sleep(_LOOK_S)
        if self._ground.is_connected():
            self.spent_s += loop.time() - before
        # Looked up each time: that a node sleeps may show only now.
        sleep = self._ground.nodes.sleep_of(self._node)
        is_over = self.spent_s > allowed_s(self._base_s, self._cycles, sleep)
        return is_over and (unless is None or not unless.done())
