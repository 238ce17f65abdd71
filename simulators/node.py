"""A virtual node: it measures a simulated room and speaks contract v1 over real MQTT.

It keeps every pack until its receipt, through crashes of its own, of the broker and of the
gateway. Its clock is given to it and taken to be right: a node that has to ask for the time is
played by the real firmware on the virtual board. It knows no gateway.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Final

import numpy as np

from gateway.mqtt.address import BrokerAddress
from ingest.backoff import backoff_s
from ingest.readings import Reading
from ingest.senml import encode_pack
from simulators.faults import Fault, WrongClock
from simulators.mqtt import BrokerAwayError
from simulators.outbox import Outbox
from simulators.room import RoomSource
from simulators.seeds import Integers
from simulators.sensors import USUAL, Sensors
from simulators.session import NodeSession, NodeState, Pace
from simulators.shared import SharedSession

logger = logging.getLogger(__name__)

INTERVAL_S: Final = 300

# How often a node looks whether its interval was changed.
_LOOK_S: Final = 1.0
_STEADY_S: Final = 10.0


class VirtualNode:
    """One node. Its log, its outbox and its settings survive `crash()`, as flash would.

    It measures at every `interval_s` of Unix time, shifted by a phase of its own so that the
    nodes of a town do not all measure at once. `taken` counts packs; `readings` holds every
    reading taken where `keep_readings` asks for it. `faults` are those of its chips, its battery
    and its clock.

    Where `measures_from_ms` is given it measures only when `measure_until` tells it to, from then
    on, and says that it was `shift_ms` later: a winter may be played now. With `shared` it has no
    session of its own, and so no will. A battery node is never
    started: it lives when `wake` is called.
    """

    def __init__(
        self,
        node: str,
        room: RoomSource,
        broker: BrokerAddress,
        *,
        log: str | None = None,
        next_seq: int = 1,
        interval_s: float = INTERVAL_S,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.time,
        keep_readings: bool = False,
        faults: Sequence[Fault] = (),
        chips: Sequence[str] = USUAL,
        seed: int | str = 0,
        measures_from_ms: int | None = None,
        shift_ms: int = 0,
        shared: SharedSession | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self.node = node
        self.state = NodeState(node, interval_s)
        self.outbox = Outbox(
            log or secrets.token_hex(4),
            next_seq=next_seq,
            repeats=self._pace.repeats,
        )
        self.taken = 0
        self.sessions = 0
        self.last_error = ""
        self.readings: list[Reading] | None = [] if keep_readings else None
        self._digest = blake2b(digest_size=8)
        self._taken_at = array("q")
        self._measured_ms = measures_from_ms
        self._shift_ms = shift_ms
        self._linked = asyncio.Event()
        self._linked.set()
        self._sensors = Sensors(node, room, chips=chips, faults=faults, seed=seed)
        self._clock_faults = [
            fault for fault in faults if isinstance(fault, WrongClock) and fault.node == node
        ]
        self._broker = broker
        self._shared = shared
        self._clock = clock
        self._wake = asyncio.Event()
        self._session: NodeSession | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def log(self) -> str:
        """The log that its packs are numbered in."""
        return self.outbox.log

    @property
    def next_seq(self) -> int:
        """The number that its next pack gets."""
        return self.outbox.next_seq

    @property
    def held(self) -> int:
        """How many packs wait for their receipt."""
        return len(self.outbox)

    @property
    def receipted(self) -> int:
        """How many packs were receipted."""
        return self.outbox.receipted

    @property
    def resent(self) -> int:
        """How many times a pack was sent again."""
        return self.outbox.resent

    @property
    def numbered(self) -> dict[str, list[tuple[int, int]]]:
        """The numbers of the packs that it has taken, by log, as inclusive ranges."""
        first = self.next_seq - self.taken
        return {self.log: [(first, self.next_seq - 1)]} if self.taken else {}

    @property
    def settled(self) -> dict[str, list[tuple[int, int]]]:
        """The same of those whose receipt it has; which these are it counts only."""
        return {self.log: [(1, self.receipted)]} if self.receipted else {}

    @property
    def connected(self) -> bool:
        """Whether it is in a session with the broker."""
        return self._session is not None and self._session.connected

    @property
    def digest(self) -> str:
        """Stands for every byte of every pack that it has taken."""
        return self._digest.hexdigest()

    async def run(self) -> None:
        """Be powered until cancelled, which ends with a goodbye to the broker."""
        self.state.boots += 1
        if self._measured_ms is not None:
            await self._link_loop()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._measure_loop(), name=f"{self.node} measures")
            tasks.create_task(self._link_loop(), name=f"{self.node} link")

    async def wake(self) -> None:
        """A battery node's turn: connect, hand over what is held, sleep until the next one."""
        if not self.is_linked:
            return
        self.state.boots += 1
        self.state.reset = "deep_sleep"
        wakes_s = self._clock() + self.state.interval_s
        self._session = self._new_session(next_wake_s=int(wakes_s))
        self.sessions += 1
        try:
            await self._session.run()
        except BrokerAwayError as error:
            self._note(str(error))

    def start(self) -> None:
        """Power on in a task of its own, for whoever will cut the power or switch it off."""
        if self._task is not None:
            raise RuntimeError(f"node {self.node} is already on")
        self.state.cut_off = False
        self._task = asyncio.create_task(self.run(), name=f"node {self.node}")

    async def crash(self) -> None:
        """Cut the power: no goodbye, the broker publishes the will."""
        self.state.cut_off = True
        self.state.reset = "power_on"
        await self.stop()

    async def stop(self) -> None:
        """Switch off with a goodbye; raises what the node died of if it did not run any more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def has_power(self) -> bool:
        """Whether nobody has cut its power."""
        return not self.state.cut_off

    @property
    def is_linked(self) -> bool:
        """Whether it has a network."""
        return self._linked.is_set()

    def cut_link(self) -> None:
        """Take its network away, in the middle of whatever it was saying."""
        self._linked.clear()
        if self._session is not None:
            self._session.abort()

    def mend_link(self) -> None:
        """Give its network back."""
        self._linked.set()

    def measure(self, measured_at_ms: int) -> int:
        """Take one pack of this instant into the outbox, and return its number."""
        (readings,) = self._read([measured_at_ms])
        return self._take(measured_at_ms, readings)

    def measure_until(self, until_ms: int) -> int:
        """Take all packs that are due up to then, and return how many.

        Only for a node that was made with `measures_from_ms`; until when it has measured it
        remembers. Without power it takes none.
        """
        if self._measured_ms is None:
            raise RuntimeError(f"node {self.node} measures by its own clock")
        due = self.due_between(self._measured_ms, until_ms)
        self._measured_ms = max(self._measured_ms, until_ms)
        if not self.has_power:
            return 0
        if due:
            for at_ms, readings in zip(due, self._read(due), strict=True):
                self._take(at_ms, readings)
        return len(due)

    def due_between(self, after_ms: int, until_ms: int) -> Sequence[int]:
        """The times at which it measures in a period, its begin left out and its end included."""
        first_ms = next_measurement_ms(self.node, self.state.interval_s, after_ms)
        return range(first_ms, until_ms + 1, round(self.state.interval_s * 1000))

    def sensed(self, at_ms: Integers) -> list[list[Reading]]:
        """What its chips say at rising instants, by the right clock."""
        return self._sensors.read_many(at_ms)

    def all_readings(self) -> Iterator[Reading]:
        """Every reading that it has ever taken, measured once more: chips say the same again."""
        for readings in self._read(self._taken_at):
            yield from readings

    def _read(self, at_ms: Iterable[int]) -> list[list[Reading]]:
        instants = np.array(list(at_ms), np.int64)
        read = self.sensed(instants)
        if not self._clock_faults and not self._shift_ms:
            return read
        return [
            [r._replace(measured_at_ms=r.measured_at_ms + ahead_ms) for r in readings]
            for readings, ahead_ms in zip(read, map(self._ahead_ms, instants.tolist()), strict=True)
        ]

    def _ahead_ms(self, at_ms: int) -> int:
        wrong = (fault.ahead_s * 1000 for fault in self._clock_faults if fault.holds(at_ms))
        return self._shift_ms + sum(wrong)

    def _take(self, at_ms: int, readings: list[Reading]) -> int:
        def encode(seq: int, first: int) -> bytes:
            pack = encode_pack(self.node, readings, log=self.log, seq=seq, first=first)
            self._digest.update(pack)
            return pack

        seq = self.outbox.take(encode)
        self.taken += 1
        self._taken_at.append(at_ms)
        if self.readings is not None:
            self.readings.extend(readings)
        self._wake.set()
        return seq

    async def _measure_loop(self) -> None:
        last_ms = int(self._clock() * 1000)
        while True:
            due_ms = next_measurement_ms(self.node, self.state.interval_s, last_ms)
            left_s = due_ms / 1000 - self._clock()
            if left_s > 0:
                await asyncio.sleep(min(left_s, _LOOK_S))
                continue
            self.measure(due_ms)
            last_ms = max(due_ms, int((self._clock() - self.state.interval_s) * 1000))

    async def _link_loop(self) -> None:
        waits_s = self._waits_s()
        loop = asyncio.get_running_loop()
        while True:
            await self._linked.wait()
            begun_at_s = loop.time()
            session = self._session = self._new_session()
            self.sessions += 1
            try:
                await session.run()
            except BrokerAwayError as error:
                self._note(str(error))
            if session.is_restart_wanted:
                self.state.boots += 1
                self.state.reset = "soft"
                continue
            if loop.time() - begun_at_s > _STEADY_S:
                waits_s = self._waits_s()
            await asyncio.sleep(next(waits_s))

    def _new_session(self, next_wake_s: int | None = None) -> NodeSession:
        return NodeSession(
            self.state,
            self.outbox,
            self._broker,
            wake=self._wake,
            pace=self._pace,
            clock=self._clock,
            next_wake_s=next_wake_s,
            shared=self._shared,
        )

    def _note(self, error: str) -> None:
        if error != self.last_error:
            logger.info("node %s: %s", self.node, error)
        self.last_error = error

    def _waits_s(self) -> Iterator[float]:
        return backoff_s(self._pace.reconnect_first_s, self._pace.reconnect_longest_s)


def next_measurement_ms(node: str, interval_s: float, after_ms: int) -> int:
    """The first instant after `after_ms` at which a node measures."""
    interval_ms = round(interval_s * 1000)
    # ESP32s get their addresses in steps of four.
    phase_ms = int(node, 16) // 4 * 1000 % interval_ms
    return (after_ms - phase_ms) // interval_ms * interval_ms + interval_ms + phase_ms
