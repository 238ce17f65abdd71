"""`preau pki roll begin|status|finish`: another authority, without touching a node."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.atomic_file import PUBLIC, write_atomically
from gateway.authority_roll import AuthorityRoll, Trust
from gateway.commands.letters import plain
from gateway.commands.options import settings_option
from gateway.commands.pki_options import folder_option, pki_settings
from gateway.commands.waiting import each_wait_option
from gateway.local_service import LocalService
from gateway.mosquitto.folder import CERTIFICATE_FILE, KEY_FILE
from gateway.mosquitto.reload import reload_broker
from gateway.pki.authority import BROKER, certificate_file, key_file
from gateway.pki.roll import begin_roll, fingerprint, finish_roll, next_authority, switch
from gateway.settings import Settings
from ingest.errors import ConfigurationError, TransientError
from ingest.estate.load import load_estate


@click.command(
    epilog="Example: preau pki roll begin",
    short_help="Make the next authority and give it to every node.",
)
@settings_option
@folder_option
@each_wait_option
def begin(settings_file: Path | None, folder: Path | None, wait_s: float) -> int:
    """Make the town's next authority, and have every node in service trust it beside the one in
    force. Nothing else changes. May be repeated until every node has it.

    Exits 1 while one lacks it.
    """
    settings = pki_settings(settings_file, folder)
    coming = begin_roll(settings.pki.dir, datetime.now(UTC))
    click.echo(f"next authority: {fingerprint(coming)}, {coming.subject.rfc4514_string()}")
    roll = AuthorityRoll(LocalService(settings), wait_s)
    der = coming.public_bytes(Encoding.DER)
    return _told(asyncio.run(roll.ask(_nodes(settings), der)), fingerprint(coming))


@click.command(
    epilog="Example: preau pki roll status", short_help="Which nodes trust the next authority."
)
@settings_option
@folder_option
@each_wait_option
def status(settings_file: Path | None, folder: Path | None, wait_s: float) -> int:
    """Ask every node in service which authorities it trusts. Exits 1 while one lacks the next."""
    settings = pki_settings(settings_file, folder)
    coming = _coming(settings)
    roll = AuthorityRoll(LocalService(settings), wait_s)
    return _told(asyncio.run(roll.ask(_nodes(settings))), fingerprint(coming))


@click.command(
    epilog="Example: preau pki roll finish --broker /etc/mosquitto/preau "
    "--pid-file /run/mosquitto/mosquitto.pid",
    short_help="Change to the next authority.",
)
@settings_option
@folder_option
@click.option(
    "--broker",
    "given",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder of `preau broker config`: it gets the new certificate.",
)
@click.option(
    "--pid-file",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Mosquitto's process id, to have it reload.",
)
@each_wait_option
def finish(
    settings_file: Path | None,
    folder: Path | None,
    *,
    given: Path,
    pid_file: Path,
    wait_s: float,
) -> int:
    """Have broker and web server use certificates of the next authority, then every node and the
    gateway trust it alone. Refused while a node in service lacks it. May be repeated.

    Nodes restart once on the way, and lose nothing by it. Exits 1 while one has not come back.
    """
    settings = pki_settings(settings_file, folder)
    mark = fingerprint(_coming(settings))
    roll = AuthorityRoll(LocalService(settings), wait_s)
    nodes = _nodes(settings)
    lacking = [one for one in asyncio.run(roll.ask(nodes)) if mark not in one.fingerprints]
    if lacking:
        _told(lacking, mark)
        raise TransientError("nothing is changed while a node lacks the next authority")
    switch(settings.pki.dir, datetime.now(UTC))
    _give(settings.pki.dir, given, pid_file)
    click.echo("the broker has a certificate of the new authority; the nodes restart")
    late = [one for one in asyncio.run(roll.settle(nodes, mark)) if one.problem]
    if late:
        return _told(late, mark)
    finish_roll(settings.pki.dir)
    click.echo("done: every node trusts the new authority alone")
    click.echo("Next: reload the web server or reverse proxy that uses web.pem, if there is one")
    return 0


def _give(pki: Path, given: Path, pid_file: Path) -> None:
    """Key and certificate of the broker into its folder, which it then reads again."""
    if not (given / CERTIFICATE_FILE).exists():
        raise ConfigurationError(
            f"{given} has no {CERTIFICATE_FILE}: write it by preau broker config"
        )
    write_atomically(given / KEY_FILE, key_file(pki, BROKER).read_bytes())
    certificate = certificate_file(pki, BROKER).read_bytes()
    write_atomically(given / CERTIFICATE_FILE, certificate, mode=PUBLIC)
    reload_broker(pid_file)


def _coming(settings: Settings) -> x509.Certificate:
    coming = next_authority(settings.pki.dir)
    if coming is None:
        raise ConfigurationError("no change of the authority is under way: preau pki roll begin")
    return coming


def _nodes(settings: Settings) -> list[str]:
    return load_estate(settings.estate_file, settings.zone).in_service()


def _told(found: Sequence[Trust], mark: str) -> int:
    """A line for each node; 1 where one lacks the authority."""
    for one in found:
        state = "trusts the next authority" if mark in one.fingerprints else "lacks it"
        reason = f": {one.problem}" if one.problem else ""
        click.echo(plain(f"{one.node}: {state}{reason}"))
    return int(any(mark not in one.fingerprints or one.problem for one in found))
