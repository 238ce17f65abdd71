"""What a check of `preau doctor` is handed and what it answers. It checks nothing itself."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.settings import Settings
from ingest.estate.model import Estate


class Level(StrEnum):
    """How a matter stands."""

    GOOD = "good"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line for the person who asked. Whatever is not good has its remedy."""

    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """What there is to look at: settings that are valid, and the time.

    `estate` is empty where it is invalid or not written yet; `is_running` tells whether a gateway
    holds the data folder now.
    """

    settings: Settings
    estate: Estate
    now_ms: int
    is_running: bool


Check = Callable[[Given], Awaitable[Sequence[Finding]]]
"""A check raises a `PreauError` only where it could not look."""


def good(text: str) -> Finding:
    """All is well."""
    return Finding(Level.GOOD, text)


def warning(text: str, remedy: str) -> Finding:
    """It works, and will not for ever or not for everything."""
    return Finding(Level.WARNING, text, remedy)


def failed(text: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAILED, text, remedy)
