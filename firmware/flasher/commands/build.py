"""`preau firmware build`: compiles the nodes' firmware into a bundle and signs it."""

from pathlib import Path

import click

from firmware.flasher.bundle import SOURCES, build_bundle
from gateway.commands.options import settings_option
from gateway.firmware.shelf import Shelf
from gateway.settings import load_settings


@click.command(
    epilog="Example: preau firmware build && preau node update --all",
    short_help="Compile the nodes' firmware into a signed bundle.",
)
@settings_option
@click.option(
    "--sources",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=SOURCES,
    help="Another folder of sources than those of this version of Préau.",
)
@click.option(
    "--force", is_flag=True, help="Have nodes take it even if what they run is newer: a way back."
)
@click.option("--unsigned", is_flag=True, help="Leave signing to `preau firmware sign`.")
def command(settings_file: Path | None, sources: Path, *, force: bool, unsigned: bool) -> None:
    """Compile the firmware and lay it, signed, into the data folder, where nodes can fetch it.

    The version is the one that the sources name. The same sources give the same bytes.
    """
    shelf = Shelf(load_settings(settings_file).data.dir)
    bundle = build_bundle(sources, force=force)
    if not unsigned:
        bundle = shelf.keys.sign(bundle)
    file = shelf.put(bundle)
    size = len(bundle.encoded())
    state = "signed" if bundle.is_signed else "not signed: preau firmware sign " + file.name
    click.echo(f"{file}: version {bundle.release.version}, {size} bytes, {state}")
