"""The sensors of a node, worked from outside: `sense.py CONFIG`, then a JSON command a line on
stdin, its answer a JSON line on stdout; what the node notes comes in between.
"""

import asyncio
import asyncio.core  # Before the chip's `time` hides the port's.
import gc
import json
import os
import sys

sys.modules.pop("time", None)
sys.path.insert(0, os.getenv("PORT"))
# From then on the chip's modules are there.
__import__("remote")

import time

import calibration
import machine
import seldom
import senml
import sensor_report
from drivers import SensorError
from sensing import Sensors
from settings import Settings

# Interrupts of each pin that were handled, as the driver holds the one class of pins.
Pin = machine.Pin
machine.Pin = Pin
handled = {}
listen = Pin.irq


def count(pin, handler, trigger):
    def counted(pin):
        handler(pin)
        handled[pin.id] = handled.get(pin.id, 0) + 1

    listen(pin, counted, trigger)


Pin.irq = count


class Node:
    def __init__(self):
        self.settings = Settings()
        self.sensors = Sensors(self.settings)
        self.light = None

    async def find(self):
        await self.sensors.find()
        return self.sensors.names

    async def measure(self):
        """{quantity or quantity.channel: [[value, offset in ms], …]}."""
        values = {}
        for quantity, value, channel, offset_ms in await self.sensors.measure(int(time.time())):
            name = senml.entry(quantity)[0] + ("." + channel if channel else "")
            values.setdefault(name, []).append([value, offset_ms])
        return values

    async def describe(self):
        return sensor_report.describe(self.sensors)

    async def calibrate(self, ppm, now, name=None):
        return await calibration.calibrate(self.sensors, ppm, now, name)

    async def update(self, settings):
        return self.settings.update(settings), self.settings.error

    async def skip(self, seconds):
        time._TICKS += int(seconds * 1000)

    async def stop_clock(self):
        """From now on ticks go by only as they are skipped."""
        stopped_ms = time.ticks_ms() - time._TICKS
        time.ticks_ms = lambda: stopped_ms + time._TICKS

    async def wait_for(self, pin, changes):
        """Until as many changes of a pin have been handled, since the node began."""
        while handled.get(pin, 0) < changes:
            await asyncio.sleep_ms(2)

    async def show(self, co2_ppm, now):
        if self.light is None:
            self.light = seldom.load("light").open_light(self.settings)
        if self.light:
            self.light.show(co2_ppm, now)

    async def heap(self):
        gc.collect()
        return gc.mem_free()


async def main():
    node = Node()
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        name, *arguments = json.loads(line)
        try:
            answer = await getattr(node, name)(*arguments)
        except (SensorError, ValueError) as error:
            answer = {"error": str(error)}
        print("=" + json.dumps(answer))


asyncio.run(main())
