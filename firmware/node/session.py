"""The contract's topics on one connection: presence, receipts, settings, commands, sending.

It knows the JSON of each topic and decides nothing about hardware: `describe()` gives what
presence says of the sensors, `perform(command)` carries one out and gives its reply and what is to
be done once that is sent. It must not know Wi-Fi, sockets or files.
"""

import asyncio
import json
import os
import time

import seldom
from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from clock import Clock
    from mqtt import Client
    from node_types import Answer, AnyOutbox, AnySender, Json, Will
    from settings import Settings

_REPEAT_FIRST_MS = const(10_000)
_REPEAT_MAX_MS = const(600_000)
# The chip's clock may run off by seconds in a week: the time is asked for again twice a day.
_ASK_AGAIN_MS = const(43_200_000)


class Session:
    """Lives as long as the node; `begin` starts each new connection."""

    def __init__(
        self,
        settings: Settings,
        node: str,
        clock: Clock,
        outbox: AnyOutbox,
        sender: AnySender,
        describe: Callable[[], Json],
        perform: Callable[[Json], Coroutine[Any, Any, Answer]],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._outbox = outbox
        self._sender = sender
        self._describe = describe
        self._perform = perform
        self._base = "preau/v1/{}/".format(node)
        self._commands: list[Json] = []
        self._commanded = asyncio.Event()
        self._stirred = asyncio.Event()
        self._outdated = False
        self._wake = asyncio.Event()
        self._running = ""
        self.hello = ""
        self.answered = self.served = self.receipted = False
        self.topics = [self._base + name for name in ("receipts", "settings", "commands")]

    def begin(self) -> Will:
        """A new hello; returns the will (topic, payload)."""
        self.hello = "{:04x}".format(int.from_bytes(os.urandom(2), "little"))
        self.answered = self.served = False
        self._sender.all_due()
        return self._base + "presence", json.dumps({"online": False, "hello": self.hello})

    def tasks(self, client: Client) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs while the connection lasts."""
        return (
            self._presence_loop(client),
            self._sending_loop(client),
            self._command_loop(client),
        )

    @property
    def commanded(self) -> bool:
        """Whether a command waits or is under way."""
        return bool(self._commands or self._running)

    def farewell(self, client: Client, payload: bytes) -> Coroutine[Any, Any, None]:
        """Awaits the last presence before the node sleeps."""
        return client.publish(self._base + "presence", payload, True)

    def taken(self) -> None:
        """A pack was taken: there may be something to send."""
        self._wake.set()

    def changed(self) -> None:
        """What presence says is no longer so."""
        self._outdated = True
        self._stirred.set()

    # -- presence --------------------------------------------------------------------------

    def presence(self) -> bytes:
        return seldom.run(
            "presence", "encode", self.hello, self._settings, self._outbox, self._describe()
        )

    async def _presence_loop(self, client: Client) -> None:
        wait_ms = _REPEAT_FIRST_MS
        while True:
            self._outdated = False
            self._clock.presence_sent(self.hello)
            await client.publish(self._base + "presence", self.presence(), True)
            if not await self._stays_valid(wait_ms):
                wait_ms = _REPEAT_FIRST_MS if self.answered else min(wait_ms * 2, _REPEAT_MAX_MS)
                self._answered(False)

    async def _stays_valid(self, wait_ms: int) -> bool:
        """Returns when presence is to be sent again: True because what it says has changed,
        False because its answer is overdue or too old.
        """
        while not self._outdated:
            self._stirred.clear()
            try:
                await asyncio.wait_for_ms(
                    self._stirred.wait(), _ASK_AGAIN_MS if self.answered else wait_ms
                )
            except asyncio.TimeoutError:
                return False
        return True

    def _answered(self, answered: bool) -> None:
        self.answered = answered
        self.served = self.served or answered
        self._stirred.set()

    # -- what arrives ----------------------------------------------------------------------

    def on_message(self, topic: str, payload: bytes) -> None:
        """Called for every message; one that can't be used is noted and changes nothing."""
        name = topic[len(self._base) :]
        try:
            data = json.loads(payload)
            if name == "receipts":
                self._receipt(data)
            elif name == "settings":
                if self._settings.update(data):
                    note("settings: version", self._settings.version)
                    self.changed()
            elif name == "commands":
                self._queue(data)
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ArithmeticError,
            MemoryError,
            RuntimeError,  # Nested too deep.
        ) as error:
            note("{}: refused: {!r}".format(name, error))
        except OSError as error:
            note("{}: flash: {}".format(name, error))

    def _receipt(self, data: Json) -> None:
        known = self._clock.known
        stored = data["stored"]
        if data.get("hello") == self.hello:
            # First: if the heap has no room for it just now, presence is not answered yet.
            self._clock.answer(data["hello"], data.get("now"))
            self._answered(True)
            if not stored:
                # The gateway is there, perhaps again: what it may have missed need not wait.
                self._sender.all_due()
                # And what is taken from now on need not wait for the end of a backlog.
                self._outbox.split()
        if stored:
            self._sender.receipt(data["log"], stored)
            self.receipted = True
        if self._clock.known and not known:
            note("time is known:", self._clock.now())
        self._wake.set()

    # -- sending ---------------------------------------------------------------------------

    async def _sending_loop(self, client: Client) -> None:
        # Usually the answer to presence comes at once: then nothing is sent into the void.
        for _ in range(10):
            if not self.served:
                await self._woken(200)
        while True:
            # Without the time nothing is sent: a resend must be what was sent before.
            pack = self._sender.next(int(time.time())) if self._clock.ready else None
            if pack is not None:
                await client.publish(self._base + "readings", pack)
                continue
            await self._woken(1000)

    async def _woken(self, timeout_ms: int) -> None:
        self._wake.clear()
        try:
            await asyncio.wait_for_ms(self._wake.wait(), timeout_ms)
        except asyncio.TimeoutError:
            pass  # Time to look again for what is due.

    # -- commands --------------------------------------------------------------------------

    def _queue(self, command: Json) -> None:
        # Its id is on flash before the broker has its acknowledgement.
        seldom.run("command_log", "accept", command, self._commands, self._running)
        self._commanded.set()

    async def _command_loop(self, client: Client) -> None:
        while True:
            while not self._commands:
                self._commanded.clear()
                await self._commanded.wait()
            afterwards = await self._carry_out(client, self._commands.pop(0))
            if afterwards:
                await client.drained()
                await afterwards
            afterwards = None

    async def _carry_out(self, client: Client, command: Json) -> Coroutine[Any, Any, None] | None:
        """None, or a coroutine to run once the reply is sent."""
        self._running = command["id"]
        try:
            reply, afterwards = await self._perform(command)
        finally:
            self._running = ""
        # Before it is sent, and before what follows: a restart must find it done.
        seldom.run("command_log", "remember", command["id"], reply)
        said = seldom.run("command_log", "encode", reply)
        await client.publish(self._base + "replies", said)
        return afterwards
