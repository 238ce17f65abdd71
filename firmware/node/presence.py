"""What a node says of itself, as JSON. Loaded when it is said and dropped again.

It must not know when that is, nor topics.
"""

import gc
import json
import sys

from micropython import const
from release import FIRMWARE

# More than that and nothing is said of older logs, for then nothing is concluded from it.
_LOGS_MAX = const(16)


def encode(hello: str, settings, outbox, said) -> bytes:
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
    logs = outbox.older_logs()
    if len(logs) <= _LOGS_MAX:
        state["older"] = ["{:08x}".format(log) for log in sorted(logs)]
    if settings.error:
        state["settings_error"] = settings.error
    state.update(said)
    return json.dumps(state).encode()


def encode_asleep(hello: str, next_wake, awake_ms: int, radio_ms: int) -> bytes:
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
