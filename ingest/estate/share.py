"""Which nodes a gateway serves where several share one broker and one estate.

Pure: an estate, a time and a share go in. Every node belongs to exactly one gateway as long as no
site stands in two lists and one gateway takes the strangers. It must not know settings, brokers or
topics.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from ingest.estate.model import Estate


class Part(NamedTuple):
    """The declared nodes at one time, split into those of a share and those of others.

    `until_ms` is when the next placement begins or ends: until then the split holds.
    """

    own: frozenset[str]
    others: frozenset[str]
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Share:
    """The sites of one gateway, and whether it takes in strangers: nodes that are placed nowhere.

    Without sites it is all of the estate and every stranger.
    """

    sites: frozenset[str] = frozenset()
    strangers: bool = True

    @classmethod
    def of(cls, sites: tuple[str, ...], *, strangers: bool) -> Self:
        """The share that settings name."""
        return cls(frozenset(sites), strangers or not sites)

    @property
    def is_whole(self) -> bool:
        """Whether there is no other gateway."""
        return not self.sites

    def serves(self, estate: Estate, node: str, at_ms: int) -> bool:
        """Whether a node, declared or not, is one of this share at a time."""
        if self.is_whole:
            return True
        site = site_at(estate, node, at_ms)
        return self.strangers if site is None else site in self.sites

    def part(self, estate: Estate, at_ms: int) -> Part:
        """The declared nodes of this share and of others at a time."""
        own = frozenset(node.id for node in estate.nodes if self.serves(estate, node.id, at_ms))
        others = frozenset(node.id for node in estate.nodes) - own
        return Part(own, others, _next_change_ms(estate, at_ms))

    def unknown_sites(self, estate: Estate) -> list[str]:
        """Sites of this share that the estate does not have."""
        return sorted(self.sites - {site.id for site in estate.sites})

    def view(self, estate: Estate, is_heard: Callable[[str], bool]) -> Estate:
        """The estate as this gateway's pages show it: its own sites, and the nodes they concern.

        Those are the nodes that are or were at its sites, those that are placed nowhere if it takes
        them in, and whatever else it has heard of.
        """
        if self.is_whole:
            return estate
        return replace(
            estate,
            sites=tuple(site for site in estate.sites if site.id in self.sites),
            nodes=tuple(
                node
                for node in estate.nodes
                if self._concerns(estate, node.id) or is_heard(node.id)
            ),
        )

    def _concerns(self, estate: Estate, node: str) -> bool:
        stays = estate.placements_of_node(node)
        if not stays:
            return self.strangers
        return any(_site_of(stay.room) in self.sites for stay in stays)


def site_at(estate: Estate, node: str, at_ms: int) -> str | None:
    """The site at which a node is at a time; `None`: nowhere, or unknown."""
    room = estate.placement(node, at_ms)
    return None if room is None else _site_of(room)


def _site_of(room: str) -> str:
    return room.partition("/")[0]


def _next_change_ms(estate: Estate, at_ms: int) -> int | None:
    bounds = (
        bound
        for node in estate.nodes
        for stay in estate.placements_of_node(node.id)
        for bound in (stay.since_ms, stay.until_ms)
        if bound is not None and bound > at_ms
    )
    return min(bounds, default=None)
