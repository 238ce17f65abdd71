"""Watches over a start: ten healthy minutes clear the count of crashes, and a version on trial is
confirmed by its first receipt, or given up.

Loaded at each start and dropped when there is nothing more to watch. It feeds no watchdog.
"""

import asyncio

import machine
import release
import seldom
from diary import note
from micropython import const

_HEALTHY_S = const(600)


async def watch(app):
    """Ends once this start counts as healthy and the version is confirmed. `app` has `session`,
    whose `receipted` says that a receipt came, `link.connected`, and gets `update` for presence.
    """
    slots = seldom.load("slots")
    state = slots.read()
    if state["run"] is None:
        return
    _show(app, state)
    trial, tried_s, limit_s = state["trial"], state["tried_s"], state.get("trial_s", 600)
    seconds = 0
    while trial or seconds < _HEALTHY_S:
        await asyncio.sleep_ms(1000)
        seconds += 1
        if seconds == _HEALTHY_S:
            slots.healthy()
        if not trial:
            continue
        if app.session.receipted:
            trial = False
            slots.confirm({"outbox": release.OUTBOX, "settings": release.SETTINGS})
            note("update: confirmed", release.FIRMWARE)
            _show(app, slots.read())
        elif app.link.connected:
            tried_s += 1
            if tried_s >= limit_s:
                _give_up(slots, "no receipt in {} s of session".format(limit_s))


def _show(app, state):
    app.update = state.get("update")
    if app.update:
        app.session.changed()


def _give_up(slots, why):
    state = slots.read()
    if state["back"]:
        slots.go_back(state, why)
        # Not a crash, but the start that follows is counted.
        state["crashes"] = 0
        slots.save(state)
    note("update: given up,", why)
    machine.reset()
