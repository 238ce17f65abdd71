"""`preau node list`: every node that is declared or has spoken, with what it last said."""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from gateway.commands.options import json_option, settings_option
from gateway.nodes import NodeRegistry, Presence
from gateway.presence import stored_presences
from gateway.settings import Settings, load_settings
from ingest.audit import size_of
from ingest.estate.watch import EstateWatch
from ingest.store.database import FILE_NAME
from ingest.store.reader import StoreReader


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One line of the list. Times are Unix milliseconds; `None` is "not known"."""

    node: str
    room: str | None
    state: str
    firmware: str | None
    sensors: list[str]
    last_measured_at_ms: int | None
    missing_packs: int
    lost_packs: int
    dropped_packs: int | None
    rejected_packs: int | None


@click.command(
    epilog="Example: preau node list --json | jq '.[] | select(.state != \"online\")'",
    short_help="List nodes: room, state, firmware, last reading.",
)
@settings_option
@json_option
def command(settings_file: Path | None, *, as_json: bool) -> None:
    """List every node that the estate declares or that has spoken.

    Missing packs are numbers that a node gave and that have not arrived yet; lost packs are those
    that it says it let go. Dropped and rejected packs are what the node itself counts: let go
    by a full outbox, and set aside because they were never receipted.
    """
    rows = list_nodes(load_settings(settings_file), time.time_ns() // 1_000_000)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    if not rows:
        click.echo("No node is declared in the estate, and none has spoken yet.")
    for row in rows:
        click.echo(_line(row))


def list_nodes(settings: Settings, now_ms: int) -> list[NodeRow]:
    """The rows, declared nodes first in the order of the estate."""
    estate = EstateWatch(settings.estate_file, settings.zone).current
    declared = [node.id for node in estate.nodes]
    known = _Known()
    if (settings.data.dir / FILE_NAME).exists():
        with StoreReader(settings.data.dir) as reader:
            known = _read(reader)
    others = [node for node in known.nodes if node not in set(declared)]
    return [_row(node, estate.placement(node, now_ms), known) for node in declared + others]


@dataclass(slots=True)
class _Known:
    """What the store tells of nodes: their presences, last times and gaps (missing, lost)."""

    nodes: list[str] = field(default_factory=list)
    presences: NodeRegistry = field(default_factory=NodeRegistry)
    last_ms: dict[str, int] = field(default_factory=dict)
    gaps: dict[str, tuple[int, int]] = field(default_factory=dict)


def _read(reader: StoreReader) -> _Known:
    said = ((node, *presence) for node, presence in reader.presences().items())
    known = _Known(reader.nodes(), stored_presences(said))
    for series, point in reader.latest():
        known.last_ms[series.node] = max(point.measured_at_ms, known.last_ms.get(series.node, 0))
    for log in reader.logs():
        missing, lost = known.gaps.get(log.node, (0, 0))
        known.gaps[log.node] = (missing + size_of(log.missing()), lost + size_of(log.lost()))
    return known


def _row(node: str, room: str | None, known: _Known) -> NodeRow:
    presence = known.presences.get(node)
    missing, lost = known.gaps.get(node, (0, 0))
    return NodeRow(
        node=node,
        room=room,
        state=_state(presence, has_readings=node in known.last_ms),
        firmware=presence.firmware if presence else None,
        sensors=list(presence.sensors) if presence else [],
        last_measured_at_ms=known.last_ms.get(node),
        missing_packs=missing,
        lost_packs=lost,
        dropped_packs=presence.dropped if presence else None,
        rejected_packs=presence.rejected if presence else None,
    )


def _state(presence: Presence | None, *, has_readings: bool) -> str:
    if presence is None:
        return "no presence" if has_readings else "never seen"
    if presence.online:
        return "online"
    return "asleep" if presence.asleep else "offline"


def _line(row: NodeRow) -> str:
    when = "never"
    if row.last_measured_at_ms is not None:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.last_measured_at_ms / 1000))
    gaps = ""
    if row.missing_packs or row.lost_packs:
        gaps = f"  missing {row.missing_packs}, lost {row.lost_packs}"
    if row.dropped_packs or row.rejected_packs:
        gaps += f"  dropped {row.dropped_packs or 0}, rejected {row.rejected_packs or 0}"
    place = row.room or "to be placed"
    return f"{row.node}  {place:<32}  {row.state:<11}  {row.firmware or '-':<8}  {when}{gaps}"
