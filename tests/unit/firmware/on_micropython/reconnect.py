"""Connects again and again, as a node does: `reconnect.py ROUNDS ATTEMPTS`, brokers in
`config.json`. After each round a line: its attempts, how many were served, the heap in use.
"""

import asyncio
import asyncio.core  # Before the chip's `time` hides the port's.
import gc
import os
import sys

sys.modules.pop("time", None)
sys.path.insert(0, os.getenv("PORT"))
# From then on the chip's modules are there.
__import__("remote")

import machine
from clock import Anchors, Clock
from link import Link
from outbox import Outbox
from sender import Sender
from session import Session
from settings import Settings


async def main(rounds, attempts):
    settings = Settings()
    box = Outbox("packs", 65_536, lambda: 7)
    for number in range(3):
        box.take(b"%d" % number)
    clock = Clock(machine.RTC().memory, Anchors("packs/anchors", box), lambda: 9)
    sender = Sender(box, lambda payload, log, seq: payload)
    session = Session(settings, "3c71bf4a2b10", clock, box, sender, dict, None)
    link = Link(settings, "3c71bf4a2b10", session)
    for _ in range(rounds):
        served = 0
        for _ in range(attempts):
            await link.attempt()
            served += session.served
        # What has been cancelled ends.
        await asyncio.sleep_ms(50)
        gc.collect()
        gc.collect()
        print("=", attempts, served, gc.mem_alloc())
    assert link.client is None and box.held == 3


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
