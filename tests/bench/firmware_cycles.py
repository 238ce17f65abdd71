"""MicroPython: 10,000 times sample, publish, receipt, without network; prints what that took.

Run by `tests/bench/firmware.py`. The heap is read when all garbage is gone.
"""

import builtins
import gc
import json

import pack
from clock import Anchors, Clock
from outbox import Outbox
from sender import Sender
from senml import encode, number

NODE = "3c71bf4a2b10"
# Each in its quantity's smallest step.
READINGS = (
    ("temperature", 1942),
    ("humidity", 451),
    ("co2", 840),
    ("battery", 3920),
    ("rssi", -67),
)

written = [0]
plain_open = open


class _Counted:
    """A file whose written bytes are counted."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        written[0] += len(data)
        return self.file.write(data)


def counted_open(path, mode="r"):
    file = plain_open(path, mode)
    return _Counted(file) if "r" not in mode else file


memory = [b""]


def rtc_memory(data=None):
    if data is not None:
        memory[0] = bytes(data)
    return memory[0]


def main():
    outbox = Outbox("packs", 512 * 1024, lambda: 1)
    clock = Clock(rtc_memory, Anchors("packs/anchors", outbox), lambda: 9)
    clock.set(1_763_800_000)
    buffer = bytearray(768)
    on_air = [0]

    def encoded(payload, log, seq):
        size = encode(buffer, payload, NODE, log, seq, outbox.first(log), clock.anchor)
        on_air[0] += size
        return memoryview(buffer)[:size]

    sender = Sender(outbox, encoded)
    taken = [(number(name), value) for name, value in READINGS]
    builtins.open = counted_open
    free = {}
    for cycle in range(1, 10_001):
        readings = b"".join(pack.encode_reading(*pair) for pair in taken)
        seq = outbox.take(pack.encode_head(1_763_800_000 + 60 * cycle) + readings)
        assert sender.next(cycle)
        assert sender.receipt("00000001", [[seq, seq]]) == 1
        if cycle in (100, 10_000):
            gc.collect()
            free[cycle] = gc.mem_free()
    assert outbox.held == 0
    # One pack a record, beside a file that says what is settled.
    print(
        json.dumps(
            {
                "free_100": free[100],
                "free_10000": free[10_000],
                "air": on_air[0] / 50_000,
                "flash": written[0] / 50_000,
            }
        )
    )


main()
