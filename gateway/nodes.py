"""What nodes say of themselves: their presences, in memory, as the service last heard them.

It decodes presences and remembers them. It sends nothing and stores nothing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ingest.errors import PackError


@dataclass(frozen=True, slots=True)
class Presence:
    """One presence of contract v1. What a node left out is `None`; times are Unix milliseconds."""

    node: str
    received_at_ms: int
    online: bool
    hello: str | None = None
    firmware: str | None = None
    board: str | None = None
    boots: int | None = None
    reset: str | None = None
    log: str | None = None
    first: int | None = None
    next: int | None = None
    sensors: tuple[str, ...] = ()
    asleep: bool = False
    next_wake_ms: int | None = None


def decode_presence(payload: bytes, node: str, received_at_ms: int) -> Presence:
    """A presence from its JSON. Unknown fields are left alone. Raises `PackError`."""
    try:
        said = json.loads(payload.decode())
    except (ValueError, RecursionError) as error:
        raise PackError("bad_presence", f"presence is no JSON: {error}") from error
    if not isinstance(said, dict) or not isinstance(said.get("online"), bool):
        raise PackError("bad_presence", "presence must be an object with online, true or false")
    next_wake = _whole(said, "next_wake")
    return Presence(
        node=node,
        received_at_ms=received_at_ms,
        online=said["online"],
        hello=_text(said, "hello"),
        firmware=_text(said, "firmware"),
        board=_text(said, "board"),
        boots=_whole(said, "boots"),
        reset=_text(said, "reset"),
        log=_text(said, "log"),
        first=_whole(said, "first"),
        next=_whole(said, "next"),
        sensors=tuple(s for s in said.get("sensors") or () if isinstance(s, str)),
        asleep=said.get("asleep") is True,
        next_wake_ms=next_wake * 1000 if next_wake is not None else None,
    )


def _text(said: Mapping[str, Any], key: str) -> str | None:
    value = said.get(key)
    if value is None or (isinstance(value, str) and len(value) <= 64):
        return value
    raise PackError("bad_presence", f"{key} is {str(value)[:80]!r}: must be a short text")


def _whole(said: Mapping[str, Any], key: str) -> int | None:
    value = said.get(key)
    if value is None or (type(value) is int and 0 <= value < 2**53):
        return value
    raise PackError("bad_presence", f"{key} is {str(value)[:80]!r}: must be a whole number")


class NodeRegistry:
    """The last presence of every node that has ever given one."""

    def __init__(self, presences: Iterable[Presence] = ()) -> None:
        self._presences = {presence.node: presence for presence in presences}

    def take(self, presence: Presence) -> Presence:
        """Remember a presence. A will or a farewell keeps what the node had said of itself."""
        known = self._presences.get(presence.node)
        if not presence.online and known is not None:
            presence = _farewell(known, presence)
        self._presences[presence.node] = presence
        return presence

    def get(self, node: str) -> Presence | None:
        """The last presence of `node`."""
        return self._presences.get(node)

    def online(self) -> int:
        """How many nodes say that they are there."""
        return sum(presence.online for presence in self._presences.values())

    def all(self) -> list[Presence]:
        """Every presence, in no order."""
        return list(self._presences.values())


def _farewell(known: Presence, last: Presence) -> Presence:
    return Presence(
        node=known.node,
        received_at_ms=last.received_at_ms,
        online=False,
        hello=last.hello,
        firmware=known.firmware,
        board=known.board,
        boots=known.boots,
        reset=known.reset,
        log=known.log,
        first=known.first,
        next=known.next,
        sensors=known.sensors,
        asleep=last.asleep,
        next_wake_ms=last.next_wake_ms,
    )
