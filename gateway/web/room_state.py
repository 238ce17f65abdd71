"""How a room stands: its freshest values, how far they may be trusted, and what is to be done.

Pure: estate, latest readings and the time go in, `RoomState` comes out. It knows no words and no
HTTP; texts and templates give the conditions their names.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from gateway.web.trends import Trend
from ingest.estate.model import Estate, Node, RoomPlace, Thresholds
from ingest.latest import LatestReadings
from ingest.readings import MAIN_CHANNEL, Quality
from ingest.store.reader import Point

SHOWN: Final = ("temperature", "co2", "humidity")
"""What a room's card shows, in this order."""
DEFAULT_CADENCE_S: Final = 300
# Cold at night is no news there, and nobody sits there to be cold.
_UNHEATED: Final = frozenset({"outdoor", "technical", "corridor", "sanitary"})

AwakeAt = Callable[[str], int | None]
"""When a node that sleeps has said that it sends again, ms; `None` for one that does not sleep."""
TrendOf = Callable[[str, str, str], Trend | None]
"""The trend of (node, quantity, channel)."""


class Condition(StrEnum):
    """What can be said of a room, the most pressing first."""

    FROST = "frost"
    AIR_NOW = "air_now"
    SILENT = "silent"
    AIR_SOON = "air_soon"
    VERY_HOT = "very_hot"
    COLD = "cold"
    HOT = "hot"
    CHECK = "check"
    UNMEASURED = "unmeasured"
    NO_NODE = "no_node"
    GOOD = "good"

    @property
    def severity(self) -> int:
        """0 for the most pressing."""
        return _SEVERITY[self]


_SEVERITY: Final = {condition: place for place, condition in enumerate(Condition)}


@dataclass(frozen=True, slots=True)
class Measure:
    """The freshest value of one quantity in a room, and which node measured it."""

    quantity: str
    node: str
    channel: str
    value: float
    measured_at_ms: int
    is_stale: bool
    is_bad: bool
    trend: Trend | None


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to see at one moment: `now_ms`, in `zone`."""

    estate: Estate
    latest: LatestReadings
    trend_of: TrendOf
    now_ms: int
    zone: ZoneInfo
    awake_at: AwakeAt = lambda _: None


@dataclass(frozen=True, slots=True)
class RoomState:
    """A room as it stands; `conditions` has at least one, the most pressing first."""

    place: RoomPlace
    nodes: tuple[str, ...]
    measures: Mapping[str, Measure]
    newest_ms: int | None
    is_open: bool | None
    """Whether people are in; `None` where the estate gives no hours."""
    conditions: tuple[Condition, ...]


def room_state(place: RoomPlace, look: Look) -> RoomState:
    """The state of one room."""
    nodes = tuple(look.estate.nodes_of(place.ref, look.now_ms))
    measures = {measure.quantity: measure for measure in _measures(nodes, look)}
    newest = max((measure.measured_at_ms for measure in measures.values()), default=None)
    people_in = is_open(place, look.now_ms, look.zone)
    conditions = _conditions(place, measures, look.estate.thresholds, people_in=people_in)
    if not nodes:
        conditions = (Condition.NO_NODE,)
    return RoomState(place, nodes, measures, newest, people_in, conditions)


def patience_ms(estate: Estate, node: str) -> float:
    """For how long a node may send nothing before it counts as silent."""
    declared: Node | None = estate.node(node)
    cadence_s = declared.cadence_s if declared is not None else DEFAULT_CADENCE_S
    return cadence_s * 1000 * estate.thresholds.silent_after_cadences


def is_open(place: RoomPlace, at_ms: int, zone: ZoneInfo) -> bool | None:
    """Whether people are in, by the hours of an ordinary week; `None` where none are given."""
    if place.hours is None:
        return None
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    minute = local.hour * 60 + local.minute
    return any(span.start <= minute < span.end for span in place.hours.of(local.weekday()))


def _measures(nodes: Iterable[str], look: Look) -> Iterable[Measure]:
    candidates: dict[str, list[tuple[tuple[bool, bool, int], str, str, Point]]] = {}
    for node in nodes:
        stay_since = _since(look.estate, node, look.now_ms)
        for (quantity, channel), point in look.latest.of_node(node).items():
            if quantity in SHOWN and point.measured_at_ms >= stay_since:
                # A trusted value before a doubtful one, the room's own channel before another's.
                rank = (
                    point.quality < Quality.BAD,
                    channel == MAIN_CHANNEL,
                    point.measured_at_ms,
                )
                candidates.setdefault(quantity, []).append((rank, node, channel, point))
    for quantity, found in candidates.items():
        _, node, channel, point = max(found)
        yield Measure(
            quantity,
            node,
            channel,
            point.value,
            point.measured_at_ms,
            is_stale=_is_stale(node, point.measured_at_ms, look),
            is_bad=point.quality >= Quality.BAD,
            trend=look.trend_of(node, quantity, channel),
        )


def _is_stale(node: str, measured_at_ms: int, look: Look) -> bool:
    """A node that sleeps is silent only when it does not wake as it has said."""
    heard_until_ms = max(measured_at_ms, look.awake_at(node) or 0)
    return look.now_ms - heard_until_ms > patience_ms(look.estate, node)


def _since(estate: Estate, node: str, now_ms: int) -> int:
    """When the node came into the room where it is: what it said before is another room's."""
    return max(
        (stay.since_ms for stay in estate.placements_of_node(node) if stay.covers(now_ms)),
        default=now_ms,
    )


def _conditions(
    place: RoomPlace,
    measures: Mapping[str, Measure],
    limits: Thresholds,
    *,
    people_in: bool | None,
) -> tuple[Condition, ...]:
    if not measures:
        return (Condition.UNMEASURED,)
    if all(measure.is_stale for measure in measures.values()):
        return (Condition.SILENT,)
    trusted = {
        name: measure.value
        for name, measure in measures.items()
        if not measure.is_stale and not measure.is_bad
    }
    found = [
        _of_air(trusted.get("co2"), limits),
        _of_temperature(place, trusted.get("temperature"), limits, people_in=people_in),
        Condition.CHECK if len(trusted) < len(measures) else None,
    ]
    named = sorted((each for each in found if each is not None), key=lambda each: each.severity)
    return tuple(named) or (Condition.GOOD,)


def _of_air(co2_ppm: float | None, limits: Thresholds) -> Condition | None:
    if co2_ppm is None or co2_ppm <= limits.co2_attention_ppm:
        return None
    return Condition.AIR_NOW if co2_ppm > limits.co2_insufficient_ppm else Condition.AIR_SOON


def _of_temperature(
    place: RoomPlace, degrees: float | None, limits: Thresholds, *, people_in: bool | None
) -> Condition | None:
    if degrees is None or place.room.profile == "outdoor":
        return None
    if degrees <= limits.frost_warning_c:
        return Condition.FROST
    if degrees > limits.very_hot_c:
        return Condition.VERY_HOT
    if degrees > limits.hot_c:
        return Condition.HOT
    # Heating is lowered when nobody is in: that a room is cold then is as it should be.
    if degrees < limits.cold_c and people_in is not False and place.room.profile not in _UNHEATED:
        return Condition.COLD
    return None
