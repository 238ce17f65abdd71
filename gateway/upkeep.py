"""Keeps the store in its bounds: summaries, the window of readings, dead letters, the disk.

One loop, once a second: it looks at the disk each time and does the rest now and then. What it
deletes it deletes by a clock that has proved steady, and only what every forwarder has.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.changes import Changes
from gateway.health import Health
from gateway.metrics import Metrics
from gateway.readers import ReaderPool
from gateway.room import MIB, STOP_BYTES, Level, Thresholds, problem_of
from gateway.settings import Settings
from gateway.steady_clock import SteadyClock
from gateway.writer_thread import WriterThread
from ingest.errors import TransientError
from ingest.store.ballast import Ballast
from ingest.store.cursors import forwarder_cursors
from ingest.store.deadletters import expire_dead_letters
from ingest.store.retention import (
    bring_window_back,
    free_in_file,
    let_go_before_window,
    move_window,
    oldest_reading,
)
from ingest.store.summaries import DAY_MS, HOUR_MS, summarise
from ingest.store.writer import StoreWriter

_log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
ROUND_S: Final = 600.0
LOW_ROUND_S: Final = 5.0
_ROWS_PER_TURN: Final = 20_000
"""Some 20 ms, which is what a commit may wait."""
KEPT_WHEN_LOW_MS: Final = 7 * DAY_MS
"""However full the disk is, the last week stays: pages and alerts live on it."""


@dataclass(slots=True)
class Upkeep:
    """The loop, with what it needs. `may_store` is cleared while the disk has no room."""

    settings: Settings
    store: StoreWriter
    writer: WriterThread
    readers: ReaderPool
    health: Health
    changes: Changes
    metrics: Metrics
    clock_ms: Callable[[], int]
    may_store: asyncio.Event
    steady: SteadyClock = field(default_factory=SteadyClock)
    room: int = 0
    _level: Level = Level.ENOUGH
    _due_s: float = 0.0

    async def run_loop(self) -> None:
        """Until cancelled; whatever fails is tried again at the next look."""
        ballast = Ballast(self.settings.data.dir, self.settings.store.ballast_mib * MIB)
        self.metrics.gauge("store_room_bytes", "Room left for the store", lambda: self.room)
        while True:
            is_due = False
            try:
                await self._look_at_disk(ballast)
                is_due = asyncio.get_running_loop().time() >= self._due_s
                if is_due:
                    await self._round()
            except TransientError as error:
                _log.warning("%s: upkeep waits", error)
            if is_due:
                pause_s = ROUND_S if self._level is Level.ENOUGH else LOW_ROUND_S
                self._due_s = asyncio.get_running_loop().time() + pause_s
            await asyncio.sleep(LOOK_S)

    async def _look_at_disk(self, ballast: Ballast) -> None:
        in_file = await self.readers.run(lambda reader: reader.ask(free_in_file))
        on_disk = free_on_disk(self.settings.data.dir)
        self.room = on_disk + in_file - ballast.owed
        stop = min(STOP_BYTES, self.settings.store.min_free_mib * MIB // 2)
        thresholds = Thresholds(self.settings.store.min_free_mib * MIB, stop)
        level = thresholds.level(self.room, self._level)
        # Pages that are free inside the file don't help its -wal, which every write needs.
        if level is Level.STOP or on_disk < stop:
            ballast.give_up()
        elif level is Level.ENOUGH and on_disk - ballast.owed >= 2 * stop:
            ballast.take()
        if level is not self._level:
            _log.warning("disk: %s", self._problem(level) or "there is room again")
            self._level, self._due_s = level, 0.0
        self._tell(level)

    def _tell(self, level: Level) -> None:
        problem = self._problem(level)
        stopped = level is Level.STOP
        before = dict(self.health.problems)
        _note(self.health, "room", problem if stopped else None)
        _note(self.health, "disk", None if stopped else problem)
        if stopped:
            self.may_store.clear()
        else:
            self.may_store.set()
        if self.health.problems != before:
            self.changes.notify()

    def _problem(self, level: Level) -> str | None:
        return problem_of(level, self.room, may_let_go=bool(self.settings.forwarder))

    async def _round(self) -> None:
        now_ms = self.clock_ms()
        while await self.writer.run(self.store.change, summarise, now_ms):
            pass
        if not self.steady.is_steady(now_ms / 1000, time.monotonic()):
            return
        if await self.writer.run(self.store.change, bring_window_back, now_ms - HOUR_MS):
            _log.warning("the clock was ahead and has let readings go; from now on they are kept")
        days = self.settings.store.dead_letters_keep_days
        if days:
            await self.writer.run(self.store.change, expire_dead_letters, now_ms - days * DAY_MS)
        if self.settings.keep_days:
            await self._let_go(now_ms - self.settings.keep_days * DAY_MS)
        if self._level is not Level.ENOUGH:
            await self._make_room(now_ms)

    async def _make_room(self, now_ms: int) -> None:
        """Let the oldest day go that every forwarder has; nothing where there is none."""
        if not await self.readers.run(lambda reader: reader.ask(forwarder_cursors)):
            return
        oldest = await self.readers.run(lambda reader: reader.ask(oldest_reading))
        if oldest is None or oldest >= now_ms - KEPT_WHEN_LOW_MS:
            return
        removed = await self._let_go(min(oldest + DAY_MS + HOUR_MS, now_ms - KEPT_WHEN_LOW_MS))
        if removed:
            _log.warning("the disk is nearly full: %d readings went, InfluxDB has them", removed)

    async def _let_go(self, kept_from_ms: int) -> int:
        await self.writer.run(self.store.change, move_window, kept_from_ms)
        series: int | None = 0
        total = 0
        while series is not None:
            removed, series = await self.writer.run(
                self.store.change, let_go_before_window, series, _ROWS_PER_TURN
            )
            total += removed
        if total:
            _log.info("%d readings from before the window have been let go", total)
        return total


def free_on_disk(folder: Path) -> int:
    """Bytes that we may still write on the disk of `folder`."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _note(health: Health, topic: str, problem: str | None) -> None:
    if problem:
        health.problems[topic] = problem
    else:
        health.problems.pop(topic, None)
