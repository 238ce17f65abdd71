"""What goes wrong in a town, as data: from when to when, and where.

Faults of buildings are played by `simulators.heating`, those of chips by `simulators.sensors`.
They know neither.
"""

from dataclasses import dataclass

ALWAYS_MS = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is wrong from `since_ms` to before `until_ms`."""

    since_ms: int = 0
    until_ms: int = ALWAYS_MS

    def __post_init__(self) -> None:
        if self.since_ms >= self.until_ms:
            raise ValueError(f"until_ms = {self.until_ms!r}: must be later than since_ms")

    def holds(self, at_ms: int) -> bool:
        """Whether it is wrong at that time."""
        return self.since_ms <= at_ms < self.until_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingFault(Fault):
    """Something wrong with the heating of a building, named `site/building`."""

    building: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOnWinterTime(BuildingFault):
    """The heating's clock was not put forward: in summer all its hours come an hour late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoilerDown(BuildingFault):
    """No heat at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatingLeftOn(BuildingFault):
    """Nobody has set it back: comfort by day and night, weekends and holidays included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckValve(Fault):
    """The radiators of the room `site/room` pass on a fixed share of what the boiler gives."""

    room: str
    opening: float = 1.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if not 0 <= self.opening <= 1:
            raise ValueError(f"opening = {self.opening!r}: must lie between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipFault(Fault):
    """Something wrong with a chip of a node; `chip` as `simulators.chips` names it."""

    node: str
    chip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen(ChipFault):
    """It says for ever what it said when that began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spikes(ChipFault):
    """Now and then a value is far off, by `height` in units of the quantity."""

    share: float = 0.01
    height: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOnValue(ChipFault):
    """A DS18B20 whose supply drops says 85.0, the value that it starts with."""

    share: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected(ChipFault):
    """No answer on the bus, hence no reading; `value` is what some libraries report instead."""

    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksumErrors(ChipFault):
    """A share of the answers is garbled, which the driver notices by the checksum: no reading."""

    share: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineDrift(ChipFault):
    """The zero of a CO2 sensor moves by so much a year: its own correction is off or misled."""

    ppm_a_year: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WornBattery(Fault):
    """An old cell: `resistance` times that of a new one, so that it sags, most in the cold."""

    node: str
    resistance: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongClock(Fault):
    """A node takes its readings for measured `ahead_s` later than they were; less than 0 is behind.

    It holds for what is measured from `since_ms` to before `until_ms`, by the right clock.
    """

    node: str
    ahead_s: int
