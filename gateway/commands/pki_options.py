"""Options that the `preau pki` commands share."""

from pathlib import Path
from typing import Final

import click

from gateway.settings import Settings, load_settings

folder_option: Final = click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The PKI folder; else pki.dir of the settings, preau-pki beside preau.toml.",
)


def pki_settings(settings_file: Path | None, folder: Path | None) -> Settings:
    """The settings, with the folder of the command line if one is given."""
    return load_settings(settings_file, {"pki": {"dir": folder}})
