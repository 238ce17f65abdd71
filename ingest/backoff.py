"""Waiting times between tries: doubling, capped, with jitter so that a crowd spreads out."""

import random
from collections.abc import Iterator


def backoff_s(first_s: float = 0.5, cap_s: float = 30.0) -> Iterator[float]:
    """Endless waiting times in seconds, each between half and all of a doubling limit."""
    limit_s = first_s
    while True:
        yield limit_s * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing
        limit_s = min(cap_s, limit_s * 2)
