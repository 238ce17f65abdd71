"""What a node on batteries does about its folders and an update, once a wake, where `guard` watches
a node on mains. Loaded for each step and dropped.
"""

import asyncio
import os

import seldom
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from app import App

_FETCH_MAX_MS = const(100_000)
_CONNECT_S = const(60)
_GOODBYE_MS = const(1_000)


async def begin(app: App) -> None:
    """Says in presence how an update went; carries one on that is under way, which ends with a
    restart. What can't be fetched within 100 s waits for the next wake.
    """
    seldom.run("verdict", "begin", app)
    if "update.json" not in os.listdir():
        return
    app.watchdog.feed()
    attempt = asyncio.create_task(app.link.attempt())
    for _ in range(_CONNECT_S):
        if app.session.served or attempt.done():
            break
        await asyncio.sleep_ms(1000)
    # The network stays. For a session and for what fetches there is no room at once.
    attempt.cancel()
    try:
        await asyncio.wait_for_ms(attempt, _GOODBYE_MS)
    except (asyncio.CancelledError, asyncio.TimeoutError):
        pass
    app.watchdog.feed()
    try:
        await asyncio.wait_for_ms(seldom.load("update_fetch").run(app), _FETCH_MAX_MS)
    except asyncio.TimeoutError:
        pass  # The part that is there stays.
    app.watchdog.feed()


async def tell(app: App) -> None:
    """While the session stands: the first receipt confirms a version on trial."""
    if app.session.receipted and seldom.load("slots").read()["trial"]:
        seldom.run("verdict", "confirm", app)
    if app.update and not app.update.get("told"):
        await seldom.wait("verdict", "tell", app)


def rest(session_s: int) -> bool:
    """Before it sleeps; whether a trial is over without a receipt, so that a restart is due."""
    return seldom.run("slot_changes", "rest", session_s)
