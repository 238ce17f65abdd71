"""What a node on batteries does on the air: sends what it holds, waits for answers, says that it
sleeps. Loaded for that and dropped.
"""

import asyncio
import time

import seldom
from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from app import App
    from link import Link
    from mqtt import Client
    from node_types import Ticks

_RADIO_MAX_MS = const(30_000)
# How long the answer to presence or the next receipt may take.
_RECEIPT_MS = const(2_000)
# A command comes right after the presence that asks for it.
_LINGER_MS = const(500)
_GOODBYE_MS = const(1_000)


async def send(app: App, started_ms: Ticks, in_folders: bool) -> bool:
    """Sends what there is; whether the gateway answered. Bounded, whatever happens."""
    link, session = app.link, app.session
    on_ms = time.ticks_ms()
    attempt = asyncio.create_task(link.attempt())
    try:
        await _until_done(app, attempt, on_ms)
        client = link.client
        if client and in_folders:
            await seldom.wait("battery_slots", "tell", app)
        if client:
            await _say_asleep(app, client, started_ms, on_ms)
        _remember_network(link)
    except Exception as error:  # Whatever it is, the node sleeps and tries again.
        note("battery:", repr(error))
    attempt.cancel()
    try:
        await asyncio.wait_for_ms(attempt, _GOODBYE_MS)
    except (asyncio.CancelledError, asyncio.TimeoutError):
        pass
    served = session.served
    link.wlan.active(False)
    return served


async def _say_asleep(app: App, client: Client, started_ms: Ticks, on_ms: Ticks) -> None:
    """The last presence, and goodbye to the broker: else it would send the will."""
    now_s, now_ms = app.clock.now(), time.ticks_ms()
    awake_ms, radio_ms = time.ticks_diff(now_ms, started_ms), time.ticks_diff(now_ms, on_ms)
    next_wake = now_s + app.settings.interval_s * app.settings.wifi_every if now_s else None
    said = seldom.run("presence", "encode_asleep", app.session.hello, next_wake, awake_ms, radio_ms)
    await app.session.farewell(client, said)
    await client.drained()
    app.link.leaving = True
    await client.close()


async def _until_done(app: App, attempt: asyncio.Task[None], on_ms: Ticks) -> None:
    """Returns when all is sent and receipted, or when nothing has come for two seconds."""
    held = -1
    moved_ms = on_ms
    while not attempt.done():
        await asyncio.sleep_ms(20)
        now_ms = time.ticks_ms()
        if time.ticks_diff(now_ms, on_ms) > _RADIO_MAX_MS:
            note("battery: radio on for too long")
            return
        if not app.link.client or app.session.commanded:
            moved_ms = now_ms
        elif app.outbox.held != held:
            held = app.outbox.held
            moved_ms = now_ms
        wait_ms = _LINGER_MS if app.session.served and not held else _RECEIPT_MS
        if time.ticks_diff(now_ms, moved_ms) > wait_ms:
            return


def _remember_network(link: Link) -> None:
    wlan = link.wlan
    if not wlan.isconnected() or link.cached:
        return
    try:
        link.cached = wlan.config("ssid"), wlan.config("bssid"), wlan.ifconfig()
    except (OSError, ValueError) as error:
        note("battery: network:", error)
