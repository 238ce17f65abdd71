"""`preau node label`: labels for nodes, and the slips with their set-up codes, on sheets of A4."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from gateway.clock import now_ms
from gateway.commands.names import NODE
from gateway.commands.options import settings_option
from gateway.endpoint import public_address
from gateway.labels.png import png_of
from gateway.labels.setup_code import read_setup_code
from gateway.labels.sheet import Label, Slip, label_sheets, slip_sheets
from gateway.settings import Settings, load_settings
from gateway.web.texts import texts_in
from ingest.errors import ConfigurationError
from ingest.estate.model import Estate
from ingest.estate.watch import EstateWatch

CREDENTIALS: Final = "credentials"
_ENDINGS: Final = (".svg", ".png")


@click.command(
    epilog="Example: preau node label --all --url https://preau.trilport.fr --out labels.svg",
    short_help="Print labels with a code to scan, or slips with set-up codes.",
)
@click.argument("nodes", nargs=-1, type=NODE, metavar="[NODE]...")
@click.option("--all", "every", is_flag=True, help="Every node of the estate that is in service.")
@click.option(
    "--out",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write, .svg or .png; a second sheet gets -2 after its name.",
)
@click.option("--url", help="The page's address as a telephone finds it; else http.public_url.")
@click.option("--slips", is_flag=True, help="The slips with the set-up codes instead. Secret.")
@click.option(
    "--credentials",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Where the set-up codes lie; else {CREDENTIALS} in the data folder.",
)
@settings_option
def command(
    nodes: Sequence[str],
    settings_file: Path | None,
    *,
    every: bool,
    out: Path,
    url: str | None,
    slips: bool,
    credentials: Path | None,
) -> None:
    """Write labels for NODEs, 21 on a sheet of A4 with marks to cut by. They fit ready-made sheets
    of labels of 63.5 × 38.1 mm, such as Avery L7160. Print them in their actual size.

    The code on a label leads to the page of the room where the node is, wherever that will be.
    Slips come from files that only their owner reads, into a file that only its owner reads.
    """
    settings = load_settings(settings_file)
    estate = EstateWatch(settings.estate_file, settings.zone).current
    if out.suffix.lower() not in _ENDINGS:
        raise ConfigurationError(f"--out {str(out)!r}: must end in {' or '.join(_ENDINGS)}")
    chosen = _chosen(nodes, estate, every=every)
    texts = texts_in(settings.ui.language)
    if slips:
        folder = credentials or settings.data.dir / CREDENTIALS
        sheets = slip_sheets([_slip(node, estate, folder) for node in chosen], texts)
    else:
        address = _address(url, settings)
        sheets = label_sheets([_label(node, estate, address) for node in chosen], texts)
    for file in _write(list(sheets), out, mode=0o600 if slips else 0o644):
        click.echo(f"written: {file}")


def _chosen(nodes: Sequence[str], estate: Estate, *, every: bool) -> list[str]:
    if every == bool(nodes):
        raise ConfigurationError("name one or more NODEs, or give --all")
    if not every:
        return list(dict.fromkeys(nodes))
    found = estate.in_service()
    if not found:
        raise ConfigurationError("the estate declares no node; `preau node add` does")
    return found


def _address(url: str | None, settings: Settings) -> str:
    if url is None and settings.http.public_url is None:
        raise ConfigurationError(
            "no address for the code: give --url https://…, or set http.public_url in preau.toml"
        )
    try:
        return public_address(url or settings.http.public_url or "")
    except ValueError as error:
        raise ConfigurationError(f"--url {url!r}: {error}") from error


def _label(node: str, estate: Estate, address: str) -> Label:
    place = estate.room(estate.placement(node, now_ms()) or "")
    declared = estate.node(node)
    return Label(
        node=node,
        address=f"{address}/n/{node}",
        town=estate.name,
        site=place.site.name if place else None,
        room=place.room.name if place else None,
        model=(declared.name or declared.model) if declared else None,
    )


def _slip(node: str, estate: Estate, credentials: Path) -> Slip:
    place = estate.room(estate.placement(node, now_ms()) or "")
    return Slip(
        node=node,
        code=read_setup_code(credentials, node),
        site=place.site.name if place else None,
        room=place.room.name if place else None,
    )


def _write(sheets: Sequence[str], out: Path, mode: int) -> Iterable[Path]:
    is_png = out.suffix.lower() == ".png"
    for number, sheet in enumerate(sheets, start=1):
        file = out if number == 1 else out.with_stem(f"{out.stem}-{number}")
        content = png_of(sheet) if is_png else sheet.encode()
        try:
            file.unlink(missing_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
        except OSError as error:
            raise ConfigurationError(f"{file} can't be written: {error.strerror}") from error
        yield file
