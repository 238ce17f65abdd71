"""What the forwarder asks of an InfluxDB, whichever of its two interfaces is spoken."""

from typing import Protocol, Self

from ingest.forwarder.placements import Correction


class InfluxClient(Protocol):
    """A connection to one database, open as long as its `async with`.

    Every method raises `InfluxAwayError`, `InfluxSetupError` or `InfluxRefusedError`.
    """

    async def __aenter__(self) -> Self:
        """Open it; nothing is asked yet."""

    async def __aexit__(self, *exception: object) -> None:
        """Close it."""

    async def write(self, lines: bytes) -> None:
        """Write points with times in milliseconds; they are accepted when it returns."""

    async def delete(self, measurement: str, wrong: Correction) -> None:
        """Delete the points of a measurement that a corrected placement leaves behind."""
