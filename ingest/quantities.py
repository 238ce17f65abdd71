"""The catalogue of what Préau measures: one entry a quantity, and nothing else to change.

It holds units, physical limits and the codes by which a sensor says that it has failed. It knows
neither packs nor stores.
"""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

Kind = Literal["number", "boolean"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity of the contract.

    `minimum` and `maximum` are the limits of what a working sensor can report indoors and
    outdoors in France, in `unit`; beyond them a value is bad. `error_codes` are values that a chip
    reports instead of a measurement. `max_step` is the largest credible change between two
    readings at most ten minutes apart; `frozen_after` is how many identical values in a row make
    a reading suspect (`None`: a constant value is normal).
    """

    name: str
    unit: str | None
    minimum: float
    maximum: float
    decimals: int
    error_codes: frozenset[float] = field(default=frozenset())
    max_step: float | None = None
    frozen_after: int | None = None
    kind: Kind = "number"
    room_air: bool = False
    """Describes the room (and not the node): goes to the measurement `room_air`."""

    has_history: bool = field(init=False)
    """A value is judged by those before it as well."""

    def __post_init__(self) -> None:
        has_history = self.max_step is not None or self.frozen_after is not None
        object.__setattr__(self, "has_history", has_history)


def _catalogue(*quantities: Quantity) -> MappingProxyType[str, Quantity]:
    return MappingProxyType({quantity.name: quantity for quantity in quantities})


# DS18B20: 85.0 is its power-on value; -127 is what common libraries return for a lost probe.
_DS18B20_ERRORS: Final = frozenset({85.0, -127.0})

QUANTITIES: Final = _catalogue(
    Quantity("temperature", "Cel", -40, 85, 2, _DS18B20_ERRORS, 10, 720, room_air=True),
    Quantity("humidity", "%RH", 0, 100, 1, frozenset(), 40, 720, room_air=True),
    # Below 400 ppm reveals a calibration fault and must be shown, hence stored as measured.
    Quantity("co2", "ppm", 0, 10_000, 0, frozenset(), 3000, 720, room_air=True),
    Quantity("pressure", "hPa", 800, 1100, 2, frozenset(), 20, 2880, room_air=True),
    Quantity("illuminance", "lx", 0, 200_000, 0, room_air=True),
    Quantity("pm2_5", "ug/m3", 0, 1000, 1, room_air=True),
    Quantity("motion", None, 0, 1, 0, kind="boolean", room_air=True),
    Quantity("opening", None, 0, 1, 0, kind="boolean", room_air=True),
    Quantity("pipe_temperature", "Cel", -40, 125, 2, _DS18B20_ERRORS, room_air=True),
    Quantity("energy", "Wh", 0, 1e12, 0, room_air=True),
    Quantity("battery", "V", 0, 30, 3),
    Quantity("rssi", "dBm", -127, 0, 0),
    Quantity("uptime", "s", 0, 4e9, 0),
    Quantity("heap_free", "B", 0, 1e8, 0),
    Quantity("heap_largest", "B", 0, 1e8, 0),
    Quantity("outbox", "count", 0, 1e9, 0),
)
