"""The one task that owns Wi-Fi and the broker session, and connects again for ever.

It knows networks, the broker's address and backing off. It must not know what a message means:
`session` is asked for the will and the topics, gets what arrives, and runs its tasks while the
connection lasts.
"""

import asyncio
import os
import sys
import time

import network
import seldom
from diary import note
from micropython import const
from mqtt import Client, MqttError

_JOIN_TIMEOUT_MS = const(20_000)
_WAIT_FIRST_MS = const(1_000)
_WAIT_MAX_MS = const(300_000)
_KEEPALIVE_S = const(60)
_STARVED_MAX = const(5)


def jittered(wait_ms: int) -> int:
    """Between half of `wait_ms` and all of it: a school's nodes must not return in step."""
    return wait_ms // 2 + int.from_bytes(os.urandom(3), "little") % (wait_ms // 2 + 1)


class Link:
    """`session` has `begin`, `topics`, `on_message`, `tasks` and `served` (see `Session`)."""

    def __init__(self, settings, node: str, session):
        self._settings = settings
        self._node = node
        self._session = session
        self._wlan = network.WLAN(network.STA_IF)
        # The session that stands; None while there is none.
        self.client: Client | None = None
        self._tried_ms = time.ticks_ms()
        self._starved = 0

    @property
    def alive_ms(self):
        """`ticks_ms` of the last sign that this task does its work."""
        return self.client.checked_ms if self.client else self._tried_ms

    @property
    def rssi_dbm(self):
        """Signal strength, or None while there is none."""
        try:
            return self._wlan.status("rssi") if self._wlan.isconnected() else None
        except (OSError, ValueError):
            return None

    async def run(self):
        wait_ms = _WAIT_FIRST_MS
        while True:
            self._tried_ms = time.ticks_ms()
            try:
                await self._join()
                await self._connected()
            except (OSError, MqttError, ValueError) as error:
                # ValueError is how mbedTLS refuses a certificate.
                note("link:", error)
            except Exception as error:  # The task's outer edge: a defect must not end it.
                self._defect(error)
            if self._starved >= _STARVED_MAX:
                # A heap in pieces stays so: only a restart helps, and costs nothing taken.
                raise MemoryError("heap")
            if self._session.served:
                wait_ms = _WAIT_FIRST_MS
            await asyncio.sleep_ms(jittered(wait_ms))
            wait_ms = min(wait_ms * 2, _WAIT_MAX_MS)

    def _defect(self, error):
        note("link: defect", repr(error))
        sys.print_exception(error)
        if isinstance(error, MemoryError):
            self._starved += 1

    async def _join(self):
        if self._wlan.isconnected():
            return
        self._wlan.active(True)
        for known in self._settings.wifi:
            self._wlan.connect(known["ssid"], known.get("password"))
            until = time.ticks_add(time.ticks_ms(), _JOIN_TIMEOUT_MS)
            while time.ticks_diff(until, time.ticks_ms()) > 0:
                if self._wlan.isconnected():
                    return
                await asyncio.sleep_ms(100)
            self._wlan.disconnect()
        raise OSError("no Wi-Fi of {} known".format(len(self._settings.wifi)))

    async def _connected(self):
        """One session, from connecting to the error that ends it."""
        settings = self._settings
        session = self._session
        client = Client(self._node, session.on_message, _KEEPALIVE_S)
        will = session.begin()
        tasks = []
        try:
            await client.connect(
                settings.host,
                settings.port,
                settings.user or self._node,
                settings.password,
                will,
                seldom.load("trust").tls_context(settings.ca) if settings.tls else None,
            )
            await client.subscribe(session.topics)
            note("link: connected to {}:{}".format(settings.host, settings.port))
            client.checked_ms = time.ticks_ms()
            self.client = client
            tasks = [
                asyncio.create_task(self._guarded(client, task)) for task in session.tasks(client)
            ]
            await client.run()
        finally:
            self.client = None
            for task in tasks:
                task.cancel()
            await client.close()

    async def _guarded(self, client, task):
        """A session with one of its tasks gone would be half alive: it ends with it."""
        try:
            await task
        except MqttError:
            pass  # `client.run` raises the same.
        except Exception as error:
            self._defect(error)
            client.fail(error)
