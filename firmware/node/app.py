"""The node: builds every part once, samples at its interval, feeds the watchdog.

The only module that touches the board's pins and that ends the run. What it measures is handed
to the outbox at once; sending is the session's business.
"""

import asyncio
import gc
import os
import sys
import time

import esp32
import machine
import pack
import seldom
from clock import Anchors, Clock
from diary import note
from link import Link
from micropython import const
from outbox import Outbox, OutboxError
from release import FIRMWARE
from sender import Sender
from senml import encode, number
from sensing import Sensors
from session import Session
from settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Answer, Json, Reading

_WATCHDOG_MS = const(60_000)
_WATCH_EVERY_MS = const(2_000)
_SAMPLE_GRACE_MS = const(60_000)
_LINK_GRACE_MS = const(900_000)
_PACK_SIZE = const(768)
_COLLECT_EVERY = const(4096)
_PERFORM_TRIES = const(5)

# Names are never given back: MicroPython keeps them in tables that double. These modules' names
# come first, while there is a piece of the heap that is large enough.
_NAMED_EARLY = (
    "known_time",
    "joining",
    "connecting",
    "mqtt_open",
    "presence",
    "command_log",
    "commands",
)

# Not "outbox": beside `outbox.mpy` a folder of that name would be imported instead of it.
_PACKS = const("packs")


def random_u32() -> int:
    return int.from_bytes(os.urandom(4), "little")


