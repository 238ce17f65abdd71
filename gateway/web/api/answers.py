"""The answers of API v1. The OpenAPI document's schemas are made from these classes.

Times are ISO 8601 in UTC. Values are in the unit beside them, as RFC 8428 and RFC 8798 write it;
booleans are 0 and 1.
"""

from typing import Literal

import msgspec

from gateway.rollout import NodeState

Quality = Literal["good", "suspect", "bad"]
TimeSource = Literal["node", "reception"]
ConditionName = Literal[
    "frost",
    "air_now",
    "silent",
    "air_soon",
    "very_hot",
    "cold",
    "hot",
    "check",
    "unmeasured",
    "no_node",
    "good",
]


class Answer(msgspec.Struct, kw_only=True):
    """Base of every object in an answer."""


class BuildingAnswer(Answer):
    """A building, and its rooms as `site/room`."""

    id: str
    name: str
    rooms: list[str]


class SiteAnswer(Answer):
    """A school, a nursery, a gymnasium."""

    id: str
    name: str
    buildings: list[BuildingAnswer]


class SitesAnswer(Answer):
    """Every site."""

    name: str | None
    """The town."""
    sites: list[SiteAnswer]


class LatestAnswer(Answer):
    """The last measured reading of one series."""

    node: str
    quantity: str
    channel: str
    unit: str | None
    value: float
    quality: Quality
    measured_at: str


class RoomAnswer(Answer):
    """A room, the nodes in it now, how it stands (the most pressing first) and why."""

    ref: str
    """`site/room`"""
    id: str
    name: str
    site: str
    building: str
    profile: str
    area_m2: float | None
    volume_m3: float | None
    nodes: list[str]
    conditions: list[ConditionName]
    latest: list[LatestAnswer]
    """What the room's card shows: the freshest of temperature, CO2 and humidity."""


class RoomsAnswer(Answer):
    """Rooms, in the order of the estate."""

    rooms: list[RoomAnswer]
    next: str | None
    """Address of the next page; null on the last."""


class UpdateAnswer(Answer):
    """How a node's last update of its firmware went, as it says itself."""

    id: str | None
    """Of the command that offered it."""
    state: str
    """`fetching`, `trial`, `confirmed`, `refused` or `rolled_back`."""
    version: str | None
    """The version that was offered."""
    error: str | None


class Co2SensorAnswer(Answer):
    """A CO2 sensor, as its node describes it: what the French rules on indoor air ask for."""

    sensor: str
    """Chip and where it is: `scd4x@0x62`."""
    model: str
    """As its maker calls it; two where the chip does not tell which it is."""
    specified_to_ppm: int | None
    """Up to what its maker specifies it; of two models the lesser. null: not known."""
    abc: bool | None
    """Whether it corrects its baseline automatically; null: it does not tell."""
    calibrated_at: str | None
    """When it was last calibrated on command; null: never."""
    calibrated_ppm: int | None
    """To what."""


class NodeAnswer(Answer):
    """A board: where it is, what it says of itself, what it measured last."""

    id: str
    name: str | None
    declared: bool
    """Whether the estate names it."""
    room: str | None
    """`site/room`; null: to be placed."""
    cadence_s: int | None
    online: bool | None
    """null: it has never said."""
    asleep: bool
    next_wake_at: str | None
    """Until when it sleeps, as it says."""
    firmware: str | None
    board: str | None
    boots: int | None
    refused_by_flash_packs: int
    """How many packs it measured and its flash did not take, as it says."""
    safe_mode: bool
    """Whether repeated crashes have left it with link and updates only."""
    update: UpdateAnswer | None
    settings: int | None
    """The version of the settings it has taken."""
    sensors: list[str]
    co2: list[Co2SensorAnswer]
    last_heard_at: str | None
    latest: list[LatestAnswer]


class NodesAnswer(Answer):
    """Nodes that are declared or were heard, by id."""

    nodes: list[NodeAnswer]
    next: str | None
    """Address of the next page; null on the last."""


class ReadingAnswer(Answer):
    """One stored reading."""

    measured_at: str
    value: float
    quality: Quality
    received_at: str
    time_source: TimeSource
    """`reception`: the node gave the time relative to its sending."""


class AverageAnswer(Answer):
    """The readings of one step that are not bad; `start` is the step's beginning."""

    start: str
    mean: float
    min: float
    max: float
    count: int


class SeriesAnswer(Answer):
    """What one node measured of one quantity: `readings`, or `averages` where a step is given."""

    node: str
    room: str | None
    """The room that was asked for; null where a node was."""
    quantity: str
    channel: str
    unit: str | None
    readings: list[ReadingAnswer] | None
    averages: list[AverageAnswer] | None


class ReadingsAnswer(Answer):
    """A page of readings, by series and then by time. A series may go on on the next page."""

    start: str = msgspec.field(name="from")
    to: str
    step_s: int | None
    series: list[SeriesAnswer]
    next: str | None
    """Address of the next page; null on the last."""


class PayloadAnswer(Answer):
    """The first 16 KiB of a refused message: as text where it is UTF-8, else as base64."""

    encoding: Literal["utf-8", "base64"]
    content: str
    length: int
    """Bytes of the whole message."""


class DeadLetterAnswer(Answer):
    """A message, or a record of one, that could not be used."""

    id: int
    node: str | None
    topic: str
    reason: str
    detail: str
    log: str | None
    seq: int | None
    first_received_at: str
    last_received_at: str
    times: int
    payload: PayloadAnswer


class DeadLettersAnswer(Answer):
    """Dead letters by ascending id."""

    dead_letters: list[DeadLetterAnswer]
    next: str | None
    """Address of the next page; null on the last."""


class CommandAnswer(Answer):
    """What a node replied: `error` is why it did not do it, `log` its last words, `state` how far
    an update is.
    """

    id: str
    ok: bool
    error: str | None
    log: list[str] | None
    correction_ppm: int | None
    state: str | None
    trusts: list[str] | None
    """Fingerprints of the authorities it trusts: SHA-256, its first 16 hex digits."""


class RolloutNodeAnswer(Answer):
    """One node of a rollout."""

    id: str
    step: int
    """1: the first few; 2: a tenth; 3: the rest."""
    state: NodeState
    """`waiting`: left as it is so far; `offered`: until it says that it takes it; then as the node
    says itself; `away`: it did not come, or did not come back.
    """
    error: str | None


class RolloutAnswer(Answer):
    """A firmware on its way to nodes: the rollout under way, or else the last one."""

    id: str
    bundle: str
    version: str
    state: Literal["running", "done", "failed", "stopped"]
    """`failed`: it ended by itself because a node did badly; `stopped`: on order."""
    problem: str | None
    canary: int
    trial_s: int | None
    began_at: str
    ended_at: str | None
    nodes: list[RolloutNodeAnswer]


class ForgetAnswer(Answer):
    """The broker retains nothing of this node any more."""

    node: str


class HealthAnswer(Answer):
    """Whether the service does its job; `problems` are sentences by topic."""

    status: Literal["ok", "failing"]
    broker_connected: bool
    problems: dict[str, str]


class ProblemAnswer(Answer):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
