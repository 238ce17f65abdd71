"""One MQTT session of a virtual node, from CONNECT to its end: presence, packs, receipts, orders.

What has to outlast it, the outbox and the node's state, is handed to it. It must not know how
readings are made, nor what comes after it.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.mqtt.address import BrokerAddress
from ingest.topics import TO_NODES, topic_of
from simulators.mqtt import Connection, NodeConnection, Will
from simulators.outbox import Outbox, Repeats
from simulators.sensors import CHIPS
from simulators.shared import SharedLine, SharedSession

logger = logging.getLogger(__name__)

FIRMWARE: Final = "1.0.0"
BOARD: Final = "virtual"
# MicroPython's `sys.implementation._mpy` of an ESP32, as the real firmware tells it.
ABI: Final = 2822
INTERVALS_S: Final = range(1, 3601)


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a node is: the contract's figures, which tests shorten."""

    repeats: Repeats = field(default_factory=Repeats)
    presence_first_s: float = 10.0
    presence_longest_s: float = 600.0
    reconnect_first_s: float = 0.5
    reconnect_longest_s: float = 30.0
    awake_s: float = 2.0
    """How long a battery node stays awake for its next receipt."""


@dataclass(slots=True)
class NodeState:
    """What a node keeps from session to session."""

    node: str
    interval_s: float
    settings_version: int = 0
    boots: int = 0
    reset: str = "power_on"
    identified: int = 0
    cut_off: bool = False
    """The power is being cut: sessions end without a goodbye."""


