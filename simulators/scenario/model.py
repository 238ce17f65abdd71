"""The tables of a scenario file as frozen models: types, limits, reasons.

What one table says of another, and of the estate, is checked in `checks`. It knows no file.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ingest.estate.fields import EstateModel, Instant, Name, until_after_since
from simulators.chips import CATALOGUE

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
_Positive = Annotated[float, Field(gt=0, le=1e6)]
_NotNegative = Annotated[float, Field(ge=0, le=1e6)]
_Count = Annotated[int, Field(ge=0, le=10**9)]

MOST_NODES = 20_000


class SpellTable(EstateModel):
    """Days, both included, that are warmer or colder than the season by `anomaly_k`."""

    first: date
    last: date
    anomaly_k: Annotated[float, Field(ge=-30, le=30)] = 0.0
    cloud: Share | None = None

    @field_validator("last")
    @classmethod
    def _not_before_first(cls, value: date, info: ValidationInfo) -> date:
        if "first" in info.data and value < info.data["first"]:
            raise ValueError("must not be before `first`")
        return value


class WeatherTable(EstateModel):
    """The weather: drawn by the scenario's seed unless it has one of its own."""

    seed: Annotated[int, Field(ge=0)] | None = None
    spell: Annotated[tuple[SpellTable, ...], Field(strict=False)] = ()


class ShortTable(EstateModel):
    """What is different in the short form, which is for tests."""

    begin: Instant | None = None
    end: Instant | None = None
    interval_s: Annotated[int, Field(ge=1, le=3600)] | None = None
    stride_s: Seconds | None = None
    nodes: Annotated[int, Field(ge=1, le=MOST_NODES)] | None = None
    firmware: "Firmware | None" = None
    speed: "Speed | None" = None


Firmware = Literal["all"] | Annotated[int, Field(ge=1, le=MOST_NODES)]
"""How many of the nodes, the first ones, run the real firmware on virtual boards."""

Speed = Literal["full"] | Annotated[float, Field(gt=0, le=100_000)]
"""As fast as possible, or so many times as fast as life."""


class HeadTable(EstateModel):
    """What a scenario is about: everything but its rooms, faults and expectations."""

    about: Name | None = None
    estate: str = "demo"
    """The demo town, or a file beside the scenario."""
    begin: Instant
    end: Instant
    seed: Annotated[int, Field(ge=0)] = 1
    interval_s: Annotated[int, Field(ge=1, le=3600)] = 300
    stride_s: Seconds = 3600
    """At full speed the clock moves by so much at once, if nothing happens in between."""
    nodes: Annotated[int, Field(ge=1, le=MOST_NODES)] | None = None
    """Fewer than the estate has, or more, in copies of it; all of the estate if left out."""
    firmware: Firmware | None = None
    power: Literal["mains", "battery"] = "mains"
    speed: Speed = "full"
    sessions: Literal["own", "shared"] = "own"
    """Whether each node has an MQTT session of its own, as in life, or all have one together."""
    broker: Literal["auto", "mosquitto", "embedded"] = "auto"
    influxdb: bool = False
    patience_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """For so long, in real seconds, nothing may move before the run is given up."""
    weather: WeatherTable = WeatherTable()
    short: ShortTable | None = None

    @field_validator("end")
    @classmethod
    def _after_begin(cls, value: datetime, info: ValidationInfo) -> datetime:
        if "begin" in info.data and value <= info.data["begin"]:
            raise ValueError("must be later than `begin`")
        return value

    @model_validator(mode="after")
    def _short_is_a_period(self) -> "HeadTable":
        if self.short is not None:
            begin, end = self.short.begin or self.begin, self.short.end or self.end
            if begin >= end:
                raise ValueError("in its short form it ends before it begins")
        return self

    def firmware_of(self, nodes: int) -> int:
        """How many of so many nodes run the real firmware."""
        return nodes if self.firmware == "all" else self.firmware or 0

    def shortened(self) -> "HeadTable":
        """The short form; itself where it has none."""
        if self.short is None:
            return self
        given = self.short.model_dump(exclude_none=True)
        return self.model_copy(update={**given, "short": None})


UseName = Literal["class", "nursery", "library", "canteen", "dormitory", "nobody"]


