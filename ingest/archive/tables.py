"""The tables of an export, their columns and what the Table Schema beside them says of each.

It knows no file format: rows hold plain values, times as Unix milliseconds.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from ingest.quantities import QUANTITIES
from ingest.readings import Quality, TimeSource

Kind = Literal["datetime", "string", "number", "integer"]
Value = str | float | int | None
Row = tuple[Value, ...]
"""Values in the order of a table's columns; of a `datetime` Unix milliseconds, `None`: unknown."""

QUALITIES: Final = tuple(quality.name.lower() for quality in Quality)
TIME_SOURCES: Final = tuple(source.name.lower() for source in TimeSource)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, what it holds and, of names, those that there are."""

    name: str
    kind: Kind
    description: str
    required: bool = True
    one_of: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """Its field in a Table Schema (Data Package)."""
        field: dict[str, Any] = {"name": self.name, "type": self.kind}
        if self.kind == "datetime":
            field["format"] = "any"
        field["description"] = self.description
        constraints: dict[str, Any] = {}
        if self.required:
            constraints["required"] = True
        if self.one_of:
            constraints["enum"] = list(self.one_of)
        return field | ({"constraints": constraints} if constraints else {})


@dataclass(frozen=True, slots=True)
class Table:
    """A file of rows. `key` are the columns that no two rows have alike."""

    name: str
    title: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def schema(self) -> dict[str, Any]:
        """Its Table Schema."""
        return {
            "fields": [column.schema() for column in self.columns],
            "missingValues": [""],
            "primaryKey": list(self.key),
        }


_NODE: Final = Column("node", "string", "The board: its MAC, 12 lowercase hex digits")
_QUANTITY: Final = Column("quantity", "string", "What was measured", one_of=tuple(QUANTITIES))
_CHANNEL: Final = Column("channel", "string", "Which of several sensors; main where there is one")
_UNIT: Final = Column(
    "unit", "string", "Of RFC 8428 and RFC 8798; empty for yes and no", required=False
)

READINGS: Final = Table(
    "readings",
    "Readings as they were measured",
    (
        _NODE,
        _QUANTITY,
        _CHANNEL,
        Column("measured_at", "datetime", "When it was measured, UTC"),
        Column("value", "number", "In the unit beside it; yes is 1 and no is 0"),
        _UNIT,
        Column("quality", "string", "How far the value may be trusted", one_of=QUALITIES),
        Column("site", "string", "Where the node was then: id of the site", required=False),
        Column("building", "string", "Id of the building", required=False),
        Column("room", "string", "Id of the room", required=False),
        Column("received_at", "datetime", "When the gateway received it, UTC"),
        Column("time_source", "string", "Who gave the time", one_of=TIME_SOURCES),
    ),
    ("node", "quantity", "channel", "measured_at"),
)
HOURS: Final = Table(
    "hours",
    "Sums by hour of readings that are no longer kept one by one",
    (
        _NODE,
        _QUANTITY,
        _CHANNEL,
        Column("start", "datetime", "The hour's beginning, UTC"),
        _UNIT,
        Column("count", "integer", "Readings that are not bad"),
        Column("sum", "number", "Of these"),
        Column("minimum", "number", "Of these; empty where all were bad", required=False),
        Column("maximum", "number", "Of these; empty where all were bad", required=False),
        Column("bad", "integer", "Readings that are bad"),
    ),
    ("node", "quantity", "channel", "start"),
)
ROOMS: Final = Table(
    "rooms",
    "Rooms, and the buildings and sites that they stand in",
    (
        Column("site", "string", "Id of the site"),
        Column("site_name", "string", "Its name"),
        Column("building", "string", "Id of the building"),
        Column("building_name", "string", "Its name"),
        Column("room", "string", "Id of the room"),
        Column("room_name", "string", "Its name"),
        Column("profile", "string", "What it is used for"),
        Column("area_m2", "number", "Area in square metres", required=False),
        Column("volume_m3", "number", "Volume in cubic metres", required=False),
        Column("exposure", "string", "Where its windows look", required=False),
        Column("seats", "integer", "How many people it is meant for", required=False),
    ),
    ("site", "room"),
)
PLACEMENTS: Final = Table(
    "placements",
    "Which node was in which room, and when",
    (
        _NODE,
        Column("site", "string", "Id of the site"),
        Column("room", "string", "Id of the room"),
        Column("since", "datetime", "From then on, UTC"),
        Column("until", "datetime", "Until before then, UTC; empty: still", required=False),
    ),
    ("node", "since"),
)


def unit_of(quantity: str) -> str | None:
    """The unit of a quantity; `None` for yes and no, and for what is no longer in the catalogue."""
    known = QUANTITIES.get(quantity)
    return None if known is None else known.unit
