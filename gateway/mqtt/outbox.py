"""QoS 1 messages on their way to the broker, kept until it has confirmed them.

It must not know sockets: it says which packets may be sent now. Held in memory only: what the
gateway publishes with QoS 1 (settings, commands) it can say again after a restart.
"""

from collections import deque
from dataclasses import dataclass

from gateway.mqtt.packets import Version, encode_publish

# A 3.1.1 broker does not say how many it takes at once.
_WINDOW_UNANNOUNCED = 100

# The rest is left to subscriptions: both share one space of ids (§2.2.1).
_LAST_MID = 65533


@dataclass(slots=True)
class _Message:
    topic: bytes
    payload: bytes
    retain: bool
    mid: int = 0
    was_sent: bool = False


class Outbox:
    """Messages in order, at most the broker's window of them unconfirmed at a time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[_Message] = deque()
        self._unconfirmed: dict[int, _Message] = {}
        self._window = 0
        self._last_mid = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._unconfirmed)

    def add(self, topic: bytes, payload: bytes, *, retain: bool) -> bool:
        """Take a message to be sent; False when it is full."""
        if len(self) >= self._size:
            return False
        self._waiting.append(_Message(topic, payload, retain))
        return True

    def start(self, window: int | None, *, session_present: bool) -> None:
        """A new connection: what was sent on an old one and not confirmed comes first again.

        They keep their ids (§4.4), but where the broker has forgotten the session nothing is a
        repeat for it.
        """
        self._window = window or _WINDOW_UNANNOUNCED
        again = list(self._unconfirmed.values())
        self._unconfirmed.clear()
        for message in reversed(again):
            message.was_sent = session_present
            self._waiting.appendleft(message)

    def confirm(self, mid: int) -> None:
        """The broker has it."""
        self._unconfirmed.pop(mid, None)

    def sendable(self, version: Version) -> list[bytes]:
        """The packets that the window leaves room for; they count as sent."""
        packets = []
        while self._waiting and len(self._unconfirmed) < self._window:
            message = self._waiting.popleft()
            message.mid = message.mid or self._next_mid()
            self._unconfirmed[message.mid] = message
            packets.append(
                encode_publish(
                    message.topic,
                    message.payload,
                    version,
                    mid=message.mid,
                    retain=message.retain,
                    again=message.was_sent,
                )
            )
            message.was_sent = True
        return packets

    def _next_mid(self) -> int:
        while True:
            self._last_mid = self._last_mid % _LAST_MID + 1
            if self._last_mid not in self._unconfirmed:
                return self._last_mid
