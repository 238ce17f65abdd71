"""`preau pki create`: the town's own certificate authority, and its first server certificates."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.commands.options import settings_option
from gateway.commands.pki_options import folder_option, pki_settings
from gateway.pki.authority import (
    BROKER,
    WEB,
    certificate_file,
    create_authority,
    issue_server_certificate,
    key_file,
    node_file,
)
from gateway.pki.certificates import Identity
from gateway.pki.hosts import alternative_names
from gateway.settings import Settings
from ingest.errors import ConfigurationError
from ingest.estate.load import load_estate
from ingest.estate.watch import estate_is_written


@click.command(
    epilog="Example: preau pki create --host mqtt.trilport.fr --host 192.168.1.10",
    short_help="Make the town's certificate authority and server certificates.",
)
@settings_option
@folder_option
@click.option("--town", metavar="NAME", help="The town's name; else that of the estate.")
@click.option(
    "--host",
    "hosts",
    metavar="HOST",
    multiple=True,
    required=True,
    help="A name or address by which nodes reach the broker; may be repeated.",
)
@click.option(
    "--web-host",
    "web_hosts",
    metavar="HOST",
    multiple=True,
    help="A name or address of the page; may be repeated; else those of the broker.",
)
def command(
    settings_file: Path | None,
    folder: Path | None,
    town: str | None,
    hosts: Sequence[str],
    web_hosts: Sequence[str],
) -> None:
    """Make the town's own authority for 30 years, and certificates for broker and web server.

    An authority that is there is never replaced: every node trusts it. All keys are files that
    only their owner reads.
    """
    settings = pki_settings(settings_file, folder)
    made = create_pki(
        settings.pki.dir,
        town=town if town is not None else _town(settings),
        hosts=hosts,
        web_hosts=web_hosts,
        now=datetime.now(UTC),
    )
    for name, identity in made.items():
        ends_at = identity.certificate.not_valid_after_utc
        click.echo(f"written: {certificate_file(settings.pki.dir, name)}, until {ends_at:%Y-%m-%d}")
    click.echo(f"written: {node_file(settings.pki.dir)}, for the nodes")
    click.echo(
        f"Keep {key_file(settings.pki.dir)} safe, and a copy of it elsewhere: who has it can pose "
        "as the broker, and without it nothing can be renewed."
    )


def create_pki(
    folder: Path, *, town: str, hosts: Sequence[str], web_hosts: Sequence[str] = (), now: datetime
) -> dict[str, Identity]:
    """Authority, broker and web server by their names; the web server's hosts are the broker's
    unless it has its own.

    Raises `ConfigurationError`; nothing is written where a host is none or an authority is there.
    """
    servers = {BROKER: hosts, WEB: web_hosts or hosts}
    for server_hosts in servers.values():
        alternative_names(server_hosts)
    made = {"ca": create_authority(folder, town=town, now=now)}
    for name, server_hosts in servers.items():
        made[name] = issue_server_certificate(folder, name, server_hosts, now=now)
    return made


def _town(settings: Settings) -> str:
    named = None
    if estate_is_written(settings.estate_file):
        named = load_estate(settings.estate_file, settings.zone).name
    if named is None:
        raise ConfigurationError(
            f"the estate {settings.estate_file} names no town; give --town, such as --town Trilport"
        )
    return named