class RoomTable(EstateModel):
    """How a room is built, used and aired, where it differs from what its profile suggests."""

    ref: str
    use: UseName | None = None
    people: Annotated[int, Field(ge=0, le=2000)] | None = None
    floor_m2: _Positive | None = None
    volume_m3: _Positive | None = None
    opaque_w_k: _Positive | None = None
    windows_w_k: _NotNegative | None = None
    glazing_m2: _NotNegative | None = None
    leak_ach: _Positive | None = None
    ventilation_m3_h: _NotNegative | None = None
    heater_w: _NotNegative | None = None
    airing: Share | None = None
    airing_ppm: _Positive | None = None
    valve_c: Annotated[float, Field(ge=5, le=30)] | None = None
    chips: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None

    @field_validator("chips")
    @classmethod
    def _known(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for chip in value or ():
            if chip not in CATALOGUE:
                raise ValueError(f"{chip!r} is no chip known here: {', '.join(CATALOGUE)}")
        return value


class FaultTable(EstateModel):
    """Something that goes wrong: from `since` on, or so many `times`, drawn by the seed."""

    what: str
    since: Instant | None = None
    until: Instant | None = None
    times: Annotated[int, Field(ge=1, le=1000)] | None = None
    lasting_s: Annotated[int, Field(ge=0, le=366 * 86_400)] = 0
    """How long each of the drawn ones lasts."""
    short: bool = True
    """It happens in the short form too."""

    _later = field_validator("until")(until_after_since)

    @model_validator(mode="after")
    def _one_way_of_saying_when(self) -> "FaultTable":
        if (self.since is None) == (self.times is None):
            raise ValueError("give either `since`, when it begins, or `times`, how often")
        if self.until is not None and self.times is not None:
            raise ValueError("`until` goes with `since`; drawn ones last `lasting_s`")
        if self.since is not None and self.lasting_s:
            raise ValueError("`lasting_s` goes with `times`; with `since` write `until`")
        return self


class SystemFault(FaultTable):
    """Of a server: broker, gateway or InfluxDB."""

    what: Literal["broker_down", "gateway_killed", "influxdb_down"]


class NodesFault(FaultTable):
    """Of all nodes, or of those in some rooms: their network, or their power."""

    what: Literal["link_cut", "power_cut"]
    rooms: Annotated[tuple[str, ...], Field(strict=False)] = ()


class HostilePayloads(FaultTable):
    """Somebody publishes what is no pack, at the begin of the fault."""

    what: Literal["hostile_payloads"]
    count: Annotated[int, Field(ge=1, le=100_000)] = 200


class RoomFault(FaultTable):
    """Of the nodes in one room."""

    room: str


class ClockFault(RoomFault):
    """A node's clock is ahead, or behind where the number is below 0."""

    what: Literal["wrong_clock"]
    ahead_s: Annotated[int, Field(ge=-(10**9), le=10**9)]


class BatteryFault(RoomFault):
    """An old cell."""

    what: Literal["worn_battery"]
    resistance: _Positive = 4.0


class ValveFault(RoomFault):
    """A radiator's valve that does not move any more."""

    what: Literal["stuck_valve"]
    opening: Share = 1.0


class ChipFaultTable(RoomFault):
    """A chip that says the same for ever, or whose baseline drifts."""

    what: Literal["frozen", "baseline_drift"]
    chip: str
    ppm_a_year: Annotated[float, Field(ge=-5000, le=5000)] = 120.0


class ShareFault(RoomFault):
    """A chip that is wrong now and then."""

    what: Literal["spikes", "power_on_value", "checksum_errors"]
    chip: str
    share: Share = 0.05
    height: Annotated[float, Field(ge=-1000, le=10_000)] = 15.0


class DisconnectedFault(RoomFault):
    """A chip that does not answer; some libraries report a value all the same."""

    what: Literal["disconnected"]
    chip: str
    value: float | None = None


class BuildingFaultTable(FaultTable):
    """Of the heating of a building."""

    what: Literal["clock_on_winter_time", "boiler_down", "heating_left_on"]
    building: str


class ExpectTable(EstateModel):
    """Something that has to hold."""

    what: str
    short: bool = True
    """It has to hold in the short form too."""


class Account(ExpectTable):
    """All that nodes have taken is there, once, in the store or in InfluxDB."""

    what: Literal["nothing_missing", "nothing_twice", "influxdb_has_all"]


class Bounded(ExpectTable):
    """A number that lies within bounds."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _has_a_bound(cls, values: Any) -> Any:
        if isinstance(values, dict) and not {"at_least", "at_most"} & values.keys():
            raise ValueError("give `at_least`, `at_most` or both")
        return values

    @field_validator("at_most")
    @classmethod
    def _not_below(cls, value: float | None, info: ValidationInfo) -> float | None:
        low = info.data.get("at_least")
        if value is not None and low is not None and value < low:
            raise ValueError("must not be below `at_least`")
        return value


class OfRoom(Bounded):
    """Of one room, over a period: that of the scenario if none is given."""

    room: str
    since: Instant | None = None
    until: Instant | None = None

    _later = field_validator("until")(until_after_since)


class Level(OfRoom):
    """What was measured in a room: each value, or one that stands for all."""

    what: Literal["temperature", "humidity", "co2", "battery"]
    of: Literal["each", "mean", "highest", "lowest"] = "each"
    when: Literal["always", "occupied", "unoccupied"] = "always"


class IconeExpected(OfRoom):
    """The index of stuffiness, over the time that people are in."""

    what: Literal["icone"]


class Judged(OfRoom):
    """How many readings of a room got a quality."""

    what: Literal["quality"]
    quantity: Literal["temperature", "humidity", "co2", "battery"]
    quality: Literal["good", "suspect", "bad"]


class Letters(Bounded):
    """How many dead letters there are, of one reason or of all."""

    what: Literal["dead_letters"]
    reason: str | None = None


class Memory(ExpectTable):
    """The resident memory of the gateway, which then is a process of its own."""

    what: Literal["memory"]
    at_most_mib: _Positive


class Overview(ExpectTable):
    """What the overview says of a room at a moment, or does not say: the conditions of the API."""

    what: Literal["overview"]
    room: str
    at: Instant | None = None
    says: str | None = None
    says_not: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Overview":
        if (self.says is None) == (self.says_not is None):
            raise ValueError("give either `says` or `says_not`")
        return self


FAULTS: tuple[type[FaultTable], ...] = (
    SystemFault,
    NodesFault,
    HostilePayloads,
    ClockFault,
    BatteryFault,
    ValveFault,
    ChipFaultTable,
    ShareFault,
    DisconnectedFault,
    BuildingFaultTable,
)
EXPECTATIONS: tuple[type[ExpectTable], ...] = (
    Account,
    Level,
    IconeExpected,
    Judged,
    Letters,
    Memory,
    Overview,
)
