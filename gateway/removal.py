"""What else happens when a node goes out of service, beside the end of its placement in the estate.

Whoever keeps something for a node elsewhere (an account at the broker, retained topics) adds an
entry here; `preau node remove` does them all. Each must bear being repeated.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class AfterRemoval:
    """One thing to do. `run` returns what it did, as a clause, or raises a `PreauError`."""

    what: str
    """A noun for people: `the broker's account`."""
    run: Callable[[Settings, str], Coroutine[None, None, str]]


AFTER_REMOVAL: Final[tuple[AfterRemoval, ...]] = ()
