"""The one task that owns Wi-Fi and the broker session, and connects again for ever.

It knows brokers, their order and backing off. It must not know what a message means: `session` is
asked for the will and the topics, gets what arrives, and runs its tasks while the connection lasts.
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from node_types import Json, Network, Ticks
    from session import Session
    from settings import Settings

_WAIT_FIRST_MS = const(1_000)
_WAIT_MAX_MS = const(300_000)
_KEEPALIVE_S = const(60)
_STARVED_MAX = const(5)


def jittered(wait_ms: int) -> int:
    """Between half of `wait_ms` and all of it: a school's nodes must not return in step."""
    return wait_ms // 2 + int.from_bytes(os.urandom(3), "little") % (wait_ms // 2 + 1)


class Link:
    """`session` has `begin`, `topics`, `on_message`, `tasks` and `served` (see `Session`)."""

    def __init__(self, settings: Settings, node: str, session: Session) -> None:
        self.settings = settings
        self.node = node
        self.session = session
        self._tried_ms = time.ticks_ms()
        self._starved = 0
        # Which broker is next: the one that served last is asked first.
        self._turn = 0
        self.wlan = network.WLAN(network.STA_IF)
        # What joins faster after a sleep: see `joining`.
        self.cached: Network | None = None
        self.leaving = False
        # While the set-up network is open: see `joining`.
        self.held = False
        # The one that the broker was given last: see `passwords`.
        self.password: str | None = None
        # The session that stands; None while there is none.
        self.client: Client | None = None

    @property
    def alive_ms(self) -> Ticks:
        """`ticks_ms` of the last sign that this task does its work."""
        return self.client.checked_ms if self.client else self._tried_ms

    @property
    def rssi_dbm(self) -> int | None:
        """Signal strength, or None while there is none."""
        try:
            return self.wlan.status("rssi") if self.wlan.isconnected() else None
        except (OSError, ValueError):
            return None

    async def run(self) -> None:
        wait_ms = _WAIT_FIRST_MS
        while True:
            await self.attempt()
            if self._starved >= _STARVED_MAX:
                # A heap in pieces stays so: only a restart helps, and costs nothing taken.
                raise MemoryError("heap")
            if self.session.served:
                wait_ms = _WAIT_FIRST_MS
            await asyncio.sleep_ms(jittered(wait_ms))
            wait_ms = min(wait_ms * 2, _WAIT_MAX_MS)

    async def attempt(self) -> None:
        """Joins, connects, and returns when that has failed or ended."""
        self._tried_ms = time.ticks_ms()
        try:
            await seldom.wait("joining", "join", self)
            await self._connected()
        except (OSError, MqttError, ValueError) as error:
            # ValueError is how mbedTLS refuses a certificate.
            if not self.leaving:
                note("link:", error)
        except Exception as error:  # The task's outer edge: a defect must not end it.
            self._defect(error)
        if not self.session.served:
            self._turn += 1

    def _defect(self, error: Exception) -> None:
        note("link: defect", repr(error))
        sys.print_exception(error)
        if isinstance(error, MemoryError):
            self._starved += 1

    async def _connected(self) -> None:
        """One session, from connecting to the error that ends it."""
        session = self.session
        client = Client(self.node, session.on_message, _KEEPALIVE_S)
        will = session.begin()
        tasks = []
        try:
            await seldom.wait("connecting", "connect", self, client, will, session.topics)
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

    async def _guarded(self, client: Client, task: Coroutine[Any, Any, None]) -> None:
        """A session with one of its tasks gone would be half alive: it ends with it."""
        try:
            await task
        except MqttError:
            pass  # `client.run` raises the same.
        except Exception as error:
            self._defect(error)
            client.fail(error)

    @property
    def broker(self) -> Json:
        """The broker whose turn it is, as `config.json` has it."""
        brokers = self.settings.brokers
        return brokers[self._turn % len(brokers)]
