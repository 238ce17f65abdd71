"""`preau pki renew`: new server certificates of the same authority."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from gateway.commands.options import settings_option
from gateway.commands.pki_options import folder_option, pki_settings
from gateway.pki.authority import (
    BROKER,
    WEB,
    certificate_file,
    issue_server_certificate,
    load_authority,
    renew_server_certificate,
    server_names,
)
from gateway.pki.hosts import hosts_of
from ingest.errors import ConfigurationError

_NEXT: Final = {
    BROKER: "give it to the broker: preau broker config, with the options it was made with, then "
    "reload Mosquitto (systemctl reload mosquitto)",
    WEB: "reload the web server or reverse proxy that uses it",
}


@click.command(
    epilog="Example: preau pki renew broker --host mqtt.trilport.fr --host 192.168.1.10",
    short_help="Make new server certificates of the same authority.",
)
@settings_option
@folder_option
@click.argument("servers", metavar="[broker|web]...", nargs=-1)
@click.option(
    "--host",
    "hosts",
    metavar="HOST",
    multiple=True,
    help="For other names and addresses than now; may be repeated; for one server at a time.",
)
def command(
    settings_file: Path | None, folder: Path | None, servers: Sequence[str], hosts: Sequence[str]
) -> None:
    """Make a new key and certificate for these servers, by default for all that have one.

    Nodes notice nothing: they trust the authority. A server uses the new ones when it is told to
    load them.
    """
    folder = pki_settings(settings_file, folder).pki.dir
    if hosts and len(servers) != 1:
        raise ConfigurationError(
            "--host is for one server; name it: preau pki renew broker --host …"
        )
    load_authority(folder)
    now = datetime.now(UTC)
    for name in servers or server_names(folder):
        if hosts:
            server = issue_server_certificate(folder, name, hosts, now=now)
        else:
            server = renew_server_certificate(folder, name, now=now)
        certificate = server.certificate
        click.echo(
            f"written: {certificate_file(folder, name)}, until "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}, for {', '.join(hosts_of(certificate))}"
        )
        click.echo(f"Next: {_NEXT.get(name, 'have its server load it')}")
