"""`preau node place`: a node hangs in a room from a time on."""

from pathlib import Path

import click

from gateway.commands.editing import editor_of, moment, tell
from gateway.commands.names import NODE, ROOM
from gateway.commands.options import json_option, settings_option
from gateway.heard import nodes_heard
from gateway.settings import load_settings


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
    edit = editor_of(settings).place(
        node, room, moment("--since", since, settings), heard=nodes_heard(settings.data.dir)
    )
    tell(node, edit, as_json=as_json)
