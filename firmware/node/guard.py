"""Watches over a start: ten healthy minutes clear the count of crashes, and a version on trial is
confirmed by its first receipt, or given up.

An update that was cut off is carried on from here. Loaded at each start and dropped when there is
nothing more to watch, so it is small: what is seldom to be done is `verdict`. It feeds no watchdog.
"""

import asyncio
import os

import seldom
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from app import App

_HEALTHY_S = const(600)
_CONNECT_S = const(60)


async def watch(app: App) -> None:
    """Ends once this start counts as healthy and the version is confirmed. `app` has `session`,
    whose `receipted` says that a receipt came, `link.client`, and gets `update` for presence.
    """
    trial, tried_s, limit_s = seldom.run("verdict", "begin", app)
    if limit_s is None:
        return
    if "update.json" in os.listdir():
        await _served(app)
        # It ends with a restart, so there is nothing to watch, and it needs the room.
        app.updating = asyncio.create_task(seldom.load("update_fetch").run(app))
        return
    seconds = 0
    while trial or seconds < _HEALTHY_S:
        await asyncio.sleep_ms(1000)
        seconds += 1
        if seconds == _HEALTHY_S:
            seldom.run("slot_changes", "healthy")
        if app.update and app.link.client and not app.update.get("told"):
            await seldom.wait("verdict", "tell", app)
        if not trial:
            continue
        if app.session.receipted:
            trial = False
            seldom.run("verdict", "confirm", app)
        elif app.link.client:
            tried_s += 1
            if tried_s >= limit_s:
                trial = False
                seldom.run("verdict", "give_up", "no receipt in {} s of session".format(limit_s))


async def _served(app: App) -> None:
    """Waits for a session: there is no room for beginning one and for what fetches at once. For a
    minute at most, since the bundle may come where the broker can't be reached.
    """
    for _ in range(_CONNECT_S):
        if app.session.served:
            return
        await asyncio.sleep_ms(1000)
