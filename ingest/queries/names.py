"""What measurements and fields are called in InfluxDB, by quantity. The catalogue decides."""

from typing import Final

from ingest.quantities import QUANTITIES

ROOM_AIR: Final = "room_air"
NODE_HEALTH: Final = "node_health"
MEASUREMENTS: Final = (ROOM_AIR, NODE_HEALTH)

_QUALITY: Final = "_quality"


def measurement_of(quantity: str) -> str:
    """`room_air` for what describes the room, `node_health` for what describes the node."""
    known = QUANTITIES.get(quantity)
    return ROOM_AIR if known is not None and known.room_air else NODE_HEALTH


def quality_of(quantity: str) -> str:
    """The field that holds the quality of `quantity`."""
    return quantity + _QUALITY


def quantity_of(field: str) -> str:
    """The quantity that a field belongs to, as value or as quality."""
    return field.removesuffix(_QUALITY)


def is_boolean(quantity: str) -> bool:
    """Whether its field is the integer 0 or 1."""
    known = QUANTITIES.get(quantity)
    return known is not None and known.kind == "boolean"
