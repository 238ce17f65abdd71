"""Keeps what is only remembered, and can be found out again, from growing without end.

Nodes are named by whoever may publish: 200,000 invented ones were 300 MB of caches.
"""

from itertools import islice
from typing import Any, Final

KNOWN_AT_ONCE: Final = 30_000
"""Nodes: three times as many as one gateway was measured with."""


def forget_oldest(known: dict[Any, Any], most: int = KNOWN_AT_ONCE) -> None:
    """Where `known` has over `most` entries, drop the older half of them."""
    if len(known) > most:
        for key in list(islice(known, len(known) // 2)):
            del known[key]
