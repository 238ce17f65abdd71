"""What a node says of itself, as JSON. Loaded when it is said and dropped again.

It reads what an `Outbox` holds. It must not know when that is, nor topics.
"""
# ruff: noqa: SLF001 - a part of `outbox` is here, for the heap's sake

import gc
import json
import sys

from micropython import const
from release import FIRMWARE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import AnyOutbox, Json
    from outbox import Outbox
    from settings import Settings

# More than that and nothing is said of older logs, for then nothing is concluded from it.
_LOGS_MAX = const(16)
_SEGMENT_SIZE = const(4096)


def encode(hello: str, settings: Settings, outbox: AnyOutbox, said: Json) -> bytes:
    """`said` is what the rest of the node adds."""
    gc.collect()
    state = {
        "online": True,
        "hello": hello,
        "firmware": FIRMWARE,
        "board": settings.board,
        "abi": getattr(sys.implementation, "_mpy", 0),
        "settings": settings.version,
        "log": "{:08x}".format(outbox.log),
        "first": outbox.first(outbox.log),
        "next": outbox.next,
        "dropped": outbox.dropped,
        "rejected": outbox.rejected,
        "outbox": outbox.held,
        "heap_free": gc.mem_free(),
    }
    # What stands in for an outbox has no logs to ask of.
    logs = older_logs(outbox)  # type: ignore[arg-type]
    if len(logs) <= _LOGS_MAX:
        state["older"] = ["{:08x}".format(log) for log in sorted(logs)]
    if settings.error:
        state["settings_error"] = settings.error
    state.update(said)
    return json.dumps(state).encode()


def older_logs(box: Outbox) -> set[int]:
    """The logs before this one of which packs are still held."""
    logs = {box.log_of(position) for position in box.open}
    for index, log in enumerate(box._logs):
        if log != box.log and log not in logs and _unfetched(box, index):
            logs.add(log)
    logs.discard(box.log)
    return logs


def _unfetched(box: Outbox, index: int) -> int:
    """How many packs of a segment were not fetched yet; `index` counts from the oldest."""
    at = box._scan[0] // _SEGMENT_SIZE - box.oldest
    if index < at:
        return 0
    done = box._scan[1] if index == at else box._firsts[index]
    return box._firsts[index] + box._counts[index] - done


def encode_asleep(hello: str, next_wake: int | None, awake_ms: int, radio_ms: int) -> bytes:
    """Said before the node sleeps: it is not gone. `next_wake` is when the radio is on again."""
    state = {
        "online": False,
        "hello": hello,
        "asleep": True,
        "awake_ms": awake_ms,
        "radio_ms": radio_ms,
    }
    if next_wake is not None:
        state["next_wake"] = next_wake
    return json.dumps(state).encode()
