"""Publishes what the estate wants of each node: retained settings with a version that rises.

Which version a node got last is kept in the data folder; where that is lost, what nodes say of
themselves is enough to go on. Never a secret: the estate holds none.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec

from gateway.atomic_file import write_atomically
from gateway.mqtt.session import Session
from gateway.nodes import NodeRegistry
from ingest.errors import ConfigurationError
from ingest.estate.model import Estate
from ingest.topics import topic_of

FILE_NAME: Final = "node-settings.json"
_LOOK_S: Final = 1.0
_log = logging.getLogger(__name__)


class Desired(msgspec.Struct, frozen=True):
    """What one node is to have, as it was last published."""

    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
    interval_s: int

    def encoded(self) -> bytes:
        """The payload of the topic `settings`."""
        return msgspec.json.encode(self)


_decoder: Final = msgspec.json.Decoder(dict[str, Desired])


class SettingsDesk:
    """Keeps every node's retained settings in step with the estate."""

    def __init__(
        self,
        session: Session,
        nodes: NodeRegistry,
        estate: Callable[[], Estate],
        is_own: Callable[[str], bool],
        folder: Path,
    ) -> None:
        self._session = session
        self._nodes = nodes
        self._estate = estate
        self._is_own = is_own
        self._file = folder / FILE_NAME
        self._kept = _read(self._file)
        self._connection = 0

    async def keep_loop(self) -> None:
        """Follow estate, nodes and broker for ever."""
        while True:
            if self._session.connected:
                await self._look()
            await asyncio.sleep(_LOOK_S)

    async def _look(self) -> None:
        wanted = {
            node.id: node.interval_s
            for node in self._estate().nodes
            if node.interval_s is not None and node.removed is None and self._is_own(node.id)
        }
        kept = {node: self._next(node, interval_s) for node, interval_s in wanted.items()}
        changed = {node for node, desired in kept.items() if desired != self._kept.get(node)}
        gone = self._kept.keys() - kept.keys()
        if changed or gone:
            # Written first: a version that was published once must never mean something else.
            try:
                await asyncio.to_thread(write_atomically, self._file, msgspec.json.encode(kept))
            except ConfigurationError as error:
                _log.warning("settings of nodes are not published: %s", error)
                return
            self._kept = kept
        if self._session.connections != self._connection:
            # A broker may have lost what it retained.
            self._connection, changed = self._session.connections, set(kept)
        for node in changed:
            self._publish(node, kept[node].encoded())
        for node in gone:
            # An empty retained message is none: the node keeps what it has.
            self._publish(node, b"")

    def _next(self, node: str, interval_s: int) -> Desired:
        """What was published if it still holds, else the same under a version that is newer than
        any that the node can have.
        """
        kept = self._kept.get(node)
        said = self._nodes.get(node)
        has = said.settings or 0 if said is not None else 0
        if kept is not None and kept.interval_s == interval_s and kept.version >= has:
            return kept
        return Desired(max(kept.version if kept else 0, has) + 1, interval_s)

    def _publish(self, node: str, payload: bytes) -> None:
        self._session.publish(topic_of(node, "settings"), payload, qos=1, retain=True)


def _read(file: Path) -> dict[str, Desired]:
    try:
        return _decoder.decode(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("%s can't be read and is made anew: %s", file, error)
        return {}
