"""Keeps what is only remembered, and can be found out again, from growing without end.

Nodes are named by whoever may publish: 200,000 invented ones were 300 MB of caches.
"""

import logging
from functools import cache
from itertools import islice
from typing import Any, Final

_log = logging.getLogger(__name__)

KNOWN_AT_ONCE: Final = 30_000
"""Nodes: three times as many as one gateway was measured with."""


SHOWN_AT_MOST: Final = 100_000
"""Nodes that pages and receipts know of; of those that come later the store alone knows."""


def is_crowded(known: dict[Any, Any], node: str) -> bool:
    """Whether `node` is one too many to be remembered; said when that begins."""
    if node in known or len(known) < SHOWN_AT_MOST:
        return False
    _warn_once()
    return True


@cache
def _warn_once() -> None:
    _log.warning(
        "over %d nodes have sent something: later ones are stored, and not shown. Somebody invents "
        "names, or this is an estate for several gateways",
        SHOWN_AT_MOST,
    )


def forget_oldest(known: dict[Any, Any], most: int = KNOWN_AT_ONCE) -> None:
    """Where `known` has over `most` entries, drop the older half of them."""
    if len(known) > most:
        for key in list(islice(known, len(known) // 2)):
            del known[key]
