"""A town's past: the packs that its nodes would have sent, in the order in which they were taken.

They end where live nodes go on, in the same log and with the next number. It has no clock and
sends nothing.
"""

from collections.abc import Iterator
from itertools import count
from operator import itemgetter
from random import Random
from typing import Final, NamedTuple

import numpy as np

from ingest.readings import Reading
from ingest.senml import encode_pack
from ingest.topics import topic_of
from simulators.node import next_measurement_ms
from simulators.sensors import Sensors
from simulators.town import Town

_ROUNDS_AT_ONCE: Final = 288
# What a pack takes from the wall to the gateway over Wi-Fi.
_UNDERWAY_MS = (40, 900)


class PastPack(NamedTuple):
    """A message as the gateway received it."""

    topic: str
    payload: bytes
    received_at_ms: int


def log_of(node: str, seed: int, start_ms: int) -> str:
    """The log of a node whose outbox was created at `start_ms`."""
    return f"{Random(f'{node}/{seed}/{start_ms}').getrandbits(32):08x}"  # noqa: S311 - a simulation


def next_seq_after(node: str, start_ms: int, end_ms: int, step_s: int) -> int:
    """The number that a node's log goes on with after the history from `start_ms` to `end_ms`."""
    first_ms = next_measurement_ms(node, step_s, start_ms - 1)
    return 1 + max(0, -((first_ms - end_ms) // (step_s * 1000)))


def history_packs(
    town: Town, start_ms: int, end_ms: int, step_s: int = 300, seed: int = 1
) -> Iterator[PastPack]:
    """Every node's packs measured from `start_ms` on and before `end_ms`, in order of time."""
    underway = Random(seed)  # noqa: S311 - a simulation
    step_ms = step_s * 1000
    firsts = [(next_measurement_ms(r.node, step_s, start_ms - 1), r) for r in town.rooms]
    # All first measurements lie within one step, so each round keeps the order of time.
    writers = [
        (first_ms, room.node, log_of(room.node, seed, start_ms), Sensors(room.node, room.model))
        for first_ms, room in sorted(firsts, key=itemgetter(0))
    ]
    for begin in count(0, _ROUNDS_AT_ONCE):
        taken = [_readings(*writer, begin, step_ms, end_ms) for writer in writers]
        for turn in range(_ROUNDS_AT_ONCE):
            for (first_ms, node, log, _), readings in zip(writers, taken, strict=True):
                if turn >= len(readings):
                    return
                seq = begin + turn + 1
                payload = encode_pack(node, readings[turn], log=log, seq=seq, first=seq)
                at_ms = first_ms + (seq - 1) * step_ms
                received_at_ms = at_ms + underway.randrange(*_UNDERWAY_MS)
                yield PastPack(topic_of(node, "readings"), payload, received_at_ms)


def _readings(
    first_ms: int, _node: str, _log: str, sensors: Sensors, begin: int, step_ms: int, end_ms: int
) -> list[list[Reading]]:
    """What one node measures in some rounds, as far as they lie before the end."""
    at_ms = first_ms + step_ms * np.arange(begin, begin + _ROUNDS_AT_ONCE, dtype=np.int64)
    return sensors.read_many(at_ms[at_ms < end_ms])
