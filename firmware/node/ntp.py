"""The time from a server of the town's network, while the gateway has not told it.

Loaded only where a server is set.
"""

import asyncio
import time

from diary import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from app import App


def ask_ntp(host: str) -> int | None:
    """Unix seconds from an NTP server, or None; blocks for a second at most once resolved."""
    try:
        import ntptime
    except ImportError:
        return None
    ntptime.host = host
    try:
        seconds: int = ntptime.time()  # type: ignore[no-untyped-call]
    except (OSError, IndexError):
        return None
    return seconds + 946_684_800 if time.gmtime(0)[0] == 2000 else seconds


async def ask_until_known(app: App) -> None:
    """Asks every 30 s until the clock of `app` knows the time."""
    clock = app.clock
    assert app.settings.ntp is not None
    while not clock.known:
        await asyncio.sleep_ms(30_000)
        if clock.known or app.link.rssi_dbm is None:
            continue
        if clock.set(ask_ntp(app.settings.ntp)):
            note("time is known from", app.settings.ntp)
            app.session.taken()
