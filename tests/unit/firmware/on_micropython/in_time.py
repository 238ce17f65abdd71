"""What a node waits for and how long, with a time of its own: `in_time.py backoff|networks|watch`.
Prints one JSON.
"""

import asyncio
import asyncio.core  # Before the chip's `time` hides the port's.
import json
import os
import sys

sys.modules.pop("time", None)
sys.path.insert(0, os.getenv("PORT"))
# From then on the chip's modules are there.
__import__("remote")

import time

import machine


class Over(BaseException):
    """Enough was seen."""


slept = []


class Time:
    """`at_ms` goes on by what is slept; `most_ms` is its end."""

    at_ms = 1_000
    most_ms = 0

    @classmethod
    async def sleep_ms(cls, duration_ms):
        slept.append(duration_ms)
        cls.at_ms += duration_ms
        if cls.at_ms > cls.most_ms:
            raise Over


def run(task, most_ms):
    Time.most_ms = most_ms
    asyncio.sleep_ms = Time.sleep_ms
    time.ticks_ms = lambda: Time.at_ms
    time.ticks_diff = lambda later, earlier: later - earlier
    time.ticks_add = lambda at_ms, duration_ms: at_ms + duration_ms
    try:
        asyncio.run(task)
    except Over:
        return


def backoff():
    """The pauses between attempts that fail; the fourteenth alone was served."""
    from link import Link
    from settings import Settings

    class Session:
        served = False

    link = Link(Settings(), "3c71bf4a2b10", Session)
    attempts = []

    async def attempt():
        attempts.append(Time.at_ms)
        Session.served = len(attempts) == 14

    link.attempt = attempt
    run(link.run(), 6_000_000)
    return slept


def networks():
    """Which networks are tried, one after the other, and whether it has joined."""
    import joining
    from link import Link
    from settings import Settings

    tried = []

    class Station:
        def __getattr__(self, name):
            return getattr(station, name)

        def connect(self, ssid, key=None, **more):
            tried.append([ssid, Time.at_ms])
            station.connect(ssid, key, **more)

    link = Link(Settings(), "3c71bf4a2b10", None)
    station, link.wlan = link.wlan, Station()
    told = None

    async def join():
        nonlocal told
        try:
            await joining.join(link)
        except OSError as error:
            told = str(error)

    run(join(), 1_000_000)
    return [tried, link.wlan.isconnected(), told]


def watch():
    """How often in 40 minutes the watchdog is fed: all is well; no samples; no attempts to link."""
    from app import App

    app = App()
    fed = []

    class Watchdog:
        def __init__(self, timeout):
            self.timeout = timeout

        def feed(self):
            fed.append(Time.at_ms)

    machine.WDT = Watchdog
    sleep_ms = Time.sleep_ms
    counts = []
    for sampling, linking in ((True, True), (False, True), (True, False)):

        async def passing(duration_ms, sampling=sampling, linking=linking):
            if sampling:
                app._sampled_ms = Time.at_ms
            if linking:
                app.link._tried_ms = Time.at_ms
            await sleep_ms(duration_ms)

        fed.clear()
        Time.sleep_ms = passing
        app._sampled_ms = app.link._tried_ms = Time.at_ms
        run(app._watch(), Time.at_ms + 2_400_000)
        counts.append(len(fed))
    return counts


print("=" + json.dumps({"backoff": backoff, "networks": networks, "watch": watch}[sys.argv[1]]()))
