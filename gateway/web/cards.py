"""A room's state in words and symbols, ready for a template: what a card and a room page show.

Pure: it joins `RoomState` with texts and formats. Templates decide where things stand, not what.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from gateway.web.formats import UNITS, Formats
from gateway.web.room_state import SHOWN, Condition, Measure, RoomState
from gateway.web.trends import Trend
from ingest.estate.model import Thresholds

ICONS: Final = {
    Condition.GOOD: "circle",
    Condition.AIR_SOON: "triangle",
    Condition.AIR_NOW: "square",
    Condition.FROST: "frost",
    Condition.COLD: "frost",
    Condition.HOT: "sun",
    Condition.VERY_HOT: "sun",
    Condition.SILENT: "ring",
    Condition.CHECK: "question",
    Condition.UNMEASURED: "diamond",
    Condition.NO_NODE: "diamond",
}
"""The symbol of each condition: shapes that differ without their colour."""

_GAUGE_FROM_PPM: Final = 400
_GAUGE_TO_PPM: Final = 2000


@dataclass(frozen=True, slots=True)
class StatusView:
    """One condition as a badge."""

    kind: str
    icon: str
    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class TrendView:
    """An arrow and its word."""

    kind: Trend
    text: str


@dataclass(frozen=True, slots=True)
class ValueView:
    """One quantity of a room; `text` is `None` where it was never measured."""

    quantity: str
    label: str
    text: str | None
    unit: str
    trend: TrendView | None
    node: str | None
    note: str | None
    """Why the value is to be taken with care; `None` where it need not."""
    age: str | None
    exact: str | None
    """Of a value with a note: when it was measured."""


@dataclass(frozen=True, slots=True)
class GaugeView:
    """CO2 on a scale of 0 to 100, and where its bands begin."""

    at: float
    attention: float
    insufficient: float


@dataclass(frozen=True, slots=True)
class Card:
    """A room, ready to be shown."""

    ref: str
    url: str
    name: str
    building: str | None
    statuses: tuple[StatusView, ...]
    values: tuple[ValueView, ...]
    gauge: GaugeView | None
    age: str | None
    exact: str | None
    iso: str | None

    @property
    def kind(self) -> str:
        """The most pressing condition."""
        return self.statuses[0].kind


def card_of(room: RoomState, formats: Formats, limits: Thresholds, now_ms: int) -> Card:
    """The card of one room."""
    place = room.place
    newest = room.newest_ms
    return Card(
        ref=place.ref,
        url=room_url(place.ref),
        name=place.room.name,
        building=place.building.name if len(place.site.buildings) > 1 else None,
        statuses=tuple(_status(condition, room, formats, now_ms) for condition in room.conditions),
        values=tuple(_value(each, room, formats, now_ms) for each in SHOWN),
        gauge=_gauge(room.measures.get("co2"), limits),
        age=None if newest is None else formats.age(newest, now_ms),
        exact=None if newest is None else formats.moment(newest),
        iso=None if newest is None else formats.iso(newest),
    )


def room_url(ref: str) -> str:
    """The page of the room `site/room`."""
    return f"/salles/{quote(ref)}"


def _status(condition: Condition, room: RoomState, formats: Formats, now_ms: int) -> StatusView:
    values = {}
    if condition is Condition.SILENT and room.newest_ms is not None:
        values["span"] = formats.span(now_ms - room.newest_ms)
    is_empty = condition is Condition.GOOD and room.is_open is False
    return StatusView(
        condition,
        ICONS[condition],
        formats.texts(f"status.{condition}", **values),
        formats.texts("advice.closed" if is_empty else f"advice.{condition}"),
    )


def _value(quantity: str, room: RoomState, formats: Formats, now_ms: int) -> ValueView:
    measure = room.measures.get(quantity)
    label = formats.texts(f"quantity.{quantity}")
    if measure is None:
        return ValueView(quantity, label, None, UNITS[quantity], None, None, None, None, None)
    note = _note(measure, formats)
    return ValueView(
        quantity=quantity,
        label=label,
        text=formats.value(quantity, measure.value),
        unit=UNITS[quantity],
        note=note,
        trend=_trend(measure, formats),
        node=measure.node,
        # A trusted value is as old as the card says; with 300 rooms, saying it for each would tell.
        age=formats.age(measure.measured_at_ms, now_ms) if note else None,
        exact=formats.moment(measure.measured_at_ms) if note else None,
    )


def _note(measure: Measure, formats: Formats) -> str | None:
    if measure.is_bad:
        return formats.texts("town.doubtful")
    return formats.texts("town.stale") if measure.is_stale else None


def _trend(measure: Measure, formats: Formats) -> TrendView | None:
    # The trend of an hour that is long past says nothing about now.
    if measure.trend is None or measure.is_stale:
        return None
    return TrendView(measure.trend, formats.texts(f"trend.{measure.trend}"))


def _gauge(co2: Measure | None, limits: Thresholds) -> GaugeView | None:
    if co2 is None or co2.is_bad or co2.is_stale:
        return None
    return GaugeView(
        _on_gauge(co2.value),
        _on_gauge(limits.co2_attention_ppm),
        _on_gauge(limits.co2_insufficient_ppm),
    )


def _on_gauge(ppm: float) -> float:
    share = (ppm - _GAUGE_FROM_PPM) / (_GAUGE_TO_PPM - _GAUGE_FROM_PPM)
    return round(100 * min(1.0, max(0.0, share)), 1)
