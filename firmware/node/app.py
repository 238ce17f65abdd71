"""The node: builds every part once, samples at its interval, feeds the watchdog.

The only module that touches the board's pins and that ends the run. What it measures is handed
to the outbox at once; sending is the session's business.
"""

import asyncio
import gc
import os
import sys
import time

import machine
from micropython import const

import pack
from clock import Anchors, Clock, ask_ntp
from diary import lines, note
from drivers.sensirion import SensorError
from link import Link
from outbox import Outbox, OutboxError
from sender import Sender
from senml import NUMBERS, encode
from sensing import Sensors
from session import CommandError, Session
from settings import FIRMWARE, Settings

_WATCHDOG_MS = const(60_000)
_WATCH_EVERY_MS = const(2_000)
_SAMPLE_GRACE_MS = const(60_000)
_LINK_GRACE_MS = const(900_000)
_BLINKS = const(20)

_RESETS = {
    machine.PWRON_RESET: "power_on",
    machine.HARD_RESET: "hard",
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "deep_sleep",
    machine.SOFT_RESET: "soft",
}


def random_u32() -> int:
    return int.from_bytes(os.urandom(4), "little")


def count_boot(path: str = "boots") -> int:
    """How often this node has started, this time included."""
    try:
        with open(path) as file:
            boots = int(file.read())
    except (OSError, ValueError):
        boots = 0
    with open(path, "w") as file:
        file.write(str(boots + 1))
    return boots + 1


class App:
    def __init__(self):
        self.settings = settings = Settings()
        self.node = machine.unique_id().hex()
        self._boots = count_boot()
        self._reset = _RESETS.get(machine.reset_cause(), "unknown")
        self.outbox = Outbox("outbox", settings.outbox_bytes, random_u32)
        self.clock = Clock(
            machine.RTC().memory, Anchors("outbox/anchors", self.outbox), random_u32
        )
        bus = settings.i2c
        i2c = machine.I2C(
            bus["id"], scl=machine.Pin(bus["scl"]), sda=machine.Pin(bus["sda"]), freq=100_000
        )
        self._sensors = Sensors(i2c, settings.sensors)
        handlers = {
            "identify": self._identify,
            "restart": self._restart,
            "send_log": self._send_log,
            "calibrate_co2": self._calibrate_co2,
        }
        self.session = Session(
            settings,
            self.node,
            self.clock,
            self.outbox,
            Sender(self.outbox, self._encode),
            self._describe,
            handlers,
        )
        self._link = Link(settings, self.node, self.session)
        self._bus_lock = asyncio.Lock()
        self._cycle = 0
        self._sampled_ms = time.ticks_ms()
        self._lost = 0

    def _encode(self, payload: bytes, log: int, seq: int) -> bytes:
        return encode(payload, self.node, log, seq, self.outbox.first(log), self.clock.anchor)

    def _describe(self):
        state = {"boots": self._boots, "reset": self._reset, "sensors": self._sensors.names}
        if self._sensors.failing:
            state["failing"] = self._sensors.failing
        return state

    # -- sampling --------------------------------------------------------------------------

    async def sample(self):
        """One round: what the sensors give becomes a pack in the outbox."""
        if self._cycle % self.settings.health_every == 0:
            self._sensors.find()
        before = (self._sensors.names, self._sensors.failing)
        async with self._bus_lock:
            stamp = self.clock.stamp()
            readings = await self._sensors.measure()
        if before != (self._sensors.names, self._sensors.failing) or self._cycle == 0:
            self.session.changed()
        readings.extend(self._health())
        self._cycle += 1
        if readings:
            self._take(stamp + b"".join(pack.encode_reading(*reading) for reading in readings))

    def _take(self, payload: bytes):
        try:
            self.outbox.take(payload)
        except OutboxError as error:
            self._lost += 1
            note("reading lost, {} so far: {}".format(self._lost, error))
        else:
            self.session.taken()

    def _health(self):
        health = []
        rssi_dbm = self._link.rssi_dbm
        if rssi_dbm is not None:
            health.append((NUMBERS["rssi"], rssi_dbm))
        if self._cycle % self.settings.health_every == 0:
            health.append((NUMBERS["uptime"], time.ticks_ms() // 1000))
            health.append((NUMBERS["heap_free"], gc.mem_free()))
            largest = _largest_block()
            if largest is not None:
                health.append((NUMBERS["heap_largest"], largest))
            health.append((NUMBERS["outbox"], self.outbox.held))
        return health

    async def _sampling_loop(self):
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

    # -- commands --------------------------------------------------------------------------

    async def _identify(self, command):
        if self.settings.led is None:
            raise CommandError("this node has no light")
        return self._blink

    async def _blink(self):
        led = machine.Pin(self.settings.led, machine.Pin.OUT)
        try:
            for _ in range(_BLINKS):
                led.value(not led.value())
                await asyncio.sleep_ms(250)
        finally:
            led.value(0)

    async def _restart(self, command):
        return self._reset_now

    async def _reset_now(self):
        note("restart on command")
        machine.reset()

    async def _send_log(self, command):
        return {"log": list(lines)}

    async def _calibrate_co2(self, command):
        target_ppm = command.get("ppm")
        if type(target_ppm) is not int or not 400 <= target_ppm <= 2000:
            raise CommandError("ppm {!r} is not between 400 and 2000".format(target_ppm))
        try:
            async with self._bus_lock:
                return {"correction_ppm": await self._sensors.recalibrate(target_ppm)}
        except SensorError as error:
            raise CommandError(str(error))

    # -- running ---------------------------------------------------------------------------

    async def _ntp_loop(self):
        while not self.clock.known:
            await asyncio.sleep_ms(30_000)
            if not self.clock.known and self._link.rssi_dbm is not None:
                if self.clock.set(ask_ntp(self.settings.ntp)):
                    note("time is known from", self.settings.ntp)
                    self.session.taken()

    async def _watch(self):
        """Feeds the watchdog while samples are taken and the link goes on trying."""
        watchdog = machine.WDT(timeout=_WATCHDOG_MS)
        while True:
            now_ms = time.ticks_ms()
            sampled_ms = time.ticks_diff(now_ms, self._sampled_ms)
            if sampled_ms < self.settings.interval_s * 1000 + _SAMPLE_GRACE_MS:
                if time.ticks_diff(now_ms, self._link.alive_ms) < _LINK_GRACE_MS:
                    watchdog.feed()
            await asyncio.sleep_ms(_WATCH_EVERY_MS)

    async def run(self):
        """Never returns."""
        note("node {}, firmware {}, reset: {}".format(self.node, FIRMWARE, self._reset))
        tasks = [self._sampling_loop(), self._link.run(), self._watch()]
        if self.settings.ntp:
            tasks.append(self._ntp_loop())
        await asyncio.gather(*tasks)


def _largest_block():
    """Largest free block outside MicroPython's heap, where TLS lives; None where unknown."""
    try:
        import esp32

        return max(region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA))
    except (ImportError, AttributeError):
        return None


def main():
    """Runs the node; a defect that gets this far restarts the chip rather than stop it."""
    gc.collect()
    gc.threshold(gc.mem_free() // 4 + gc.mem_alloc())
    try:
        asyncio.run(App().run())
    except Exception as error:
        sys.print_exception(error)
        time.sleep(5)
        machine.reset()
