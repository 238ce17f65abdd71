"""`preau firmware sign`: signs a bundle that lies in the data folder."""

from pathlib import Path

import click

from gateway.commands.options import settings_option
from gateway.firmware.shelf import Shelf
from gateway.settings import load_settings


@click.command(
    epilog="Example: preau firmware sign preau-esp32-1.1.0.bundle --key /media/usb/spare.key",
    short_help="Sign a firmware bundle.",
)
@click.argument("name")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Another key file than the usual one: the spare.",
)
@settings_option
def command(name: str, key: Path | None, settings_file: Path | None) -> None:
    """Sign the bundle NAME, as it lies in `firmware/` of the data folder.

    Its files are checked against its manifest first. Nodes take what one of the town's two keys
    has signed, and nothing else.
    """
    shelf = Shelf(load_settings(settings_file).data.dir)
    signed = shelf.keys.sign(shelf.read(name), key)
    click.echo(f"signed: {shelf.put(signed)}, version {signed.release.version}")
