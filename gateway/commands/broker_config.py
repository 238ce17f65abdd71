"""`preau broker config`: what Mosquitto is told, from the estate and the PKI folder."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import click

from gateway.commands.options import settings_option
from gateway.endpoint import valid_host
from gateway.mosquitto.accounts import Changes
from gateway.mosquitto.folder import (
    CREDENTIALS_FOLDER,
    GATEWAY,
    PORT,
    BrokerPlan,
    TlsFiles,
    write_broker_folder,
)
from gateway.mosquitto.reload import reload_broker
from gateway.pki.authority import BROKER, certificate_file, key_file, load_identity
from gateway.settings import Settings, load_settings
from ingest.errors import ConfigurationError
from ingest.estate.load import load_estate
from ingest.estate.watch import estate_is_written


@click.command(
    epilog="Example: preau broker config --out /etc/mosquitto/preau --owner mosquitto",
    short_help="Write Mosquitto's configuration and accounts.",
)
@settings_option
@click.option(
    "--out",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="Where to write.",
)
@click.option(
    "--port",
    default=PORT,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="The port to listen on.",
)
@click.option("--host", help="The one address to listen on; else all of the machine.")
@click.option(
    "--gateway",
    "gateways",
    metavar="USER",
    multiple=True,
    help=f"The gateway's account; else broker.username of the settings, else {GATEWAY}. "
    "Where several gateways share the broker: one for each.",
)
@click.option(
    "--seen-as",
    metavar="DIR",
    type=PurePosixPath,
    help="Where the broker finds DIR, if elsewhere, as in a container.",
)
@click.option(
    "--certfile",
    metavar="FILE",
    type=PurePosixPath,
    help="A certificate of your own, where the broker finds it.",
)
@click.option(
    "--keyfile", metavar="FILE", type=PurePosixPath, help="Its key, where the broker finds it."
)
@click.option(
    "--credentials",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help=f"Where the password of each new account goes; else {CREDENTIALS_FOLDER} in DIR.",
)
@click.option("--owner", metavar="USER", help="The user that Mosquitto runs as; needs root.")
@click.option(
    "--pid-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Mosquitto's process id; with it, it is told to reload.",
)
def command(
    *,
    settings_file: Path | None,
    folder: Path,
    port: int,
    host: str | None,
    gateways: Sequence[str],
    seen_as: PurePosixPath | None,
    certfile: PurePosixPath | None,
    keyfile: PurePosixPath | None,
    credentials: Path | None,
    owner: str | None,
    pid_file: Path | None,
) -> None:
    """Write mosquitto.conf, its access list and its accounts into DIR: one for each node of the
    estate, one for the gateway.

    Again after each change of the estate: who has an account keeps its password, new nodes get
    one, and nodes that are gone lose theirs. The password of a new account lies in a file of its
    own, which only its owner reads, and is shown nowhere.
    """
    settings = load_settings(settings_file)
    plan = BrokerPlan(
        nodes=_nodes(settings),
        tls=_tls(settings.pki.dir, certfile, keyfile),
        seen_as=_absolute(seen_as or PurePosixPath(folder.absolute()), "--seen-as"),
        credentials=credentials or folder / CREDENTIALS_FOLDER,
        gateways=gateways or [_gateway(settings)],
        port=port,
        host=_host(host),
        owner=owner,
    )
    changes = write_broker_folder(folder, plan)
    click.echo(f"written: {folder}")
    _tell(changes, plan.credentials)
    if pid_file is not None:
        reload_broker(pid_file)
        click.echo("Mosquitto was told to reload.")
    else:
        click.echo(
            "Next: have Mosquitto reload: systemctl reload mosquitto, or "
            "docker compose kill -s HUP mosquitto (another port or host wants a restart)"
        )


def _nodes(settings: Settings) -> list[str]:
    # Without an estate every node would lose its account.
    if not estate_is_written(settings.estate_file):
        raise ConfigurationError(
            f"there is no estate at {settings.estate_file}, and it says which nodes have an "
            "account; to begin one type: preau init"
        )
    return load_estate(settings.estate_file, settings.zone).in_service()


def _gateway(settings: Settings) -> str:
    named = settings.broker.username
    return named if named is not None and not settings.broker.embedded else GATEWAY


def _tls(pki: Path, certfile: PurePosixPath | None, keyfile: PurePosixPath | None) -> TlsFiles:
    if certfile is not None and keyfile is not None:
        return TlsFiles(_absolute(certfile, "--certfile"), _absolute(keyfile, "--keyfile"))
    if certfile is not None or keyfile is not None:
        raise ConfigurationError("give --certfile and --keyfile, or neither")
    load_identity(pki, BROKER)
    return TlsFiles(certificate_file(pki, BROKER).read_bytes(), key_file(pki, BROKER).read_bytes())


def _absolute(path: PurePosixPath, option: str) -> PurePosixPath:
    if not path.is_absolute() or not str(path).isprintable():
        raise ConfigurationError(f"{option} {str(path)!r}: must be a path from the root, /…")
    return path


def _host(host: str | None) -> str | None:
    if host is None:
        return None
    try:
        return valid_host(host)
    except ValueError as error:
        raise ConfigurationError(f"--host {host!r}: {error}") from error


def _tell(changes: Changes, credentials: Path) -> None:
    for user in changes.added:
        click.echo(f"added: {user}, its password in {credentials / f'{user}.password'}")
    for user in changes.removed:
        click.echo(f"removed: {user}")
    if not changes.added and not changes.removed:
        click.echo("accounts: as before")
