"""`preau node list`: every node that is declared or has spoken, with what it last said."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from gateway.clock import now_ms
from gateway.commands.options import json_option, settings_option
from gateway.inventory import REMOVED, NodeRow, list_nodes
from gateway.settings import load_settings

_CELLS: Final = "{:<12}  {:<32}  {:<11}  {:<7}  {:<8}  {:<16}  {:<16}"
_HEADER: Final = _CELLS.format(
    "NODE", "ROOM", "STATE", "BATTERY", "FIRMWARE", "HEARD", "MEASURED"
).rstrip()


@click.command(
    epilog="Example: preau node list --json | jq '.[] | select(.state != \"online\")'",
    short_help="List nodes: room, state, last heard, battery, firmware.",
)
@click.option("--room", metavar="SITE[/ROOM]", help="Only those of a site, or of a room.")
@click.option("--removed", "with_removed", is_flag=True, help="Those out of service as well.")
@settings_option
@json_option
def command(
    settings_file: Path | None, *, room: str | None, with_removed: bool, as_json: bool
) -> None:
    """List every node that the estate declares or that has spoken.

    Heard is when it last said anything, a presence or readings. Missing packs are numbers that a
    node gave and that have not arrived yet; lost packs are those that it says it let go. Dropped
    and rejected packs are what the node itself counts: let go by a full outbox, and set aside
    because they were never receipted. Those that its flash refused were measured and not kept.
    """
    rows = [
        row
        for row in list_nodes(load_settings(settings_file), now_ms())
        if (with_removed or row.state != REMOVED) and _is_in(row, room)
    ]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    if not rows:
        nothing = "No node is declared in the estate, and none has spoken yet."
        click.echo(nothing if room is None else f"No node is in {room}.")
        return
    click.echo(_HEADER)
    for row in rows:
        click.echo(_line(row))


def _is_in(row: NodeRow, room: str | None) -> bool:
    return room is None or row.room == room or (row.room or "").startswith(f"{room}/")


def _line(row: NodeRow) -> str:
    gaps = ""
    if row.missing_packs or row.lost_packs:
        gaps = f"  missing {row.missing_packs}, lost {row.lost_packs}"
    if row.dropped_packs or row.rejected_packs:
        gaps += f"  dropped {row.dropped_packs or 0}, rejected {row.rejected_packs or 0}"
    if row.refused_by_flash_packs:
        gaps += f"  flash refused {row.refused_by_flash_packs}"
    battery = "-" if row.battery_v is None else f"{row.battery_v:.2f} V"
    place = row.room or ("-" if row.state == REMOVED else "to be placed")
    cells = (row.node, place, row.state, battery, row.firmware or "-")
    return _CELLS.format(*cells, _when(row.last_heard_at_ms), _when(row.last_measured_at_ms)) + gaps


def _when(at_ms: int | None) -> str:
    if at_ms is None:
        return "never"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_ms / 1000))
