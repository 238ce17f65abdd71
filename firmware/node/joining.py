"""Joins a network. Loaded for that and dropped.

It works on a `Link`; it must not know when to try again.
"""

import asyncio
import time

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from link import Link

_JOIN_TIMEOUT_MS = const(20_000)
# With what was cached; then as if nothing were.
_REJOIN_TIMEOUT_MS = const(5_000)


async def join(link: Link) -> None:
    """Joins the first of the known networks that lets us in, or raises OSError. `link.cached` is
    (ssid, bssid, (address, mask, gateway, name server)) of the last time, or None.
    """
    wlan, settings = link.wlan, link.settings
    if wlan.isconnected():
        return
    if link.held:
        # There is one radio: who searches with it tears the set-up network from whoever is on it.
        raise OSError("waits for the set-up network")
    wlan.active(True)
    fixed = settings.ip if isinstance(settings.ip, list) else None
    cached = link.cached
    if cached:
        known = [network for network in settings.wifi if network["ssid"] == cached[0]]
        if known:
            if fixed or settings.ip == "cached":
                wlan.ifconfig(tuple(fixed or cached[2]))
            wlan.connect(cached[0], known[0].get("password"), bssid=cached[1])
            if await _joined(link, _REJOIN_TIMEOUT_MS):
                return
            wlan.active(False)
            wlan.active(True)
        link.cached = None
    if fixed:
        wlan.ifconfig(tuple(fixed))
    for network in settings.wifi:
        wlan.connect(network["ssid"], network.get("password"))
        if await _joined(link, _JOIN_TIMEOUT_MS):
            return
    raise OSError("no Wi-Fi of {} known".format(len(settings.wifi)))


async def _joined(link: Link, timeout_ms: int) -> bool:
    wlan = link.wlan
    until = time.ticks_add(time.ticks_ms(), timeout_ms)
    while time.ticks_diff(until, time.ticks_ms()) > 0:
        if wlan.isconnected():
            return True
        await asyncio.sleep_ms(50)
    wlan.disconnect()
    return False
