"""Clears what the broker retains of a node that is out of service: its presence and its settings.

A node that is thrown out leaves a last will behind, after it was cleared perhaps: so whatever it
says of being gone is cleared again, until it is heard alive. It decides about no node itself.
"""

from typing import Final

from gateway.mqtt.session import Session
from ingest.errors import TransientError
from ingest.topics import topic_of

_RETAINED: Final = ("presence", "settings")


class RetainedDesk:
    """Clears retained topics, and keeps those of nodes that were cleared clear."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._forgotten: set[str] = set()

    def forget(self, node: str) -> None:
        """Have the broker retain nothing of `node`. Raises `TransientError` without a broker."""
        if not self._session.connected or not self._clear(node):
            raise TransientError("the gateway has no connection to the broker")
        self._forgotten.add(node)

    def heard(self, node: str, *, online: bool) -> None:
        """A presence of `node` has come."""
        if online:
            self._forgotten.discard(node)
        elif node in self._forgotten:
            self._clear(node)

    def _clear(self, node: str) -> bool:
        # An empty retained message is how a topic is cleared (MQTT 3.1.1 §3.3.1.3).
        topics = [topic_of(node, kind) for kind in _RETAINED]
        return all([self._session.publish(topic, b"", qos=1, retain=True) for topic in topics])
