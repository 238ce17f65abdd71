"""The words by which API v1 names what the store keeps as numbers."""

from typing import Final

from gateway.web.api.answers import Quality, TimeSource
from ingest.quantities import QUANTITIES

QUALITIES: Final[tuple[Quality, ...]] = ("good", "suspect", "bad")
TIME_SOURCES: Final[tuple[TimeSource, ...]] = ("node", "reception")


def unit_of(quantity: str) -> str | None:
    """The unit of a quantity; `None` for one that is no longer in the catalogue, or a boolean."""
    known = QUANTITIES.get(quantity)
    return known.unit if known is not None else None
