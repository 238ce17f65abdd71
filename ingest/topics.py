"""The topics of contract v1, and the identities that stand in them.

Strings only: no client, no payload.
"""

import re
from typing import Final, NamedTuple

PREFIX: Final = "preau/v1"
FROM_NODES: Final = ("readings", "presence", "replies")
TO_NODES: Final = ("receipts", "settings", "commands")

_NODE: Final = re.compile(r"[0-9a-f]{12}")
_WRITTEN_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}([:-]?)[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}")
_TOPIC: Final = re.compile(f"{PREFIX}/([0-9a-f]{{12}})/({'|'.join(FROM_NODES + TO_NODES)})")


class Topic(NamedTuple):
    """A topic of ours taken apart: which node, which of its topics."""

    node: str
    kind: str


def is_node_id(text: str) -> bool:
    """Whether `text` is a station MAC as 12 lowercase hex digits."""
    return _NODE.fullmatch(text) is not None


def node_id_in(text: str) -> str | None:
    """The node id that a person wrote as a MAC: any case, with or without `:` or `-` between its
    bytes. `None` where it is none.
    """
    match = _WRITTEN_MAC.fullmatch(text.strip())
    return None if match is None else re.sub("[:-]", "", match[0]).lower()


def topic_of(node: str, kind: str) -> str:
    """`preau/v1/<node>/<kind>`."""
    return f"{PREFIX}/{node}/{kind}"


def parse_topic(topic: str) -> Topic | None:
    """Take a topic apart; `None` where it is not one of contract v1."""
    found = _TOPIC.fullmatch(topic)
    return Topic(found[1], found[2]) if found is not None else None


def subscriptions(nodes: tuple[str, ...] = ("+",)) -> list[str]:
    """What a gateway subscribes to: all that nodes say, of every node or of those given."""
    return [topic_of(node, kind) for node in nodes for kind in FROM_NODES]


def base_name_of(node: str) -> str:
    """SenML base name: `urn:dev:mac:` with the MAC as EUI-64 (RFC 9039 section 4.1) and `_`."""
    return f"urn:dev:mac:{node[:6]}fffe{node[6:]}_"
