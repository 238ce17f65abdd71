"""Joins a network and opens the session with a broker. Loaded for that and dropped.

It works on a `Link`; it must not know when to try again.
"""

import asyncio
import time

import seldom
from diary import note
from micropython import const
from mqtt import MqttError

_JOIN_TIMEOUT_MS = const(20_000)
# With what was cached; then as if nothing were.
_REJOIN_TIMEOUT_MS = const(5_000)


async def join(link):
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
    for known in settings.wifi:
        wlan.connect(known["ssid"], known.get("password"))
        if await _joined(link, _JOIN_TIMEOUT_MS):
            return
    raise OSError("no Wi-Fi of {} known".format(len(settings.wifi)))


async def _joined(link, timeout_ms: int) -> bool:
    wlan = link.wlan
    until = time.ticks_add(time.ticks_ms(), timeout_ms)
    while time.ticks_diff(until, time.ticks_ms()) > 0:
        if wlan.isconnected():
            return True
        await asyncio.sleep_ms(50)
    wlan.disconnect()
    return False


async def connect(link, client, will, topics):
    """Raises MqttError, OSError, and ValueError for a certificate."""
    broker = link.broker
    if not broker.get("host"):
        raise OSError("no broker is configured")
    paths = broker.get("ca", [])
    slots = seldom.run("trust", "slots", paths) if broker.get("tls") else [None]
    for trusted in slots:
        try:
            await _connect(link, client, will, topics, trusted)
            break
        except ValueError as error:
            if trusted == slots[-1]:
                raise
            # The broker has no certificate of the new authority yet.
            note("link: with the other authority,", error)
            await _hang_up(client)
    if trusted != slots[-1]:
        _prove(link, client, "trust", "promote", paths)


async def _connect(link, client, will, topics, trusted):
    """With each password that may be in force. `trusted` are files, or None for plain TCP."""
    broker = link.broker
    host, port = broker["host"], broker.get("port", 8883 if trusted else 1883)
    context = seldom.run("trust", "tls_context", trusted) if trusted is not None else None
    user = broker.get("user") or link.node
    known = seldom.run("passwords", "known", broker.get("password"))
    for password in known:
        link.password = password
        try:
            await seldom.wait(
                "mqtt_open", "connect", client, host, port, user, password, will, context, topics
            )
            break
        except MqttError as error:
            if password == known[-1]:
                raise
            # While it is being changed either may be the one in force.
            note("link: with the other password,", error)
            await _hang_up(client)
    note("link: connected to {}:{}".format(host, port))
    if link.password == known[0] and len(known) > 1:
        _prove(link, client, "passwords", "settle", link.settings)


def _prove(*arguments):
    # Loaded, and not run: this module is gone before it ends.
    asyncio.create_task(seldom.load("proof").prove(*arguments))  # noqa: RUF006 - it holds itself


async def _hang_up(client):
    """Frees the socket of a client that was refused, for its next try."""
    if client.opened:
        client.opened = False
        client.writer.close()
        await client.writer.wait_closed()
