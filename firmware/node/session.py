"""The contract's topics on one connection: presence, receipts, settings, commands, sending.

It knows the JSON of each topic and decides nothing about hardware: `describe()` gives what
presence says of the sensors, `perform(command)` carries one out and gives its reply and what is to
be done once that is sent. It must not know Wi-Fi, sockets or files.
"""

import asyncio
import json
import os
import sys
import time

from diary import note
from micropython import const
from settings import FIRMWARE

_REPEAT_FIRST_MS = const(10_000)
_REPEAT_MAX_MS = const(600_000)
# The chip's clock may run off by seconds in a week: the time is asked for again twice a day.
_ASK_AGAIN_MS = const(43_200_000)
_QUEUED_COMMANDS_MAX = const(4)


class Session:
    """Lives as long as the node; `begin` starts each new connection."""

    def __init__(self, settings, node: str, clock, outbox, sender, describe, perform):
        self._settings = settings
        self._clock = clock
        self._outbox = outbox
        self._sender = sender
        self._describe = describe
        self._perform = perform
        self._base = "preau/v1/{}/".format(node)
        self._commands: list[dict] = []
        self._commanded = asyncio.Event()
        self._stirred = asyncio.Event()
        self._outdated = False
        self._wake = asyncio.Event()
        self._last_reply: dict | None = None
        self.hello = ""
        self.answered = self.served = self.receipted = False
        self.topics = [self._base + name for name in ("receipts", "settings", "commands")]

    def begin(self):
        """A new hello; returns the will (topic, payload)."""
        self.hello = "{:04x}".format(int.from_bytes(os.urandom(2), "little"))
        self.answered = self.served = False
        self._commands.clear()
        self._sender.all_due()
        return self._base + "presence", json.dumps({"online": False, "hello": self.hello})

    def tasks(self, client):
        """What runs while the connection lasts."""
        return (
            self._presence_loop(client),
            self._sending_loop(client),
            self._command_loop(client),
        )

    def taken(self):
        """A pack was taken: there may be something to send."""
        self._wake.set()

    def changed(self):
        """What presence says is no longer so."""
        self._outdated = True
        self._stirred.set()

    # -- presence --------------------------------------------------------------------------

    def presence(self) -> bytes:
        outbox = self._outbox
        state = {
            "online": True,
            "hello": self.hello,
            "firmware": FIRMWARE,
            "board": self._settings.board,
            "abi": getattr(sys.implementation, "_mpy", 0),
            "settings": self._settings.version,
            "log": "{:08x}".format(outbox.log),
            "first": outbox.first(outbox.log),
            "next": outbox.next,
            "dropped": outbox.dropped,
            "rejected": outbox.rejected,
        }
        state.update(self._describe())
        return json.dumps(state).encode()

    async def _presence_loop(self, client):
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

    def _answered(self, answered: bool):
        self.answered = answered
        self.served = self.served or answered
        self._stirred.set()

    # -- what arrives ----------------------------------------------------------------------

    def on_message(self, topic: str, payload: bytes):
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
        except (ValueError, KeyError, TypeError, AttributeError, MemoryError) as error:
            note("{}: refused: {!r}".format(name, error))
        except OSError as error:
            note("{}: flash: {}".format(name, error))

    def _receipt(self, data):
        known = self._clock.known
        stored = data["stored"]
        if data.get("hello") == self.hello:
            self._answered(True)
            self._clock.answer(data["hello"], data.get("now"))
            if not stored:
                # The gateway is there, perhaps again: what it may have missed need not wait.
                self._sender.all_due()
        if stored:
            self._sender.receipt(data["log"], stored)
            self.receipted = True
        if self._clock.known and not known:
            note("time is known:", self._clock.now())
        self._wake.set()

    # -- sending ---------------------------------------------------------------------------

    async def _sending_loop(self, client):
        # Usually the answer to presence comes at once: then nothing is sent into the void.
        for _ in range(10):
            if not self.served:
                await self._woken(200)
        while True:
            # Without the time nothing is sent: a resend must be what was sent before.
            pack = self._sender.next(int(time.time())) if self._clock.known else None
            if pack is not None:
                await client.publish(self._base + "readings", pack)
                continue
            await self._woken(1000)

    async def _woken(self, timeout_ms: int):
        self._wake.clear()
        try:
            await asyncio.wait_for_ms(self._wake.wait(), timeout_ms)
        except asyncio.TimeoutError:
            pass  # Time to look again for what is due.

    # -- commands --------------------------------------------------------------------------

    def _queue(self, command):
        if not isinstance(command["id"], str) or not isinstance(command["do"], str):
            raise ValueError("id and do are texts")
        if len(self._commands) < _QUEUED_COMMANDS_MAX:
            self._commands.append(command)
            self._commanded.set()
        else:
            note("commands: too many, dropped", command["id"])

    async def _command_loop(self, client):
        while True:
            while not self._commands:
                self._commanded.clear()
                await self._commanded.wait()
            afterwards = await self._carry_out(client, self._commands.pop(0))
            if afterwards:
                await client.drained()
                await afterwards
            afterwards = None

    async def _carry_out(self, client, command):
        """None, or a coroutine to run once the reply is sent. QoS 1 may bring a command twice:
        the second time only its reply is repeated.
        """
        reply, afterwards = self._last_reply, None
        if not reply or reply["id"] != command["id"]:
            reply, afterwards = await self._perform(command)
            # The log is repeated by reading it again: kept, it would be 2 KiB of heap.
            self._last_reply = None if "log" in reply else reply
        await client.publish(self._base + "replies", json.dumps(reply).encode())
        return afterwards
