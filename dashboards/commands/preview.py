"""`preau dashboards preview`: every panel with its real data on one page, without a Grafana."""

import asyncio
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from dashboards.commands.extra import needed
from gateway.commands.options import settings_option
from gateway.settings import Settings, load_settings
from gateway.web.texts import LANGUAGES
from gateway.web.timeparse import TimeError, parse_instant
from ingest.errors import ConfigurationError
from ingest.forwarder.query import InfluxQuery
from ingest.forwarder.target import Target

with needed("dashboards"):
    from dashboards.look import look_of
    from dashboards.preview.sheets import preview


@click.command(
    epilog="Example: preau dashboards preview --out preview.html --choose room=cm1",
    short_help="Draw every panel with its real data on one page.",
)
@settings_option
@click.option(
    "--out",
    "file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page to write.",
)
@click.option("--lang", type=click.Choice(LANGUAGES), default="fr", show_default=True)
@click.option(
    "--forwarder", "name", help="Which InfluxDB of the settings, where there are several."
)
@click.option("--at", "at_text", help="Until when, instead of now: 2026-11-22T10:00.")
@click.option(
    "--choose",
    "choices",
    multiple=True,
    metavar="NAME=VALUE",
    help="For site, building, room, node.",
)
def command(
    settings_file: Path | None,
    file: Path,
    lang: str,
    name: str | None,
    at_text: str | None,
    *,
    choices: tuple[str, ...],
) -> int:
    """Ask the InfluxDB of the settings what each panel asks, and write the answers as one page.

    Exits 1 if a panel has nothing to show; the page says which.
    """
    settings = load_settings(settings_file)
    zone = ZoneInfo(settings.time.zone)
    try:
        at_ms = parse_instant(at_text, zone) if at_text else time.time_ns() // 1_000_000
    except TimeError as error:
        raise ConfigurationError(f"--at {at_text!r}: {error}") from error
    wanted = dict(_pair(choice) for choice in choices)
    influx = InfluxQuery(_target(settings, name))
    look = look_of(lang, settings.time.zone)
    page, empty = asyncio.run(preview(influx, look, at_ms, wanted))
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file}: can't be written: {error.strerror}") from error
    click.echo(f"written: {file}")
    for one in empty:
        click.echo(f"nothing to show: {one}")
    return int(bool(empty))


def _target(settings: Settings, name: str | None) -> Target:
    known = {one.name: one for one in settings.forwarder}
    if not known:
        raise ConfigurationError("no [[forwarder]] is configured: there is no InfluxDB to ask")
    if name is not None and name not in known:
        raise ConfigurationError(f"--forwarder is {name!r}: configured are {', '.join(known)}")
    return known[name or next(iter(known))].target()


def _pair(choice: str) -> tuple[str, str]:
    name, equals, value = choice.partition("=")
    if not equals or name not in {"site", "building", "room", "node"} or not value:
        raise ConfigurationError(f"--choose {choice!r}: must look like room=cm1")
    return name, value
