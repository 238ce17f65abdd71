"""Plays a scenario: moves its clock, lets nodes measure, lets faults befall it.

The clock moves on only when every pack that is due has its receipt, so whatever is measured under a
fault is the same each time. At a given speed it moves with the time of day instead, and where nodes
run the real firmware it goes by itself.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from gateway.mqtt.address import BrokerAddress
from ingest.errors import TransientError
from ingest.estate.fields import to_ms
from simulators.node import VirtualNode
from simulators.scenario.boards import FirmwareNode, Node
from simulators.scenario.cast import Cast
from simulators.scenario.clock import ScenarioClock
from simulators.scenario.hostile import hostile_messages, publish_all
from simulators.scenario.model import HostilePayloads, NodesFault, Overview
from simulators.scenario.occurrences import Occurrence, occurrences
from simulators.scenario.script import Entry, Scenario
from simulators.scenario.weight import UNKNOWN, Weight

_LOOK_S: Final = 0.004
AT_ONCE: Final = 64
"""So many battery nodes are awake together."""
_PACED_TICK_S: Final = 0.25
_MEMORY_EVERY: Final = 20
_SERVERS: Final = {
    "broker_down": "broker",
    "gateway_killed": "gateway",
    "influxdb_down": "influxdb",
}

Told = Callable[[int], None]
"""Is told the time that the scenario has come to."""


class Surroundings(Protocol):
    """The servers of a scenario, as far as the play has to do with them."""

    @property
    def address(self) -> BrokerAddress:
        """Where nodes connect to."""
        ...

    def check(self) -> None:
        """Raises `TransientError` where the gateway has ended by itself."""
        ...

    def weight(self) -> Weight:
        """The gateway's memory; none where that can't be told."""
        ...

    async def take_away(self, server: str) -> None:
        """End a server without a warning."""
        ...

    async def bring_back(self, server: str, *, until_well: bool) -> None:
        """Start it again."""
        ...

    async def ask(self, path: str, **query: str) -> Any:
        """What the gateway's API answers. Raises `TransientError`."""
        ...


