"""The filters of one connection: which are wanted, which were asked for, which the broker refused.

It must not know sockets: it says which packet is to be sent next. One request is under way at a
time, of a bounded size, so that a broker gets 30,000 filters in pieces that it can take.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.mqtt import packets
from gateway.mqtt.packets import MalformedPacketError, Version

FILTERS_A_PACKET: Final = 600
"""Those of 200 nodes, about 20 KiB: every broker that we know takes a packet of that size."""

# The outbox leaves these ids free: all share one space of ids (§2.2.1).
_SUBSCRIBE_MID: Final = 65535
_UNSUBSCRIBE_MID: Final = 65534
_REFUSED: Final = 0x80


@dataclass(frozen=True, slots=True)
class _Request:
    kind: int
    filters: tuple[str, ...]


class Subscriptions:
    """What is to be subscribed to. A filter that is wanted anew is asked for before one goes."""

    def __init__(self, filters: Iterable[str]) -> None:
        self.refused: dict[str, int] = {}
        """Wanted filters that the broker said no to, and its reason codes."""
        self._asked: dict[str, None] = {}
        self._waiting: deque[_Request] = deque()
        self._under_way: _Request | None = None
        self.want(filters)

    @property
    def is_settled(self) -> bool:
        """Whether the broker has answered everything."""
        return self._under_way is None and not self._waiting

    @property
    def is_refused(self) -> bool:
        """Whether the broker said no to everything that is wanted."""
        return bool(self._asked) and len(self.refused) == len(self._asked)

    def want(self, filters: Iterable[str]) -> None:
        """From now on exactly these."""
        wanted = dict.fromkeys(filters)
        new = [one for one in wanted if one not in self._asked]
        gone = [one for one in self._asked if one not in wanted]
        self._asked = wanted
        for one in gone:
            self.refused.pop(one, None)
        self._ask(packets.SUBACK, new)
        self._ask(packets.UNSUBACK, gone)

    def drop(self, filters: Iterable[str]) -> None:
        """End what the broker may remember of an earlier time and nobody wants now."""
        self._ask(packets.UNSUBACK, [one for one in filters if one not in self._asked])

    def ask_again(self) -> None:
        """Ask once more for what was refused: an operator may have mended it."""
        if self.is_settled:
            self._ask(packets.SUBACK, list(self.refused))

    def next_packet(self, version: Version) -> bytes | None:
        """The packet to be sent now, if any; it counts as sent."""
        if self._under_way is not None or not self._waiting:
            return None
        request = self._waiting.popleft()
        if request.kind == packets.SUBACK:
            self._under_way = request
            return packets.encode_subscribe(_SUBSCRIBE_MID, request.filters, version)
        if version is Version.MQTT_5:
            self._under_way = request
        # An UNSUBACK of 3.1.1 says nothing, and the embedded broker sends one for each filter
        # that it knew, instead of one for the packet: nobody waits for it.
        return packets.encode_unsubscribe(_UNSUBSCRIBE_MID, request.filters, version)

    def take_answer(self, kind: int, body: bytes, version: Version) -> dict[str, int]:
        """A SUBACK or UNSUBACK; the filters that it refuses, with the reason codes."""
        if kind == packets.UNSUBACK and version is Version.MQTT_311:
            return {}
        request = self._under_way
        mid = packets.decode_message_id(body)
        expected = _SUBSCRIBE_MID if kind == packets.SUBACK else _UNSUBSCRIBE_MID
        if request is None or request.kind != kind or mid != expected:
            raise MalformedPacketError(f"the broker answered a subscription {mid} never sent")
        self._under_way = None
        codes = packets.decode_suback(body, version)
        if len(codes) != len(request.filters):
            raise MalformedPacketError(
                f"the broker answered {len(request.filters)} subscriptions with {len(codes)} codes"
            )
        refused = {
            one: code for one, code in zip(request.filters, codes, strict=True) if code >= _REFUSED
        }
        if kind == packets.SUBACK:
            self._note(request.filters, refused)
        return refused

    def _ask(self, kind: int, filters: Sequence[str]) -> None:
        for at in range(0, len(filters), FILTERS_A_PACKET):
            self._waiting.append(_Request(kind, tuple(filters[at : at + FILTERS_A_PACKET])))

    def _note(self, filters: Iterable[str], refused: dict[str, int]) -> None:
        for one in filters:
            self.refused.pop(one, None)
        self.refused.update((one, code) for one, code in refused.items() if one in self._asked)
