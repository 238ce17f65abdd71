"""`preau node remove`: a node goes out of service, and what else follows from that."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from gateway.commands.editing import editor_of, moment, tell
from gateway.commands.names import NODE
from gateway.commands.options import json_option, settings_option
from gateway.heard import nodes_heard
from gateway.mosquitto.folder import CREDENTIALS_FOLDER
from gateway.removal import AfterRemoval, account_revoked, retained_cleared
from gateway.settings import Settings, load_settings
from ingest.errors import PreauError
from ingest.estate.editor import Edit


@click.command(
    epilog="Example: preau node remove 3c71bf4a2b10 --broker /etc/mosquitto/preau "
    "--pid-file /run/mosquitto/mosquitto.pid",
    short_help="Take a node out of service.",
)
@click.argument("node", type=NODE)
@click.option("--since", metavar="TIME", help="Since when it is gone; else since now.")
@click.option(
    "--broker",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of `preau broker config`: its account there ends.",
)
@click.option(
    "--credentials",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Where the passwords of new accounts wait; else {CREDENTIALS_FOLDER} in that folder.",
)
@click.option(
    "--pid-file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Mosquitto's process id; with it, the node is out at once.",
)
@settings_option
@json_option
def command(
    node: str,
    since: str | None,
    settings_file: Path | None,
    *,
    folder: Path | None,
    credentials: Path | None,
    pid_file: Path | None,
    as_json: bool,
) -> int:
    """Take NODE out of service: its placement ends, and it is no longer missed. What it measured
    stays, with the rooms where it was.

    A node that was never placed and never spoke is taken out of the estate file. `preau node place`
    brings a node back. May be repeated; exits 1 where something else that belongs to it failed.
    """
    settings = load_settings(settings_file)
    afterwards = []
    if folder is not None:
        waiting = credentials or folder / CREDENTIALS_FOLDER
        afterwards.append(account_revoked(folder, waiting, pid_file))
    # Last: a node that is thrown out leaves its will with the broker.
    afterwards.append(retained_cleared(settings))
    edit, done, failed = remove_node(settings, node, moment("--since", since, settings), afterwards)
    tell(node, edit, done, as_json=as_json)
    for sentence in failed:
        click.echo(f"preau: {sentence}", err=True)
    return 1 if failed else 0


def remove_node(
    settings: Settings, node: str, at: datetime, afterwards: Sequence[AfterRemoval]
) -> tuple[Edit, list[str], list[str]]:
    """Take a node out of the estate, then do all of `afterwards`, whichever of them fails.

    Returns the edit, and a sentence for each that was done and for each that failed. Raises what
    the editor raises; nothing else is done then.
    """
    has_spoken = node in nodes_heard(settings.data.dir)
    edit = editor_of(settings).remove(node, at, has_spoken=has_spoken)
    done, failed = [], []
    for one in afterwards:
        try:
            done.append(one.run(node))
        except PreauError as error:
            failed.append(f"{one.what} is still there: {error}; then repeat this command")
    return edit, done, failed
