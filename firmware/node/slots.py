"""Which of two firmwares runs, folder `a` or `b`, and `slot.json`, the small file that says so.

Lies at the root of the flash, where no update touches it, and in each folder for what runs later.
So a key of the file may be added, but never change its meaning. It must not know how an update
comes here.

`run` runs; `back` is what to go back to, or None; `trial`: no receipt has come yet; `tried_s` of
`trial_s` seconds of broker session are used up; `crashes` counts starts that were not followed by
ten healthy minutes (a file `asked` says that a restart was meant); `update` is how the last update
went, for presence; `formats` are those `[oldest read, written]` of outbox and settings that the
version in `back` knows.
"""

import json
import os
import sys

import machine
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Json

FILE = "slot.json"
READY = "update.ready"
ASKED = "asked"
FOLDERS = ("a", "b")
_CRASHES_MAX = const(3)


def other(folder: str) -> str:
    return "b" if folder == "a" else "a"


def is_complete(folder: str | None) -> bool:
    """Whether a whole firmware lies there: its manifest comes last and goes first."""
    try:
        os.stat(folder + "/manifest")  # type: ignore[operator]
    except (OSError, TypeError):
        return False
    return True


def read() -> Json:
    """The state; made of what lies there where the file is missing or damaged."""
    state: Json = {"run": None, "back": None, "trial": False, "crashes": 0, "tried_s": 0}
    try:
        with open(FILE) as file:
            state.update(json.loads(file.read()))
    except (OSError, ValueError, TypeError):
        pass  # Whatever lies there whole may run.
    if not is_complete(state["run"]):
        state["run"] = next((folder for folder in FOLDERS if is_complete(folder)), None)
        state["trial"] = False
    if state["back"] == state["run"] or not is_complete(state["back"]):
        state["back"] = None
    if type(state["crashes"]) is not int:
        state["crashes"] = 0
    return state


def save(state: Json) -> None:
    """Writes the state: the old one or the new one is there whatever happens meanwhile."""
    with open(FILE + ".new", "w") as file:
        file.write(json.dumps(state))
        file.flush()
    os.rename(FILE + ".new", FILE)


def choose() -> str:
    """Counts this start, puts the folder to run on the path, and names the module to start."""
    # It has done its work then; what needs it later loads it again.
    sys.modules.pop("slots", None)
    state = read()
    if state["run"] is None:
        return "app"  # Nothing is installed in folders: what is on the path runs.
    # Waking is no start: a node on battery wakes a hundred times a day. A crash in between is one.
    files = os.listdir()
    if machine.reset_cause() != machine.DEEPSLEEP_RESET:
        _count(state, ASKED in files)
        if state["crashes"] > _CRASHES_MAX and state["back"]:
            go_back(state, "3 crashes")
        try:
            save(state)
            if ASKED in files:
                os.remove(ASKED)
        except OSError as error:
            print("slot:", error)  # noqa: T201 - a full flash must not keep it from starting
    folder = state["run"]
    program = "app"
    if state["crashes"] > _CRASHES_MAX:
        program = "safe"
        if state["crashes"] % 2 and is_complete(other(folder)):
            folder = other(folder)
    elif READY in files:
        program = "update_apply"
    sys.path.insert(0, folder)
    return program


def _count(state: Json, asked: bool) -> None:
    if asked:
        state["crashes"] = 1
    elif machine.reset_cause() != machine.PWRON_RESET:
        # Power that came is none: what crashes is restarted by itself, and counted then.
        state["crashes"] += 1


def go_back(state: Json, why: str) -> None:
    """Makes `back` the one that runs, and notes why."""
    update = state.get("update") or {}
    update.update({"state": "rolled_back", "error": why})
    state.update(
        {"run": state["back"], "back": None, "trial": False, "crashes": 1, "update": update}
    )
