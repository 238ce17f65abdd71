"""Options that several commands share, so that they are called and explained alike."""

from pathlib import Path
from typing import Final

import click

settings_option: Final = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="preau.toml; else the one that PREAU_SETTINGS names, else the one in this folder, if any. "
    "Variables PREAU_… of the environment go over it.",
)
json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for programs."
)