class App:
    # On batteries; while an update is fetched.
    watchdog: machine.WDT
    updating: asyncio.Task[None]

    def __init__(self) -> None:
        self.settings = settings = Settings()
        # Kept, since in a heap full of small things there is no room for large ones later.
        self._pack = bytearray(_PACK_SIZE)
        self.node = machine.unique_id().hex()
        # `lost`: packs that the flash did not take, for presence.
        self._boots, self._reset, self.lost = seldom.run("startup", "count_start")
        self.outbox = Outbox(_PACKS, settings.outbox_bytes, random_u32)
        self.clock = Clock(
            machine.RTC().memory,
            Anchors(_PACKS + "/anchors", self.outbox),
            random_u32,
            self._begin_epoch,
            settings.life == "battery",
        )
        self.sensors = Sensors(settings)
        self.light = seldom.load("light").open_light(settings) if settings.light else None
        self.session = Session(
            settings,
            self.node,
            self.clock,
            self.outbox,
            Sender(self.outbox, self._encode),
            self._describe,
            self._perform,
        )
        self.link = Link(settings, self.node, self.session)
        self.bus_lock = asyncio.Lock()
        self._cycle = 0
        self._sampled_ms = time.ticks_ms()
        self._started_s = int(time.time())
        # How the last update went, for presence.
        self.update: Json | None = None

    def _encode(self, payload: bytes, log: int, seq: int) -> memoryview:
        """The pack as a view that is good until the next one is encoded."""
        outbox = self.outbox
        while True:
            size = encode(
                self._pack, payload, self.node, log, seq, outbox.first(log), self.clock.anchor
            )
            if size <= len(self._pack):
                return memoryview(self._pack)[:size]
            self._pack = bytearray(size)

    def _begin_epoch(self) -> tuple[int, int]:
        return seldom.run("rtc_start", "begin", self.outbox)

    def _describe(self) -> Json:
        return seldom.run("sensor_report", "describe_node", self, self._boots, self._reset)

    def uptime_s(self) -> int:
        """Seconds since this start."""
        return int(time.time()) - self._started_s

    async def _perform(self, command: Json) -> Answer:
        for _ in range(_PERFORM_TRIES):
            try:
                # Loaded for each command and dropped again: most nodes never get one.
                commands = seldom.load("commands")
            except MemoryError:
                # Nothing is done yet, and what is under way gives its room back.
                await asyncio.sleep_ms(1000)
            else:
                return await commands.carry_out(self, command)
        return {"id": command["id"], "ok": False, "error": "no memory for it"}, None

    # -- sampling --------------------------------------------------------------------------

    async def sample(self) -> None:
        """One round: what the sensors give goes to the outbox."""
        if self._cycle % self.settings.health_every == 0:
            async with self.bus_lock:
                await self.sensors.find()
        async with self.bus_lock:
            stamp, rtc_s = self._stamp()
            readings = await self.sensors.measure(rtc_s)
        if self.sensors.changed:
            self.sensors.changed = False
            self.session.changed()
        self._take(stamp, readings)
        self._cycle += 1
        if self.light:
            # Once the readings are safe, and not beside a calibration, for which there is no room.
            async with self.bus_lock:
                self.light.show(self.sensors.co2_ppm, self.clock.now())

    def _stamp(self) -> tuple[bytes, int]:
        """The head of a pack taken now, and the RTC second it tells."""
        while True:
            rtc_s = int(time.time())
            stamp = self.clock.stamp()
            if rtc_s == int(time.time()):
                return stamp, rtc_s

    def _take(self, stamp: bytes, readings: list[Reading]) -> None:
        """In one pack, or in several where doors changed often. What is not kept is counted."""
        try:
            readings.extend(self._health())
            if readings:
                pieces = (pack.encode_reading(*reading) for reading in readings)
                self.outbox.take(stamp + b"".join(pieces))
        except (OutboxError, MemoryError) as error:
            self.lost += 1
            seldom.run("pack_many", "take_again", self, stamp, readings, error)
        self.session.taken()

    def _health(self) -> list[Reading]:
        health: list[Reading] = []
        rssi_dbm = self.link.rssi_dbm
        if rssi_dbm is not None:
            health.append((number("rssi"), rssi_dbm))
        if self._cycle % self.settings.health_every == 0:
            health.append((number("uptime"), self.uptime_s()))
            gc.collect()
            health.append((number("heap_free"), gc.mem_free()))
            # Outside MicroPython's heap, where TLS lives.
            regions = esp32.idf_heap_info(esp32.HEAP_DATA)
            health.append((number("heap_largest"), max(region[2] for region in regions)))
            health.append((number("outbox"), self.outbox.held))
        return health

    async def _sampling_loop(self) -> None:
        due_ms = time.ticks_ms()
        while True:
            try:
                await self.sample()
            except Exception as error:  # The task's outer edge: a defect must not end it.
                note("sample: defect", repr(error))
                sys.print_exception(error)
            else:
                self._sampled_ms = time.ticks_ms()
            gc.collect()
            interval_ms = self.settings.interval_s * 1000
            due_ms = time.ticks_add(due_ms, interval_ms)
            wait_ms = time.ticks_diff(due_ms, time.ticks_ms())
            if not 0 <= wait_ms <= interval_ms:
                due_ms = time.ticks_ms()
                wait_ms = min(interval_ms, 1000)
            await asyncio.sleep_ms(wait_ms)

    # -- running ---------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Feeds the watchdog while samples are taken and the link goes on trying."""
        watchdog = machine.WDT(timeout=_WATCHDOG_MS)
        while True:
            now_ms = time.ticks_ms()
            sampled_ms = time.ticks_diff(now_ms, self._sampled_ms)
            linked_ms = time.ticks_diff(now_ms, self.link.alive_ms)
            sampling = sampled_ms < self.settings.interval_s * 1000 + _SAMPLE_GRACE_MS
            if sampling and linked_ms < _LINK_GRACE_MS:
                watchdog.feed()
            await asyncio.sleep_ms(_WATCH_EVERY_MS)

    async def run(self) -> None:
        """Never returns."""
        if self.settings.life == "battery":
            await seldom.load("battery").wake(self, self._sampled_ms)
        note("node {}, firmware {}, reset: {}".format(self.node, FIRMWARE, self._reset))
        await self.sensors.find()
        self.sensors.changed = False
        tasks = [self._sampling_loop(), self.link.run(), self._watch()]
        if "slot.json" in os.listdir():
            asyncio.create_task(seldom.load("guard").watch(self))  # noqa: RUF006 - it holds itself
        if self.settings.ntp:
            tasks.append(seldom.load("ntp").ask_until_known(self))
        if not self.settings.configured or self.settings.button is not None:
            tasks.append(seldom.load("setup_asked").wait(self))
        await asyncio.gather(*tasks)


def _name_early() -> None:
    # Apart from `main`, which stays for ever with the last of them in its frame.
    for name in _NAMED_EARLY:
        seldom.load(name)
    # The part with the streams stays, and is otherwise loaded when first connecting.
    asyncio.open_connection  # noqa: B018


def main() -> None:
    """Runs the node; a defect that gets this far restarts the chip rather than stop it."""
    gc.collect()
    # Early and often: what lives long stays together, and the free part of the heap whole.
    gc.threshold(_COLLECT_EVERY)
    _name_early()
    try:
        asyncio.run(App().run())
    except Exception as error:
        sys.print_exception(error)
        time.sleep(5)
        machine.reset()
