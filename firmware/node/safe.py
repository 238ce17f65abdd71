"""What runs after both firmwares have crashed again and again: the link and updates, so that a
sound firmware can be sent; readings are still taken as far as that works.

At every other start the drivers and the outbox are left alone: one of them may be what crashes.
Six hours later the whole firmware gets another chance, for what crashed it may have passed.
"""

import asyncio
import os
import sys
import time

import machine
import seldom
from clock import Anchors, Clock
from diary import note
from link import Link
from micropython import const
from release import FIRMWARE
from session import Session
from settings import Settings

_WATCHDOG_MS = const(60_000)
_LINK_GRACE_MS = const(900_000)
_AGAIN_S = const(21_600)
_PACKS = const("packs")


def random_u32() -> int:
    return int.from_bytes(os.urandom(4), "little")


class _NoOutbox:
    """For a session that has nothing to send."""

    open: dict = {}
    _logs: tuple = ()
    log = next = held = dropped = rejected = oldest = newest = 0

    def first(self, log) -> int:
        return 0

    def split(self):
        pass


class _NoSender:
    def next(self, now_s):
        return None

    def all_due(self):
        pass

    def receipt(self, log, stored):
        pass


class SafeApp:
    """What `commands` and `update` look at of an `App`, as far as it still works."""

    def __init__(self, level: int):
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
        self.update: dict | None = None
        self.lost = seldom.run("startup", "lost_so_far")

    def _attempt(self, make):
        """What `make` gives; None where that fails, and be it a MemoryError: the link counts."""
        if not self._level % 2:
            return None
        try:
            return make()
        except Exception as error:
            note("safe: without", make, repr(error))
            sys.print_exception(error)
            return None

    def _open_outbox(self):
        from outbox import Outbox

        return Outbox(_PACKS, self.settings.outbox_bytes, random_u32)

    def _make_sender(self):
        from sender import Sender

        return Sender(self.outbox, self._encode)

    def _open_sensors(self):
        from sensing import Sensors

        return Sensors(self.settings)

    def _encode(self, payload: bytes, log: int, seq: int):
        from senml import encode

        buffer = bytearray(768)
        while True:
            first = self.outbox.first(log)
            size = encode(buffer, payload, self.node, log, seq, first, self.clock.anchor)
            if size <= len(buffer):
                return memoryview(buffer)[:size]
            buffer = bytearray(size)

    def _describe(self):
        state = {"safe": self._level, "reset": "crashes"}
        if self.sensors:
            state["sensors"] = self.sensors.names
        if self.lost:
            state["lost"] = self.lost
        if self.update:
            state["update"] = self.update
        return state

    async def _perform(self, command):
        return await seldom.load("commands").carry_out(self, command)

    async def _sampling_loop(self):
        while self.sensors and self.outbox:
            try:
                await self.sensors.find()
                stamp = self.clock.stamp()
                async with self.bus_lock:
                    readings = await self.sensors.measure(int(time.time()))
                seldom.run("pack_many", "take", self.outbox, stamp, readings)
                self.session.taken()
            except Exception as error:  # The task's outer edge: the link must not end with it.
                note("safe: sample: defect", repr(error))
                self.lost += 1
                self.session.changed()
            await asyncio.sleep_ms(self.settings.interval_s * 1000)

    async def _watch(self):
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

    async def run(self):
        """Never returns."""
        note("node {}, firmware {}, safe mode {}".format(self.node, FIRMWARE, self._level))
        tasks = [self._sampling_loop(), self.link.run(), self._watch()]
        if "update.json" in os.listdir():
            tasks.append(seldom.load("update_fetch").run(self))
        self.update = seldom.load("slots").read().get("update")
        await asyncio.gather(*tasks)


def main():
    """Runs until the chip is restarted; what gets this far is counted as one more crash."""
    asyncio.run(SafeApp(seldom.load("slots").read()["crashes"] - 3).run())
