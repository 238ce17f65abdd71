"""`preau node place`: a node hangs in a room from a time on."""

import difflib
from pathlib import Path

import click

from gateway.commands.editing import editor_of, moment, tell
from gateway.commands.names import NODE, ROOM
from gateway.commands.options import json_option, settings_option
from gateway.heard import nodes_heard
from gateway.settings import Settings, load_settings
from ingest.errors import ConfigurationError
from ingest.estate.load import load_estate


@click.command(
    epilog="Example: preau node place 3c71bf4a2b10 jules-ferry/cp-a --since 2026-11-25T14:30",
    short_help="Say in which room a node is, and since when.",
)
@click.argument("node", type=NODE)
@click.argument("room", type=ROOM, metavar="SITE/ROOM")
@click.option("--since", metavar="TIME", help="Since when, such as 2026-09-01; else since now.")
@settings_option
@json_option
def command(
    node: str, room: str, since: str | None, settings_file: Path | None, *, as_json: bool
) -> None:
    """Write into the estate that NODE is in a room. Its earlier placement ends there; what it
    measured before stays with the room where it was.

    The room is SITE/ROOM or SITE/BUILDING/ROOM, by their ids. The same time once more corrects the
    room. A date is its midnight and a time without offset is local.
    """
    settings = load_settings(settings_file)
    _require_known(settings, node)
    edit = editor_of(settings).place(node, room, moment("--since", since, settings))
    tell(node, edit, as_json=as_json)


def _require_known(settings: Settings, node: str) -> None:
    """A node that nobody declared and nobody heard is most likely a typing mistake."""
    estate = load_estate(settings.estate_file, settings.zone)
    if estate.node(node) is not None:
        return
    heard = nodes_heard(settings.data.dir)
    if node in heard:
        return
    near = difflib.get_close_matches(node, [*(n.id for n in estate.nodes), *heard], n=1, cutoff=0.8)
    remedy = f"did you mean {near[0]}?" if near else f"`preau node add {node}` declares it"
    raise ConfigurationError(f"{node} is neither declared nor has it spoken: {remedy}")
