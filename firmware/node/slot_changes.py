"""Changes to what `slots` keeps, by what runs: crashes forgotten, a trial begun, confirmed, ended.

Loaded for each and dropped again.
"""

import seldom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Json

TRIAL_S = 600


def healthy() -> None:
    """Ten good minutes, or an end on purpose: what crashed before does not count any more."""
    slots = seldom.load("slots")
    state = slots.read()
    if state["run"] and state["crashes"]:
        state["crashes"] = 0
        slots.save(state)


def rest(session_s: int) -> bool:
    """Before deep sleep, after so many seconds of broker session: a cycle that ends like this is
    healthy. Says whether a trial is over, so that a restart is due instead.
    """
    slots = seldom.load("slots")
    state = slots.read()
    if state["trial"] and session_s:
        state["tried_s"] += session_s
        state["crashes"] = 0
        if state["tried_s"] >= state.get("trial_s", TRIAL_S) and state["back"]:
            slots.go_back(state, "no receipt")
            slots.save(state)
            return True
        slots.save(state)
    else:
        healthy()
    return False


def confirm(mine: dict[str, tuple[int, int]]) -> None:
    """A receipt has arrived: this version stays. `mine` is what it reads and writes: a version that
    can't read what it writes from now on is no way back any more.
    """
    slots = seldom.load("slots")
    state = slots.read()
    state["trial"] = False
    known = state.get("formats") or mine
    if any(not known[name][0] <= mine[name][1] <= known[name][1] for name in mine):
        state["back"] = None
    update = state.get("update")
    if update and update.get("state") == "trial":
        update["state"] = "confirmed"
    slots.save(state)


def switch(update: Json, trial_s: int) -> None:
    """From the next start the other folder runs, on trial; `update` is what presence says of it."""
    slots = seldom.load("slots")
    state = slots.read()
    before = state["run"]
    state.update({"run": slots.other(before), "back": before, "trial": True, "trial_s": trial_s})
    state.update(
        {"tried_s": 0, "crashes": 0, "update": update, "formats": seldom.run("formats", "known")}
    )
    slots.save(state)


def report(update: Json) -> None:
    """Notes how an update that was not installed ended."""
    slots = seldom.load("slots")
    state = slots.read()
    state["update"] = update
    slots.save(state)


def leave(folder: str) -> None:
    """`folder` is about to be written: it is no way back any more."""
    slots = seldom.load("slots")
    state = slots.read()
    if state["back"] == folder:
        state["back"] = None
        slots.save(state)


def told() -> None:
    """The gateway has been told how the update ended."""
    slots = seldom.load("slots")
    state = slots.read()
    if state.get("update"):
        state["update"]["told"] = True
        slots.save(state)
