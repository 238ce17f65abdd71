"""Watches over a start: ten healthy minutes clear the count of crashes, and a version on trial is
confirmed by its first receipt, or given up.

An update that was cut off is carried on from here. Loaded at each start and dropped when there is
nothing more to watch. It feeds no watchdog.
"""

import asyncio
import json
import os

import machine
import seldom
from diary import note
from micropython import const
from mqtt import MqttError
from release import FIRMWARE

_HEALTHY_S = const(600)


async def watch(app):
    """Ends once this start counts as healthy and the version is confirmed. `app` has `session`,
    whose `receipted` says that a receipt came, `link.client`, and gets `update` for presence.
    """
    # What is loaded here is not held while waiting: it would be 7 KiB of heap.
    state = seldom.load("slots").read()
    if state["run"] is None:
        return
    _show(app, state)
    if "update.json" in os.listdir():
        # It ends with a restart, so there is nothing to watch, and it needs the room.
        app.updating = asyncio.create_task(seldom.load("update_fetch").run(app))
        return
    trial, tried_s, limit_s = state["trial"], state["tried_s"], state.get("trial_s", 600)
    state = None
    seconds = 0
    while trial or seconds < _HEALTHY_S:
        await asyncio.sleep_ms(1000)
        seconds += 1
        if seconds == _HEALTHY_S:
            seldom.load("slot_changes").healthy()
        if app.update and app.link.client and not app.update.get("told"):
            await _tell(app)
        if not trial:
            continue
        if app.session.receipted:
            trial = False
            _confirm(app)
        elif app.link.client:
            tried_s += 1
            if tried_s >= limit_s:
                trial = False
                _give_up("no receipt in {} s of session".format(limit_s))


async def _tell(app):
    """Once a session stands: another reply to the command, which says how it went so far."""
    update = app.update
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


def _confirm(app):
    changes = seldom.load("slot_changes")
    changes.confirm(changes.formats())
    note("update: confirmed", FIRMWARE)
    _show(app, seldom.load("slots").read())


def _show(app, state):
    app.update = state.get("update")
    if app.update:
        app.session.changed()


def _give_up(why):
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
