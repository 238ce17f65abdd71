"""`preau node add`: a node gets its table in the estate, with its room if that is known."""

from pathlib import Path

import click

from gateway.commands.editing import editor_of, moment, tell
from gateway.commands.names import NODE, ROOM
from gateway.commands.options import json_option, settings_option
from gateway.settings import load_settings


@click.command(
    epilog="Example: preau node add 3C:71:BF:4A:2B:10 --room jules-ferry/cp-a --model 'C3, SCD41'",
    short_help="Declare a node, in a room or still to be placed.",
)
@click.argument("node", type=NODE)
@click.option("--room", type=ROOM, metavar="SITE/ROOM", help="Where it hangs.")
@click.option("--since", metavar="TIME", help="Since when; else since now.")
@click.option("--name", help="What people call it.")
@click.option("--model", help="Which board and sensors it is made of, in your words.")
@click.option("--cadence-s", type=int, metavar="SECONDS", help="How often it measures; else 300.")
@settings_option
@json_option
def command(
    node: str,
    settings_file: Path | None,
    *,
    room: str | None,
    since: str | None,
    name: str | None,
    model: str | None,
    cadence_s: int | None,
    as_json: bool,
) -> None:
    """Write NODE into the estate, where its site is described: estate.toml, or the site's file in
    estate.d. Comments stay. A running service takes it within seconds.

    NODE is the 12 hex digits of its label, in any case, with or without `:` or `-`.
    """
    settings = load_settings(settings_file)
    edit = editor_of(settings).add(
        node,
        since=moment("--since", since, settings),
        room=room,
        name=name,
        model=model,
        cadence_s=cadence_s,
    )
    tell(node, edit, as_json=as_json)
