"""A scenario that may be run: its tables, its estate, and where each of them was written.

Plain data, made by `load`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from ingest.estate.fields import EstateModel, to_ms
from ingest.estate.model import Estate
from ingest.estate.source import Source
from simulators.scenario.model import ExpectTable, FaultTable, HeadTable, RoomTable

T_co = TypeVar("T_co", bound=EstateModel, covariant=True)


@dataclass(frozen=True, slots=True)
class Entry(Generic[T_co]):
    """A table of an array, and which one it was in the file."""

    index: int
    table: T_co


@dataclass(frozen=True)
class Scenario:
    """A scenario that may be run: valid by itself, and against its estate."""

    name: str
    source: Source
    head: HeadTable
    written: HeadTable
    """As it stands in the file: its head before it was shortened or changed."""
    estate_file: Path
    estate: Estate
    rooms: tuple[RoomTable, ...] = ()
    faults: tuple[Entry[FaultTable], ...] = ()
    expectations: tuple[Entry[ExpectTable], ...] = ()
    is_short: bool = False
    is_recording: bool = False
    asked: tuple[str, ...] = ()
    """Options of the command that no field here tells, so that it can be typed again."""

    @property
    def begin_ms(self) -> int:
        """Unix milliseconds."""
        return to_ms(self.head.begin)

    @property
    def end_ms(self) -> int:
        """Unix milliseconds."""
        return to_ms(self.head.end)

    @property
    def seed(self) -> int:
        """What everything is drawn by."""
        return self.head.seed

    def measured_rooms(self) -> list[str]:
        """The rooms of the estate that have a node at the begin, one for each node."""
        return [
            place.ref
            for place in self.estate.rooms()
            for _ in self.estate.nodes_of(place.ref, self.begin_ms)
        ]

    def with_head(self, **changes: object) -> "Scenario":
        """The same with other seed, nodes or speed."""
        given = {key: value for key, value in changes.items() if value is not None}
        return replace(self, head=self.head.model_copy(update=given))
