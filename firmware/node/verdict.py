"""What `guard` does about a version on trial: tells of it, confirms it, gives it up. Loaded for
each of these and dropped.
"""

import json

import machine
import seldom
from diary import note
from mqtt import MqttError
from release import FIRMWARE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from app import App
    from node_types import Json


def begin(app: App) -> tuple[bool, int, int | None]:
    """(on trial, seconds of session used up, seconds there are); None for the last where nothing
    is to be watched, as no folder runs.
    """
    state = seldom.load("slots").read()
    if state["run"] is None:
        return False, 0, None
    _show(app, state)
    return state["trial"], state["tried_s"], state.get("trial_s", 600)


async def tell(app: App) -> None:
    """Once a session stands: another reply to the command, which says how it went so far."""
    update = app.update
    assert update is not None
    assert app.link.client is not None
    update["told"] = True
    state = update["state"]
    if state in ("trial", "confirmed", "fetching"):
        reply = {"id": update.get("id"), "ok": True, "state": state}
    else:
        reply = {"id": update.get("id"), "ok": False, "state": state, "error": update.get("error")}
    try:
        topic = "preau/v1/{}/replies".format(app.node)
        await app.link.client.publish(topic, json.dumps(reply).encode())
    except MqttError as error:
        update["told"] = False
        note("update: not told:", error)
        return
    if state in ("refused", "rolled_back", "confirmed"):
        seldom.load("slot_changes").told()


def confirm(app: App) -> None:
    """The first receipt has come."""
    seldom.load("slot_changes").confirm(seldom.run("formats", "known"))
    # Settings ask whenever they are written.
    app.outbox.format = seldom.run("formats", "written", "outbox")
    note("update: confirmed", FIRMWARE)
    _show(app, seldom.load("slots").read())


def _show(app: App, state: Json) -> None:
    app.update = state.get("update")
    if app.update:
        app.session.changed()


def give_up(why: str) -> None:
    """Goes back to the version before, by a restart, where there is one."""
    slots = seldom.load("slots")
    state = slots.read()
    note("update: given up,", why)
    if state["back"] is None:
        # Nothing to go back to: what runs is all there is.
        state["trial"] = False
        slots.save(state)
        return
    slots.go_back(state, why)
    # Giving up is no crash; the start that follows is counted.
    state["crashes"] = 0
    slots.save(state)
    machine.reset()
