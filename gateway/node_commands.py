"""Commands to nodes: each with an id and an end, said until the node replies.

A node on batteries listens for half a second after its presence: what waits for it is published
right then. It knows the contract's topics `commands` and `replies`, and nothing of who asks.
"""

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from gateway.mqtt.session import Session
from gateway.nodes import NodeRegistry
from ingest.errors import TransientError
from ingest.topics import topic_of

_log = logging.getLogger(__name__)

_AGAIN_S: Final = 5.0
"""A node does the same id once, so saying it again costs nothing; a lost command costs a visit."""
_VALID_S: Final = 60
"""How long a node may take what it was told: not much longer than somebody waits for the reply."""
_MAX_BYTES: Final = 16 * 1024


class NoReplyError(TransientError):
    """The node did not reply in time; whether it did what it was told is not known."""


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a node answers to a command."""

    id: str
    ok: bool
    error: str | None = None
    log: list[str] | None = None
    correction_ppm: int | None = None
    state: str | None = None
    trusts: list[str] | None = None


_decoder: Final = msgspec.json.Decoder(Reply)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A command that somebody waits for; `was_said` once it went out to the node."""

    node: str
    do: str
    fields: Mapping[str, Any]
    command_id: str
    ends_ms: int
    answered: asyncio.Future[Reply]
    was_said: bool = False


class CommandDesk:
    """Hands commands to nodes and waits for what they say."""

    def __init__(self, session: Session, nodes: NodeRegistry, clock_ms: Callable[[], int]) -> None:
        self._session = session
        self._nodes = nodes
        self._clock_ms = clock_ms
        self._waiting: dict[str, dict[str, _Waiting]] = {}

    async def ask(
        self,
        node: str,
        do: str,
        fields: Mapping[str, Any],
        timeout_s: float,
        command_id: str | None = None,
    ) -> Reply:
        """Have `node` do something; its reply. A node that sleeps is waited for.

        With a `command_id` that it has done already a node only answers once more. Raises
        `NoReplyError` where no reply comes in time; cancelling it withdraws what was not said yet.
        """
        one = _Waiting(
            node,
            do,
            fields,
            command_id or secrets.token_hex(6),
            self._clock_ms() + math.ceil(timeout_s * 1000),
            asyncio.get_running_loop().create_future(),
        )
        _log.info("%s: %s, id %s", node, do, one.command_id)
        self._waiting.setdefault(node, {})[one.command_id] = one
        try:
            async with asyncio.timeout(timeout_s):
                return await self._repeated(one)
        except TimeoutError as error:
            raise NoReplyError(self._told(one, timeout_s)) from error
        finally:
            del self._waiting[node][one.command_id]
            if not self._waiting[node]:
                del self._waiting[node]

    def greet(self, node: str) -> None:
        """`node` has just said that it is there: it may listen for half a second only."""
        for one in self._waiting.get(node, {}).values():
            self._say(one)

    def take_reply(self, node: str, payload: bytes) -> None:
        """A message on `replies`; one that nobody waits for is only logged."""
        shown = payload[:200].decode(errors="replace")
        _log.info("%s replies %s", node, ascii(shown))
        try:
            if len(payload) > _MAX_BYTES:
                raise msgspec.ValidationError(f"{len(payload)} bytes")
            reply = _decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            _log.warning("%s: a reply that can't be read: %s", node, error)
            return
        one = self._waiting.get(node, {}).get(reply.id)
        if one is not None and not one.answered.done():
            one.answered.set_result(reply)

    async def _repeated(self, one: _Waiting) -> Reply:
        """Say it now and every few seconds, whenever the node is there, until answered."""
        while not one.answered.done():
            if self._is_online(one.node):
                self._say(one)
            await asyncio.wait([one.answered], timeout=_AGAIN_S)
        return one.answered.result()

    def _say(self, one: _Waiting) -> None:
        # Counted from this moment, for what is waited for may be hours away.
        until_ms = min(one.ends_ms, self._clock_ms() + _VALID_S * 1000)
        told = {"id": one.command_id, "until": math.ceil(until_ms / 1000), "do": one.do}
        payload = msgspec.json.encode({**one.fields, **told})
        if self._session.publish(topic_of(one.node, "commands"), payload, qos=1):
            one.was_said = True

    def _is_online(self, node: str) -> bool:
        said = self._nodes.get(node)
        return self._session.connected and said is not None and said.online

    def _told(self, one: _Waiting, timeout_s: float) -> str:
        within = f"within {timeout_s:g} s"
        if one.was_said:
            return f"{one.do}: no reply of node {one.node} {within}; whether it did it is not known"
        if not self._session.connected:
            return f"{one.do}: the gateway has no connection to the broker"
        sleep = self._nodes.sleep_of(one.node)
        if sleep is not None and sleep.is_on:
            until = time.strftime("%H:%M:%S UTC", time.gmtime(sleep.until_s))
            return f"{one.do}: node {one.node} sleeps until {until}, it was not told {within}"
        return f"{one.do}: node {one.node} was not online {within}"
