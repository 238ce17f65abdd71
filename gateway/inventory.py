"""Every node that is declared or has spoken, with what estate and store tell of it.

It reads both and changes neither; how the rows are shown it must not know.
"""

from dataclasses import dataclass, field
from typing import Final

from gateway.co2_sensors import model_of
from gateway.nodes import Co2Report, NodeRegistry
from gateway.presence import stored_presences
from gateway.settings import Settings
from ingest.audit import size_of
from ingest.estate.model import Node
from ingest.estate.watch import EstateWatch
from ingest.readings import MAIN_CHANNEL
from ingest.store.database import FILE_NAME
from ingest.store.reader import StoreReader

REMOVED: Final = "removed"


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One line of the list. Times are Unix milliseconds; `None` is "not known"."""

    node: str
    name: str | None
    model: str | None
    room: str | None
    state: str
    firmware: str | None
    sensors: list[str]
    co2: list[dict[str, object]]
    """Of each CO2 sensor: its name and model, up to what it is specified, whether its baseline is
    corrected automatically, when and to what it was calibrated.
    """
    next_wake_at_ms: int | None
    battery_v: float | None
    last_heard_at_ms: int | None
    last_measured_at_ms: int | None
    missing_packs: int
    lost_packs: int
    dropped_packs: int | None
    rejected_packs: int | None
    refused_by_flash_packs: int | None


def list_nodes(settings: Settings, at_ms: int) -> list[NodeRow]:
    """The rows, declared nodes first in the order of the estate."""
    estate = EstateWatch(settings.estate_file, settings.zone).current
    declared = [node.id for node in estate.nodes]
    known = _Known()
    if (settings.data.dir / FILE_NAME).exists():
        with StoreReader(settings.data.dir) as reader:
            known = _read(reader)
    others = [node for node in known.nodes if node not in set(declared)]
    return [
        _row(node, estate.node(node), estate.placement(node, at_ms), known)
        for node in declared + others
    ]


@dataclass(slots=True)
class _Known:
    """What the store tells of nodes: their presences, last times and gaps (missing, lost)."""

    nodes: list[str] = field(default_factory=list)
    presences: NodeRegistry = field(default_factory=NodeRegistry)
    last_ms: dict[str, int] = field(default_factory=dict)
    heard_ms: dict[str, int] = field(default_factory=dict)
    battery_v: dict[str, float] = field(default_factory=dict)
    gaps: dict[str, tuple[int, int]] = field(default_factory=dict)


def _read(reader: StoreReader) -> _Known:
    said = ((node, *presence) for node, presence in reader.presences().items())
    known = _Known(reader.nodes(), stored_presences(said))
    for series, point in reader.latest():
        node = series.node
        known.last_ms[node] = max(point.measured_at_ms, known.last_ms.get(node, 0))
        known.heard_ms[node] = max(point.received_at_ms, known.heard_ms.get(node, 0))
        if series.quantity == "battery" and series.channel == MAIN_CHANNEL:
            known.battery_v[node] = point.value
    for presence in known.presences.all():
        heard = known.heard_ms.get(presence.node, 0)
        known.heard_ms[presence.node] = max(presence.received_at_ms, heard)
    for log in reader.logs():
        missing, lost = known.gaps.get(log.node, (0, 0))
        known.gaps[log.node] = (missing + size_of(log.missing()), lost + size_of(log.lost()))
    return known


def _row(node: str, declared: Node | None, room: str | None, known: _Known) -> NodeRow:
    presence = known.presences.get(node)
    missing, lost = known.gaps.get(node, (0, 0))
    return NodeRow(
        node=node,
        name=declared.name if declared else None,
        model=declared.model if declared else None,
        room=room,
        state=_state_of(node, declared, known),
        firmware=presence.firmware if presence else None,
        sensors=list(presence.sensors) if presence else [],
        co2=[_co2(one, declared) for one in presence.co2] if presence else [],
        next_wake_at_ms=known.presences.awake_at_ms(node),
        battery_v=known.battery_v.get(node),
        last_heard_at_ms=known.heard_ms.get(node),
        last_measured_at_ms=known.last_ms.get(node),
        missing_packs=missing,
        lost_packs=lost,
        dropped_packs=presence.dropped if presence else None,
        rejected_packs=presence.rejected if presence else None,
        refused_by_flash_packs=presence.lost if presence else None,
    )


def _co2(report: Co2Report, declared: Node | None) -> dict[str, object]:
    model = model_of(report, declared.model if declared else None)
    at_s = report.calibrated_at
    return {
        "sensor": report.sensor,
        "model": model.name,
        "specified_to_ppm": model.specified_to_ppm,
        "abc": report.abc,
        "calibrated_at_ms": None if at_s is None else at_s * 1000,
        "calibrated_ppm": report.calibrated_ppm,
    }


def _state_of(node: str, declared: Node | None, known: _Known) -> str:
    """A node that speaks after it was taken out of service is there."""
    presence = known.presences.get(node)
    if declared is not None and declared.is_gone(known.heard_ms.get(node)):
        return REMOVED
    if presence is None:
        return "no presence" if node in known.last_ms else "never seen"
    if presence.online:
        return "online"
    return "asleep" if presence.asleep else "offline"
