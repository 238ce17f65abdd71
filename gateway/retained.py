"""Clears what the broker retains of a node that is out of service: its presence and its settings.

Which nodes are, it is told. It decides about none itself, and knows no accounts.
"""

from collections.abc import Callable
from typing import Final

from gateway.mqtt.session import Session
from ingest.errors import TransientError
from ingest.topics import topic_of

_RETAINED: Final = ("presence", "settings")


class RetainedDesk:
    """Clears retained topics, and keeps those of nodes that are out of service clear."""

    def __init__(self, session: Session, is_removed: Callable[[str], bool]) -> None:
        self._session = session
        self._is_removed = is_removed
        # Removed a moment ago: the estate in force may not say so yet.
        self._forgotten: set[str] = set()

    def forget(self, node: str) -> None:
        """Have the broker retain nothing of `node`. Raises `TransientError` without a broker."""
        if not self._session.connected or not self._clear(node):
            raise TransientError("the gateway has no connection to the broker")
        self._forgotten.add(node)

    def heard(self, node: str, *, online: bool) -> None:
        """A presence of `node` has come. Where the broker was not told to throw it out, its last
        will comes after all was cleared.
        """
        if self._is_removed(node):
            self._clear(node)
        elif online:
            self._forgotten.discard(node)
        elif node in self._forgotten:
            self._clear(node)

    def _clear(self, node: str) -> bool:
        # An empty retained message is how a topic is cleared (MQTT 3.1.1 §3.3.1.3).
        topics = [topic_of(node, kind) for kind in _RETAINED]
        taken = [self._session.publish(topic, b"", qos=1, retain=True) for topic in topics]
        return all(taken)
