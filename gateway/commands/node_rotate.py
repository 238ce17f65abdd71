"""`preau node rotate`: a new password at the broker for nodes that have one."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from gateway.commands.letters import plain
from gateway.commands.node_command import check_node
from gateway.commands.options import settings_option
from gateway.commands.waiting import each_wait_option
from gateway.local_service import LocalService
from gateway.mosquitto.folder import CREDENTIALS_FOLDER
from gateway.rotation import Rotation
from gateway.settings import load_settings
from ingest.errors import ConfigurationError
from ingest.estate.load import load_estate


@click.command(
    epilog="Example: preau node rotate --all --broker /etc/mosquitto/preau "
    "--pid-file /run/mosquitto/mosquitto.pid",
    short_help="Give nodes new passwords at the broker.",
)
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@click.option("--all", "every", is_flag=True, help="Every node in service.")
@click.option(
    "--broker",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder of `preau broker config`.",
)
@click.option(
    "--credentials",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Where passwords lie on their way; else {CREDENTIALS_FOLDER} in that folder.",
)
@click.option(
    "--pid-file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Mosquitto's process id; without it you have it reload while this waits.",
)
@each_wait_option
@settings_option
def command(
    nodes: Sequence[str],
    *,
    every: bool,
    folder: Path,
    credentials: Path | None,
    pid_file: Path | None,
    wait_s: float,
    settings_file: Path | None,
) -> int:
    """Give NODEs new passwords: each keeps the new one beside the old, then the broker changes,
    then the node drops the old one. No step locks a node out; break it off when you like and type
    it again. The service must be running, and its broker use TLS.

    Exits 1 where a node was not there or has not come back; what was begun is kept for the next
    time. No password is shown.
    """
    if every == bool(nodes):
        raise ConfigurationError("say which nodes, or --all")
    for node in nodes:
        check_node(node)
    settings = load_settings(settings_file)
    if every:
        nodes = load_estate(settings.estate_file, settings.zone).in_service()
    rotation = Rotation(
        LocalService(settings),
        folder,
        credentials or folder / CREDENTIALS_FOLDER,
        pid_file,
        wait_s,
        lambda line: click.echo(plain(line)),
    )
    failed = asyncio.run(rotation.run(list(dict.fromkeys(nodes))))
    for sentence in failed:
        click.echo(f"preau: {plain(sentence)}; type it again", err=True)
    return 1 if failed else 0
