"""What runs after both firmwares have crashed again and again: the link and updates, so that a
sound firmware can be sent; readings are still taken as far as that works.

At every other start the drivers, the outbox and the set-up network are left alone: one of them may
be what crashes.
Six hours later the whole firmware gets another chance, for what crashed it may have passed.
"""

import asyncio
import os
import sys
import time

import machine
import pack
import seldom
from clock import Anchors, Clock
from diary import note
from link import Link
from micropython import const
from release import FIRMWARE
from session import Session
from settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from node_types import Answer, Json
    from outbox import Outbox
    from sender import Sender
    from sensing import Sensors

    T = TypeVar("T")

_WATCHDOG_MS = const(60_000)
_LINK_GRACE_MS = const(900_000)
_PAYLOAD_MAX = const(512)
_AGAIN_S = const(21_600)
_PACKS = const("packs")


def random_u32() -> int:
    return int.from_bytes(os.urandom(4), "little")


class _NoOutbox:
    """For a session that has nothing to send."""

    open: dict[int, int] = {}
    _logs: tuple[int, ...] = ()
    log = next = held = dropped = rejected = oldest = newest = 0

    def first(self, log: int) -> int:
        return 0

    def split(self) -> None:
        pass


class _NoSender:
    def next(self, now_s: int) -> None:
        return None

    def all_due(self) -> None:
        pass

    def receipt(self, log: str, stored: list[list[int]]) -> None:
        pass


class SafeApp:
    """What `commands` and `update` look at of an `App`, as far as it still works."""

    def __init__(self, level: int) -> None:
        self._level = level
        self.settings = settings = Settings()
        self.node = machine.unique_id().hex()
        self.outbox = self._attempt(self._open_outbox)
        self.sensors = self._attempt(self._open_sensors)
        outbox = self.outbox or _NoOutbox()
        self.clock = Clock(machine.RTC().memory, Anchors(_PACKS + "/anchors", outbox), random_u32)
        self.session = Session(
            settings,
            self.node,
            self.clock,
            outbox,
            (self.outbox and self._attempt(self._make_sender)) or _NoSender(),
            self._describe,
            self._perform,
        )
        self.link = Link(settings, self.node, self.session)
        self.bus_lock = asyncio.Lock()
        self.update: Json | None = None
        self.lost = seldom.run("startup", "lost_so_far")

    def _attempt(self, make: Callable[[], T]) -> T | None:
        """What `make` gives; None where that fails, and be it a MemoryError: the link counts."""
        if not self._level % 2:
            return None
        try:
            return make()
        except Exception as error:
            note("safe: without", make, repr(error))
            sys.print_exception(error)
            return None

    def _open_outbox(self) -> Outbox:
        from outbox import Outbox

        return Outbox(_PACKS, self.settings.outbox_bytes, random_u32)

    def _make_sender(self) -> Sender:
        from sender import Sender

        assert self.outbox is not None
        return Sender(self.outbox, self._encode)

    def _open_sensors(self) -> Sensors:
        from sensing import Sensors

        return Sensors(self.settings)

    def _encode(self, payload: bytes, log: int, seq: int) -> memoryview:
        from senml import encode

        assert self.outbox is not None
        buffer = bytearray(768)
        while True:
            first = self.outbox.first(log)
            size = encode(buffer, payload, self.node, log, seq, first, self.clock.anchor)
            if size <= len(buffer):
                return memoryview(buffer)[:size]
            buffer = bytearray(size)

    def _describe(self) -> Json:
        state: Json = {"safe": self._level, "reset": "crashes"}
        if self.sensors:
            state["sensors"] = self.sensors.names
        if self.lost:
            state["lost"] = self.lost
        if self.update:
            state["update"] = self.update
        return state

    async def _perform(self, command: Json) -> Answer:
        return await seldom.load("commands").carry_out(self, command)

    async def _sampling_loop(self) -> None:
        while self.sensors and self.outbox:
            try:
                await self.sensors.find()
                stamp = self.clock.stamp()
                async with self.bus_lock:
                    readings = await self.sensors.measure(int(time.time()))
                if readings:
                    payload = stamp + b"".join(pack.encode_reading(*one) for one in readings)
                    if len(payload) <= _PAYLOAD_MAX:
                        self.outbox.take(payload)
                    else:
                        seldom.run("pack_many", "take", self.outbox, stamp, readings)
                    self.session.taken()
            except Exception as error:  # The task's outer edge: the link must not end with it.
                note("safe: sample: defect", repr(error))
                self.lost += 1
                self.session.changed()
            await asyncio.sleep_ms(self.settings.interval_s * 1000)

    async def _watch(self) -> None:
        """Feeds the watchdog while the link goes on trying; ends safe mode after six hours."""
        watchdog = machine.WDT(timeout=_WATCHDOG_MS)
        started_s = int(time.time())
        while int(time.time()) - started_s < _AGAIN_S:
            if time.ticks_diff(time.ticks_ms(), self.link.alive_ms) < _LINK_GRACE_MS:
                watchdog.feed()
            await asyncio.sleep_ms(2000)
        note("safe: another chance for the whole firmware")
        open("asked", "w").close()
        machine.reset()

    async def run(self) -> None:
        """Never returns."""
        note("node {}, firmware {}, safe mode {}".format(self.node, FIRMWARE, self._level))
        tasks = [self._sampling_loop(), self.link.run(), self._watch()]
        if self._level % 2 and not (self.settings.configured and self.settings.button is None):
            tasks.append(seldom.load("setup_asked").wait(self))
        if "update.json" in os.listdir():
            tasks.append(seldom.load("update_fetch").run(self))
        self.update = seldom.load("slots").read().get("update")
        await asyncio.gather(*tasks)


def main() -> None:
    """Runs until the chip is restarted; what gets this far is counted as one more crash."""
    asyncio.run(SafeApp(seldom.load("slots").read()["crashes"] - 3).run())
