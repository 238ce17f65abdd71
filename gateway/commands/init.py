"""`preau init`: the first settings and estate of a town, with comments that explain them."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from ingest.errors import ConfigurationError

_TEMPLATES: Final = ("preau.toml", "estate.toml")
_NAME_LINE: Final = 'name = "Ma commune"'


@click.command(
    epilog='Example: preau init trilport --town "Trilport"',
    short_help="Write a first preau.toml and estate.toml.",
)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--town", metavar="NAME", help="The town's name, as the page will show it.")
@click.option("--force", is_flag=True, help="Replace files that are already there.")
def command(folder: Path, town: str | None, *, force: bool) -> None:
    """Write preau.toml and estate.toml into DIR, by default this folder.

    Both are commented in French and valid as they are; the estate holds a school as an example.
    Nothing is written if one of them is already there, unless --force is given.
    """
    for file in write_first_files(folder, town, replace=force):
        click.echo(f"written: {file}")
    option = "" if folder == Path() else f" --settings {folder / 'preau.toml'}"
    click.echo(f"Next: write your schools into {folder / 'estate.toml'}, then: preau check{option}")


def write_first_files(folder: Path, town: str | None, *, replace: bool) -> list[Path]:
    """Write both files into `folder`, which is made if need be, and return them.

    Raises `ConfigurationError`, before anything is written, if one exists and `replace` is false.
    """
    if town is not None and (not town.strip() or not town.isprintable() or len(town) > 120):
        raise ConfigurationError(f"--town {town!r}: must be one line of 1 to 120 characters")
    targets = [folder / name for name in _TEMPLATES]
    present = [str(target) for target in targets if target.exists()]
    if present and not replace:
        raise ConfigurationError(
            f"{' and '.join(present)} already there; nothing was written (--force replaces)"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in targets:
            target.write_text(_content(target.name, town), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{folder} can't be written: {error.strerror}") from error
    return targets


def _content(name: str, town: str | None) -> str:
    text = files("gateway").joinpath("templates_init", name).read_text(encoding="utf-8")
    if town is None:
        return text
    # What JSON writes for printable text is a TOML string as well.
    return text.replace(_NAME_LINE, f"name = {json.dumps(town.strip(), ensure_ascii=False)}")
