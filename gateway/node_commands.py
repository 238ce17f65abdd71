"""Commands to nodes: each with an id and an end, said again until the node replies.

It knows the contract's topics `commands` and `replies`, and nothing of who asks.
"""

import asyncio
import logging
import math
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from gateway.mqtt.session import Session
from gateway.nodes import NodeRegistry
from ingest.errors import TransientError
from ingest.topics import topic_of

_log = logging.getLogger(__name__)

_AGAIN_S: Final = 5.0
"""A node does the same id once, so saying it again costs nothing; a lost command costs a visit."""
_LOOK_S: Final = 0.1
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


class CommandDesk:
    """Hands commands to nodes and waits for what they say."""

    def __init__(self, session: Session, nodes: NodeRegistry, clock_ms: Callable[[], int]) -> None:
        self._session = session
        self._nodes = nodes
        self._clock_ms = clock_ms
        self._waiting: dict[tuple[str, str], asyncio.Future[Reply]] = {}

    async def ask(self, node: str, do: str, fields: Mapping[str, Any], timeout_s: float) -> Reply:
        """Have `node` do something; its reply. A node that sleeps is waited for.

        Raises `NoReplyError` where none comes in time.
        """
        command_id = secrets.token_hex(6)
        until = self._clock_ms() // 1000 + math.ceil(timeout_s)
        payload = msgspec.json.encode({**fields, "id": command_id, "until": until, "do": do})
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[node, command_id] = answered
        _log.info("%s: %s, id %s", node, do, command_id)
        try:
            async with asyncio.timeout(timeout_s):
                await self._say(node, payload, answered)
                return await answered
        except TimeoutError as error:
            raise NoReplyError(self._told(node, do, timeout_s)) from error
        finally:
            del self._waiting[node, command_id]

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
        waiting = self._waiting.get((node, reply.id))
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    async def _say(self, node: str, payload: bytes, answered: asyncio.Future[Reply]) -> None:
        """Publish it now and every few seconds, whenever the node is there, until answered."""
        while not answered.done():
            if self._is_online(node):
                self._session.publish(topic_of(node, "commands"), payload, qos=1)
                await asyncio.wait([answered], timeout=_AGAIN_S)
            else:
                await asyncio.sleep(_LOOK_S)

    def _is_online(self, node: str) -> bool:
        said = self._nodes.get(node)
        return self._session.connected and said is not None and said.online

    def _told(self, node: str, do: str, timeout_s: float) -> str:
        if not self._session.connected:
            return f"{do}: the gateway has no connection to the broker"
        if not self._is_online(node):
            return f"{do}: node {node} was not online within {timeout_s:g} s"
        return f"{do}: no reply of node {node} within {timeout_s:g} s"