class StuckError(TransientError):
    """Nothing moves any more: packs wait for receipts that don't come."""


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where the clock stops for something to happen."""

    at_ms: int
    order: int
    act: Callable[[], Awaitable[None]]


@dataclass
class Player:
    """One run of a scenario. `overviews` and `weight` are what it saw on the way."""

    scenario: Scenario
    cast: Cast
    nodes: Sequence[Node]
    clock: ScenarioClock
    servers: Surroundings
    told: Told = lambda _at_ms: None
    overviews: dict[int, dict[str, Any]] = field(default_factory=dict)
    weight: Weight = UNKNOWN
    _down: Counter[str] = field(default_factory=Counter)
    """By server, and by node for its power: how many of its faults hold at the moment."""
    _turns: int = 0
    _next_stop_ms: int = 0

    async def run(self) -> None:
        """From begin to end, all put right again afterwards. Raises `TransientError`."""
        async with self.powered():
            await self._play()

    @asynccontextmanager
    async def powered(self) -> AsyncIterator[None]:
        """All nodes are on inside the block."""
        async with AsyncExitStack() as stack:
            if self.boards:
                await stack.enter_async_context(self.clock.going())
            for node in self.nodes:
                if not self._is_battery:
                    node.start()
            try:
                yield
            finally:
                await asyncio.gather(*(node.stop() for node in self.nodes))

    @property
    def boards(self) -> list[FirmwareNode]:
        """The nodes that run the real firmware."""
        return [node for node in self.nodes if isinstance(node, FirmwareNode)]

    @property
    def virtual(self) -> list[VirtualNode]:
        """The others."""
        return [node for node in self.nodes if isinstance(node, VirtualNode)]

    async def go_to(self, at_ms: int) -> None:
        """Move the clock to a time of the scenario, everything being measured on the way.

        At full speed all that can have its receipt has it then. Raises `TransientError`.
        """
        head = self.scenario.head
        if head.speed != "full":
            await self._pace_to(at_ms, float(head.speed))
            return
        while (now_ms := self.clock.now_ms()) < at_ms:
            await self._turn(min(at_ms, now_ms + head.stride_s * 1000))
            await self.until_settled()

    @property
    def _is_battery(self) -> bool:
        return self.scenario.head.power == "battery"

    async def _play(self) -> None:
        stops = sorted(
            [*self._fault_stops(), *self._overview_stops()], key=lambda one: (one.at_ms, one.order)
        )
        for stop in stops:
            later = (one.at_ms for one in stops if one.at_ms > stop.at_ms)
            self._next_stop_ms = min(later, default=self.scenario.end_ms)
            await self.go_to(min(stop.at_ms, self.scenario.end_ms))
            await stop.act()
            if not self.clock.is_going:
                await self.until_settled()
        await self.go_to(self.scenario.end_ms)
        await self.until_settled()
        patience_s = self.scenario.head.patience_s
        await asyncio.gather(
            *(node.hand_over(patience_s, self.servers.check) for node in self.boards)
        )

    def _fault_stops(self) -> list[_Stop]:
        stops = []
        for one in occurrences(self.scenario):
            pair = self._acts(one)
            if pair is not None:
                begin, end = pair
                stops.append(_Stop(max(one.since_ms, self.scenario.begin_ms), 1, begin))
                # At the same instant what ends is over first, but not before it has begun.
                stops.append(_Stop(one.until_ms, 0 if one.until_ms > one.since_ms else 2, end))
        return stops

    def _overview_stops(self) -> list[_Stop]:
        return [
            _Stop(
                self.scenario.end_ms if entry.table.at is None else to_ms(entry.table.at),
                3,
                lambda entry=entry: self._look(entry),  # type: ignore[misc]
            )
            for entry in self.scenario.expectations
            if isinstance(entry.table, Overview)
        ]

    def _acts(
        self, one: Occurrence
    ) -> tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]] | None:
        # At the speed of life nobody moves the clock into the middle of some work.
        at_work = one.since_ms == one.until_ms and self.scenario.head.speed == "full"
        if isinstance(one.fault, NodesFault):
            nodes = self._nodes_in(one.fault.rooms)
            if one.fault.what == "link_cut":
                return lambda: self._cut(nodes), lambda: self._mend(nodes)
            return lambda: self._power_off(nodes, at_work=at_work), lambda: self._power_on(nodes)
        if isinstance(one.fault, HostilePayloads):
            count = one.fault.count
            return lambda: self._attack(count, one.since_ms), _nothing
        server = _SERVERS.get(one.fault.what)
        if server is None:
            return None
        if server != "influxdb" and at_work:
            return lambda: self._begin_at_work(server), lambda: self.bring_back(server)
        return lambda: self.take_away(server), lambda: self.bring_back(server)

    def _nodes_in(self, rooms: Sequence[str]) -> list[Node]:
        return [
            node
            for node, stand in zip(self.nodes, self.cast.stands, strict=True)
            if not rooms or stand.ref in rooms
        ]

    async def _pace_to(self, at_ms: int, speed: float) -> None:
        loop = asyncio.get_running_loop()
        begun_s, begun_ms = loop.time(), self.clock.now_ms()
        while self.clock.now_ms() < at_ms:
            await asyncio.sleep(_PACED_TICK_S)
            self.servers.check()
            passed_ms = round((loop.time() - begun_s) * 1000 * speed)
            await self._turn(min(at_ms, begun_ms + passed_ms))
        if self.clock.is_going:
            # It may have got there while something else was waited for.
            await self._turn(at_ms)

    async def _turn(self, until_ms: int) -> None:
        """Move the clock, and let everything be measured that is due by then."""
        self.clock.move_to(until_ms)
        for number, node in enumerate(self.nodes):
            node.measure_until(until_ms)
            if number % AT_ONCE == AT_ONCE - 1:
                # With thousands of nodes connections have to be served meanwhile.
                await asyncio.sleep(0)
        if self._is_battery:
            await self._wake_all()
        self.told(until_ms)
        self._turns += 1
        if self._turns % _MEMORY_EVERY == 0:
            self.weigh()

    def weigh(self) -> None:
        """Note how much memory the gateway takes, if that can be told."""
        weight = self.servers.weight()
        if weight.kib > 0:
            self.weight = Weight(max(self.weight.kib, weight.kib), weight.is_peak)

    async def _wake_all(self) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(node: VirtualNode) -> None:
            async with room:
                await node.wake()

        await asyncio.gather(*(one(node) for node in self.virtual if node.held))

    async def until_settled(self) -> None:
        """Return once all that can have a receipt has it, but for boards. Raises `StuckError`."""
        loop = asyncio.get_running_loop()
        held, since_s = -1, loop.time()
        while (now_held := self._held()) > 0:
            self.servers.check()
            if now_held != held:
                held, since_s = now_held, loop.time()
            elif loop.time() - since_s > self.scenario.head.patience_s:
                raise StuckError(self._stuck(now_held))
            if self._is_battery:
                await self._wake_all()
            await asyncio.sleep(_LOOK_S)

    def _held(self) -> int:
        if self._down["broker"] or self._down["gateway"]:
            return 0
        return sum(node.held for node in self.virtual if node.is_linked and node.has_power)

    def _stuck(self, held: int) -> str:
        node = next(node for node in self.virtual if node.held)
        patience_s = self.scenario.head.patience_s
        return (
            f"{held} packs have no receipt after {patience_s:g} s, "
            f"{node.held} of them of node {node.node} ({node.last_error or 'connected'})"
        )

    async def _cut(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            node.cut_link()

    async def _mend(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            node.mend_link()

    async def _power_off(self, nodes: Sequence[Node], *, at_work: bool) -> None:
        """Cut the power of nodes, unless another fault has done so already.

        `at_work` for one that comes back at once: then they have packs under way.
        """
        if at_work:
            await self._turn_on()
            while self._held() and not any(node.outbox.under_way for node in self.virtual):
                self.servers.check()
                await asyncio.sleep(0)
        for node in nodes:
            self._down[node.node] += 1
        await asyncio.gather(*(node.crash() for node in nodes if self._down[node.node] == 1))

    async def _power_on(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            self._down[node.node] -= 1
            if self._down[node.node] == 0:
                node.start()

    async def take_away(self, server: str) -> None:
        """Take a server away, unless another fault has done so already."""
        self._down[server] += 1
        if self._down[server] == 1:
            self.weigh()
            await self.servers.take_away(server)

    async def bring_back(self, server: str) -> None:
        """Bring it back once the last of its faults is over."""
        self._down[server] -= 1
        if self._down[server] == 0:
            await self.servers.bring_back(server, until_well=not self._down["broker"])

    async def _begin_at_work(self, server: str) -> None:
        """Take a server away in the middle of its work, packs being under way.

        Only for one that comes back at once: how far each pack has come is chance, and what nodes
        would take meanwhile tells the oldest that they hold.
        """
        before = sum(node.receipted for node in self.virtual)
        await self._turn_on()
        while self._held() and not self._is_at_work(server, before):
            self.servers.check()
            await asyncio.sleep(0)
        await self.take_away(server)

    async def _turn_on(self) -> None:
        """Move the clock by a stride, but not over what happens next."""
        now_ms = self.clock.now_ms()
        until_ms = now_ms + self.scenario.head.stride_s * 1000
        until_ms = min(until_ms, self._next_stop_ms, self.scenario.end_ms)
        await self._turn(max(now_ms, until_ms))

    def _is_at_work(self, server: str, receipted: int) -> bool:
        """The broker has some packs; the gateway has given some receipts too."""
        if server == "broker":
            return any(node.outbox.under_way for node in self.virtual)
        return sum(node.receipted for node in self.virtual) > receipted

    async def _attack(self, count: int, since_ms: int) -> None:
        """Publish as an unknown client, and go on when the broker has it all."""
        names = [node.node for node in self.nodes]
        seed = f"{self.scenario.seed}/{since_ms}"
        messages = hostile_messages(names, count, seed, self.clock.now_ms() // 1000)
        await asyncio.to_thread(publish_all, self.servers.address, list(messages))

    async def _look(self, entry: Entry[Any]) -> None:
        """Ask what the overview says now."""
        answer = await self.servers.ask("/api/v1/rooms", limit="10000")
        for room in answer["rooms"]:
            if room["ref"] == entry.table.room:
                self.overviews[entry.index] = room


async def _nothing() -> None:
    """For a fault that is over at once."""
