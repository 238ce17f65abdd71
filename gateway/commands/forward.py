"""`preau forward`: send a period again to InfluxDB, or fill a new one."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gateway.commands.options import settings_option
from gateway.commands.period import bounds, checked_nodes
from gateway.forwarding import client_of
from gateway.settings import Settings, load_settings
from gateway.settings_forwarder import ForwarderSettings
from ingest.errors import ConfigurationError
from ingest.estate.load import load_estate
from ingest.forwarder.period import Period, send_period
from ingest.forwarder.placements import Placements
from ingest.forwarder.shipping import Refused, Shipping
from ingest.store.reader import StoreReader

_TOLD = 20


@click.command(
    epilog="Example: preau forward --from 2026-09-01 --forwarder town",
    short_help="Send a period again to InfluxDB, or fill a new one.",
)
@settings_option
@click.option(
    "--from", "from_text", required=True, metavar="TIME", help="Measured from then on: 2026-09-01."
)
@click.option("--to", "to_text", metavar="TIME", help="Measured before then; else until now.")
@click.option("--node", "nodes", multiple=True, metavar="ID", help="Only of this; may be repeated.")
@click.option("--forwarder", "names", multiple=True, metavar="NAME", help="Only to this one.")
def command(
    settings_file: Path | None,
    from_text: str,
    to_text: str | None,
    nodes: Sequence[str],
    names: Sequence[str],
) -> int:
    """Send what the local store holds of a period to every configured InfluxDB.

    What is there already is written over with the same values, so it may be done at any time,
    beside the running service, and again. Waits for a server that is away. Exits 1 if the server
    refused points.
    """
    settings = load_settings(settings_file)
    chosen = _chosen(settings, names)
    from_ms, to_ms = bounds(from_text, to_text, settings.zone)
    placements = Placements.of(load_estate(settings.estate_file, settings.zone))
    with StoreReader(settings.data.dir) as reader:
        known = checked_nodes(nodes) or sorted({series.node for series in reader.series()})
        period = Period(placements, known, from_ms, to_ms)
        refused = [asyncio.run(_send(one, reader, period)) for one in chosen]
    return 1 if any(refused) else 0


def _chosen(settings: Settings, names: Sequence[str]) -> list[ForwarderSettings]:
    known = {one.name: one for one in settings.forwarder}
    if not known:
        raise ConfigurationError("no [[forwarder]] is configured: there is no InfluxDB to send to")
    for name in names:
        if name not in known:
            raise ConfigurationError(f"--forwarder is {name!r}: configured are {', '.join(known)}")
    return [known[name] for name in names or known]


async def _send(one: ForwarderSettings, reader: StoreReader, period: Period) -> int:
    """Send to one; how many points it refused."""
    points = 0
    refused: list[Refused] = []
    screen = sys.stderr
    async with client_of(one.target()) as client:
        shipping = Shipping(client)
        shipping.changed = lambda: _tell_problem(one.name, shipping.state.problem)
        with click.progressbar(
            length=len(period.nodes), label=one.name, file=screen, hidden=not screen.isatty()
        ) as bar:
            async for node in send_period(reader, shipping, period):
                points += node.points
                refused += node.refused
                bar.update(1)
    click.echo(f"{one.name}: {points} points of {len(period.nodes)} nodes sent")
    _tell_refused(one.name, refused, shipping.state.beyond_retention)
    return len(refused)


def _tell_problem(name: str, problem: str | None) -> None:
    click.echo(f"{name}: {problem}, trying again" if problem else f"{name}: goes on", err=True)


def _tell_refused(name: str, refused: Sequence[Refused], forgotten: int) -> None:
    for line, words in refused[:_TOLD]:
        click.echo(f"refused: {ascii(line.decode())[1:-1]}: {ascii(words)[1:-1]}", err=True)
    if refused:
        click.echo(f"{name}: {len(refused)} points refused", err=True)
    if forgotten:
        click.echo(f"{name}: {forgotten} points are older than it is set to keep", err=True)
