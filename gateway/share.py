"""Keeps a gateway to its share of the estate: its subscriptions, what it takes in, what it shows.

The rule itself is `ingest.estate.share`; this follows the estate and the clock. A node that moves
to another gateway is served on for a while, so that there is no gap before the other one has
noticed; what both have taken meanwhile is stored by both, which the audit allows for. Decoding and
storing it must not know.
"""

import asyncio
import logging
import platform
from collections.abc import Callable, Iterator
from typing import Final

from gateway.mqtt.session import Session
from gateway.settings import ShareSettings
from ingest.estate.model import Estate
from ingest.estate.problems import Problem
from ingest.estate.share import Part, Share
from ingest.topics import subscriptions

_log = logging.getLogger(__name__)

HANDOVER_S: Final = 15.0
"""For how long a node is served on that has moved away; the other needs 4 s to read the estate."""

_LOOK_S: Final = 1.0
_ASK_AGAIN_S: Final = 60.0
_CLIENT_ID: Final = "preau-gateway"


class ShareKeeper:
    """What one gateway serves of the estate now. All methods belong to the event loop's thread.

    `is_heard` tells of any node whether this gateway's store knows it.
    """

    def __init__(
        self,
        share: Share,
        estate: Callable[[], Estate],
        is_heard: Callable[[str], bool],
        clock_ms: Callable[[], int],
        *,
        handover_s: float = HANDOVER_S,
    ) -> None:
        self.share = share
        self._estate = estate
        self._is_heard = is_heard
        self._clock_ms = clock_ms
        self._handover_s = handover_s
        self._seen = estate()
        self._computed_at_ms = clock_ms()
        self._part = share.part(self._seen, self._computed_at_ms)
        self._leaving: dict[str, float] = {}
        self._strays: set[str] = set()
        self._refused = self._refused_now()
        self._view = share.view(self._seen, is_heard)
        self._tell()

    @property
    def filters(self) -> list[str]:
        """The topic filters of this share; of every node where it takes strangers in."""
        if self.share.strangers:
            return subscriptions()
        return subscriptions(tuple(sorted(self._part.own | self._leaving.keys())))

    def view(self) -> Estate:
        """The estate that pages and API show: the sites of this share."""
        return self._view

    def takes(self, node: str) -> bool:
        """Whether a message of `node` is ours.

        Only a gateway that has to subscribe to everybody turns some down. Another gets what the
        broker remembers of an earlier process, such as packs of a node that has moved since: they
        are kept, since nobody else may have got them, and the subscription is ended.
        """
        if node in self._refused:
            return False
        if not self.share.strangers and node not in self._part.own and node not in self._leaving:
            self._strays.add(node)
        return True

    def is_own(self, node: str) -> bool:
        """Whether `node` belongs to this gateway now; one that is handed over does not."""
        return node in self._part.own or (self.share.strangers and node not in self._part.others)

    def problem(self) -> str | None:
        """Why readings may be missing here, in words."""
        problems = share_problems(self.share, self._seen)
        return "; ".join(f"{one.key}: {one.reason}" for one in problems) or None

    async def keep_loop(self, session: Session) -> None:
        """Follow the estate and the clock for ever, and have `session` subscribe accordingly."""
        loop = asyncio.get_running_loop()
        asked_at_s = loop.time()
        while True:
            await asyncio.sleep(_LOOK_S)
            if self.look(loop.time()):
                session.subscribe_to(self.filters)
            if self._strays:
                session.drop_subscriptions(self._stray_filters())
            if session.refusal and loop.time() - asked_at_s > _ASK_AGAIN_S:
                asked_at_s = loop.time()
                session.ask_again()

    def look(self, now_s: float) -> bool:
        """Take in what has changed by now, a monotonic time; whether any node comes or goes."""
        before = set(self._leaving)
        self._leaving = {node: end for node, end in self._leaving.items() if end > now_s}
        changed = before != set(self._leaving)
        if self._is_out_of_date():
            changed |= self._compute(now_s)
        if changed:
            self._refused = self._refused_now()
        return changed

    def _is_out_of_date(self) -> bool:
        now_ms, until_ms = self._clock_ms(), self._part.until_ms
        return (
            self._estate() is not self._seen
            # A clock that was set back asks anew.
            or now_ms < self._computed_at_ms
            or (until_ms is not None and now_ms >= until_ms)
            or not self._strays.isdisjoint(self._part.others)
        )

    def _compute(self, now_s: float) -> bool:
        old = self._part
        self._seen, self._computed_at_ms = self._estate(), self._clock_ms()
        self._part = self.share.part(self._seen, self._computed_at_ms)
        for node in self._gone(old):
            self._leaving[node] = now_s + self._handover_s
        for node in self._part.own:
            self._leaving.pop(node, None)
        self._view = self.share.view(self._seen, self._is_heard)
        if (old.own, old.others) == (self._part.own, self._part.others):
            return False
        self._tell()
        return True

    def _gone(self, old: Part) -> frozenset[str]:
        """Nodes that were served under `old` and are not any more."""
        if self.share.strangers:
            return self._part.others - old.others
        return old.own - self._part.own

    def _refused_now(self) -> frozenset[str]:
        if not self.share.strangers:
            return frozenset()
        return self._part.others - self._leaving.keys()

    def _stray_filters(self) -> list[str]:
        strays, self._strays = self._strays, set()
        _log.info("the broker remembered subscriptions to %d nodes that have moved", len(strays))
        return subscriptions(tuple(sorted(strays)))

    def _tell(self) -> None:
        if not self.share.is_whole:
            own, others = len(self._part.own), len(self._part.others)
            _log.info("serving %d nodes, other gateways serve %d", own, others)
        if (problem := self.problem()) is not None:
            _log.warning("%s", problem)


def share_of(settings: ShareSettings) -> Share:
    """The share that the settings name."""
    return Share.of(settings.sites, strangers=settings.strangers)


def client_id_of(settings: ShareSettings) -> str:
    """The MQTT client id of a gateway, the same after every start.

    It comes from what only one gateway may have, the strangers or a site, so that a second one of
    the same share is noticed: each pushes the other off the broker, again and again.
    """
    if not settings.sites or settings.strangers:
        return _CLIENT_ID
    return f"{_CLIENT_ID}-{settings.sites[0]}"


def gateway_name_of(settings: ShareSettings) -> str:
    """What this gateway is called among others: its machine, and its share where it has one."""
    name = platform.node()
    return name if not settings.sites else f"{name} {','.join(settings.sites)}"


def share_problems(share: Share, estate: Estate) -> Iterator[Problem]:
    """What does not fit between a share and the estate."""
    for site in share.unknown_sites(estate):
        yield Problem("settings", None, "share.sites", f"{site!r} is no site of the estate")