class NodeSession:
    """A session to be run once. `wake` is set by whoever puts a pack into the outbox.

    It has a connection of its own, or takes part in a `shared` one.

    With `next_wake_s` it is that of a battery node: it ends once the outbox is empty or no receipt
    has come for a while, and its goodbye says when the node wakes again.
    """

    def __init__(
        self,
        state: NodeState,
        outbox: Outbox,
        broker: BrokerAddress,
        *,
        wake: asyncio.Event,
        pace: Pace,
        clock: Callable[[], float],
        next_wake_s: int | None = None,
        shared: SharedSession | None = None,
    ) -> None:
        self._next_wake_s = next_wake_s
        self._awake_until_s = 0.0
        self.connected = False
        self.is_restart_wanted = False
        self._state = state
        self._outbox = outbox
        self._wake = wake
        self._pace = pace
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._hello = secrets.token_hex(2)
        self._presence_due_s: float | None = 0.0
        self._presence_wait_s = pace.presence_first_s
        self._reply: dict[str, Any] | None = None
        self._inbox: deque[tuple[str, bytes]] = deque()
        self._connection: Connection
        if shared is not None:
            self._connection = SharedLine(
                shared, state.node, on_message=self._hear, on_end=wake.set
            )
        else:
            self._connection = NodeConnection(
                broker,
                state.node,
                will=Will(self._topic("presence"), self._offline()),
                on_message=self._hear,
                on_end=wake.set,
            )

    async def run(self) -> None:
        """Connect, and serve until the connection ends or a restart is asked for.

        Raises `BrokerAwayError` where there was no connection to begin with.
        """
        await self._connection.open()
        self.connected = True
        try:
            self._connection.subscribe([self._topic(kind) for kind in TO_NODES])
            self._outbox.new_session()
            self._awake_until_s = self._loop.time() + self._pace.awake_s
            while self._connection.is_open and not self.is_restart_wanted and not self._may_sleep():
                self._wake.clear()
                await self._wait(self._turn())
        finally:
            self.connected = False
            await self._leave()

    def abort(self) -> None:
        """End the connection as a broken link would."""
        self._connection.abort()

    def _turn(self) -> float | None:
        """Do what is due, and return how many seconds later there may be more."""
        while self._inbox:
            self._obey(*self._inbox.popleft())
        now_s = self._loop.time()
        if self._presence_due_s is not None and self._presence_due_s <= now_s:
            self._say_presence(now_s)
        for pack in self._outbox.due(now_s):
            self._connection.publish(self._topic("readings"), pack)
        sleeps_s = None if self._next_wake_s is None else self._awake_until_s
        due = [
            at_s
            for at_s in (self._presence_due_s, self._outbox.next_due_s(), sleeps_s)
            if at_s is not None
        ]
        return min(due) - now_s if due else None

    def _may_sleep(self) -> bool:
        if self._next_wake_s is None:
            return False
        return not len(self._outbox) or self._loop.time() >= self._awake_until_s

    async def _wait(self, delay_s: float | None) -> None:
        if self.is_restart_wanted or self._may_sleep():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._wake.wait()

    async def _leave(self) -> None:
        if self._state.cut_off:
            self._connection.abort()
            return
        self._connection.publish(self._topic("presence"), self._goodbye(), retain=True)
        await self._connection.close()

    def _topic(self, kind: str) -> str:
        return topic_of(self._state.node, kind)

    def _offline(self) -> bytes:
        return json.dumps({"online": False, "hello": self._hello}).encode()

    def _goodbye(self) -> bytes:
        if self._next_wake_s is None:
            return self._offline()
        asleep = {"online": False, "asleep": True, "next_wake": self._next_wake_s}
        return json.dumps(asleep).encode()

    def _say_presence(self, now_s: float) -> None:
        state = self._state
        presence = {
            "online": True,
            "hello": self._hello,
            "firmware": FIRMWARE,
            "board": BOARD,
            "abi": ABI,
            "boots": state.boots,
            "reset": state.reset,
            "settings": state.settings_version,
            "log": self._outbox.log,
            "first": self._outbox.first,
            "next": self._outbox.next_seq,
            "dropped": self._outbox.lost,
            "rejected": len(self._outbox.rejected),
            "sensors": CHIPS,
        }
        self._connection.publish(
            self._topic("presence"), json.dumps(presence).encode(), retain=True
        )
        self._presence_due_s = now_s + self._presence_wait_s
        self._presence_wait_s = min(2 * self._presence_wait_s, self._pace.presence_longest_s)

    def _hear(self, topic: str, payload: bytes) -> None:
        self._inbox.append((topic, payload))
        self._wake.set()

    def _obey(self, topic: str, payload: bytes) -> None:
        kind = topic.rpartition("/")[2]
        try:
            message = json.loads(payload)
            if kind == "receipts":
                self._take_receipt(message)
            elif kind == "settings":
                self._take_settings(message)
            elif kind == "commands":
                self._take_command(message)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            logger.warning("node %s can't use %r: %r", topic, payload[:200], error)

    def _take_receipt(self, message: dict[str, Any]) -> None:
        stored = message.get("stored", ())
        if stored:
            self._outbox.settle(message["log"], stored)
            self._awake_until_s = self._loop.time() + self._pace.awake_s
        if message.get("hello") == self._hello:
            self._presence_due_s = None
            self._presence_wait_s = self._pace.presence_first_s
            if not stored:
                self._outbox.gateway_is_back(self._loop.time())

    def _take_settings(self, message: dict[str, Any]) -> None:
        version, interval_s = message["version"], message.get("interval_s")
        if version <= self._state.settings_version:
            return
        if interval_s is not None:
            if type(interval_s) is not int or interval_s not in INTERVALS_S:
                raise ValueError(f"interval_s is {interval_s!r}: must be from 1 to 3600")
            self._state.interval_s = interval_s
        self._state.settings_version = version
        # Presence says which settings are in force: it is to be said anew.
        self._presence_due_s = 0.0

    def _take_command(self, message: dict[str, Any]) -> None:
        # QoS 1 may bring a command twice: the second time only its reply is repeated.
        if self._reply is None or self._reply["id"] != message["id"]:
            error = self._carry_out(message)
            self._reply = {"id": message["id"], "ok": error is None}
            if error is not None:
                self._reply["error"] = error
        self._connection.publish(self._topic("replies"), json.dumps(self._reply).encode())

    def _carry_out(self, message: dict[str, Any]) -> str | None:
        """What was wrong with a command; `None` where it was carried out."""
        if message["do"] not in ("identify", "restart"):
            return f"unknown command {message['do']!r}"
        now_s = int(self._clock())
        if message["until"] < now_s:
            return f"expired, it is {now_s} here"
        if message["do"] == "identify":
            self._state.identified += 1
        else:
            self.is_restart_wanted = True
        return None
