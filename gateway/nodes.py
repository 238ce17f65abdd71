"""What nodes say of themselves: their presences, in memory, as the service last heard them.

It decodes presences and remembers them. It sends nothing and stores nothing.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Final

import msgspec

from gateway.sleep import Sleep
from ingest.errors import PackError
from ingest.forgetting import is_crowded

_MAX_BYTES: Final = 4096

_Text = Annotated[str, msgspec.Meta(max_length=64)]
_Log = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}$")]
_Whole = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
_LATEST_S: Final = 2**33
"""In the year 2242: a time beyond it is none, and no calendar shows it."""
_Second = Annotated[int, msgspec.Meta(ge=0, lt=_LATEST_S)]


class UpdateReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a node's last update went: `fetching`, `trial`, `confirmed`, `refused`, `rolled_back`."""

    id: _Text | None = None
    version: _Text | None = None
    state: _Text
    error: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class Co2Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a node says of a CO2 sensor: `abc` is whether the chip corrects its baseline by itself
    (`None`: it does not tell), `calibrated_at` Unix seconds of the last calibration on command.
    """

    sensor: _Text
    abc: bool | None = None
    calibrated_at: _Second | None = None
    calibrated_ppm: _Whole | None = None


class Presence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One presence of contract v1. What a node left out is `None`; `next_wake` is Unix seconds.

    `node` and `received_at_ms` are the gateway's own and never read from a message.
    """

    node: str = ""
    received_at_ms: int = 0
    online: bool
    hello: _Text | None = None
    firmware: _Text | None = None
    board: _Text | None = None
    boots: _Whole | None = None
    reset: _Text | None = None
    settings: _Whole | None = None
    log: _Log | None = None
    first: _Whole | None = None
    next: _Whole | None = None
    older: tuple[_Log, ...] | None = None
    """Its earlier logs of which it still holds packs; `None` where it does not say."""
    dropped: _Whole | None = None
    """Packs that a full outbox has let go."""
    rejected: _Whole | None = None
    """Packs that were never receipted while later ones were."""
    lost: _Whole | None = None
    """Packs that its flash refused to take: measured, and nowhere to be had."""
    sensors: tuple[_Text, ...] = ()
    failing: tuple[_Text, ...] = ()
    asleep: bool = False
    next_wake: _Whole | None = None
    update: UpdateReport | None = None
    safe: _Whole | None = None
    """Given in safe mode, to which repeated crashes lead: link and updates only."""
    awake_ms: _Whole | None = None
    radio_ms: _Whole | None = None
    """How long its last wake with the radio on took, and the radio of that."""
    settings_error: _Text | None = None
    """Why it does not have the settings that it was sent."""
    co2: Annotated[tuple[Co2Report, ...], msgspec.Meta(max_length=16)] = ()

    @property
    def wakes_at_s(self) -> int | None:
        """Until when it sleeps, in Unix seconds, if it does and says so."""
        if not self.asleep or self.next_wake is None or self.next_wake >= _LATEST_S:
            return None
        return self.next_wake


_decoder: Final = msgspec.json.Decoder(Presence)


def decode_presence(payload: bytes, node: str, received_at_ms: int) -> Presence:
    """A presence from its JSON. Unknown fields are left alone. Raises `PackError`."""
    if len(payload) > _MAX_BYTES:
        raise PackError("bad_presence", f"{len(payload)} bytes, the limit is {_MAX_BYTES} bytes")
    try:
        said = _decoder.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise PackError("bad_presence", f"no presence: {error}") from error
    return msgspec.structs.replace(said, node=node, received_at_ms=received_at_ms)


def encode_presence(presence: Presence) -> bytes:
    """The JSON of a presence, as `decode_presence` reads it."""
    return msgspec.json.encode(msgspec.structs.replace(presence, node="", received_at_ms=0))


class NodeRegistry:
    """The last presence of every node that has ever given one."""

    def __init__(self, presences: Iterable[Presence] = ()) -> None:
        self._presences: dict[str, Presence] = {}
        self._sleeps: dict[str, Sleep] = {}
        for presence in presences:
            self.take(presence)

    def take(self, presence: Presence, *, retained: bool = False) -> Presence:
        """Remember a presence. A will or a farewell keeps what the node had said of itself.

        A live will of an earlier session changes nothing: the broker noticed the end of that
        session after the next had begun. A retained one tells how things stand.
        """
        known = self._presences.get(presence.node)
        if not presence.online and known is not None:
            if known.online and not retained and presence.hello not in (None, known.hello):
                return known
            presence = _farewell(known, presence)
        if not is_crowded(self._presences, presence.node):
            self._presences[presence.node] = presence
            self._note_sleep(presence)
        return presence

    def _note_sleep(self, presence: Presence) -> None:
        until_s = presence.wakes_at_s
        known = self._sleeps.get(presence.node)
        # A retained farewell comes again when the gateway does, with another time of reception.
        if until_s is not None and (known is None or known.until_s != until_s):
            self._sleeps[presence.node] = Sleep(presence.received_at_ms / 1000, until_s)

    def get(self, node: str) -> Presence | None:
        """The last presence of `node`."""
        return self._presences.get(node)

    def awake_at_ms(self, node: str) -> int | None:
        """When `node`, asleep now, has said that it sends again."""
        presence = self._presences.get(node)
        if presence is None or presence.wakes_at_s is None:
            return None
        return presence.wakes_at_s * 1000

    def sleep_of(self, node: str) -> Sleep | None:
        """The last sleep of a node on batteries; `None` where none was ever announced."""
        sleep = self._sleeps.get(node)
        if sleep is None or self._presences[node].asleep:
            return sleep
        return replace(sleep, is_on=False)

    def let_go(self) -> int:
        """How many packs the nodes count as dropped or rejected, all together."""
        return sum((p.dropped or 0) + (p.rejected or 0) for p in self._presences.values())

    def lost(self) -> int:
        """How many packs the nodes' flash did not take, all together."""
        return sum(p.lost or 0 for p in self._presences.values())

    def all(self) -> list[Presence]:
        """Every presence, in no order."""
        return list(self._presences.values())


def _farewell(known: Presence, last: Presence) -> Presence:
    return msgspec.structs.replace(
        known,
        received_at_ms=last.received_at_ms,
        online=False,
        hello=last.hello,
        asleep=last.asleep,
        next_wake=last.next_wake,
        awake_ms=known.awake_ms if last.awake_ms is None else last.awake_ms,
        radio_ms=known.radio_ms if last.radio_ms is None else last.radio_ms,
    )
