"""`preau firmware keys`: makes the town's two keys for firmware, once."""

from pathlib import Path

import click

from gateway.commands.options import settings_option
from gateway.firmware.keys import KEY, PUBLIC_KEYS, SPARE
from gateway.firmware.shelf import Shelf
from gateway.settings import load_settings


@click.command(
    epilog="Example: preau firmware keys",
    short_help="Make the keys that sign the nodes' firmware.",
)
@settings_option
def command(settings_file: Path | None) -> None:
    """Make the key that signs firmware, and a spare. Keys that are there are kept.

    Both public keys go onto every node when it is flashed, so keys can't be exchanged later
    without flashing the nodes again over USB.
    """
    keys = Shelf(load_settings(settings_file).data.dir).keys
    keys.create()
    click.echo(f"made: {keys.folder / KEY} signs; {keys.folder / PUBLIC_KEYS} goes onto the nodes")
    click.echo(
        f"Now move {keys.folder / SPARE} to a medium that is kept offline and locked away, and "
        f"copy {KEY} there too: without either no node can be updated over the air any more."
    )
