"""`preau run`: the service of a town, until it is told to stop."""

import logging
from pathlib import Path

import click

from gateway.commands.options import settings_option
from gateway.memory import collect_less_often, give_freed_memory_back
from gateway.running import run_until_stopped
from gateway.service import Service, serve
from gateway.settings import load_settings

_log = logging.getLogger(__name__)


@click.command(
    epilog="Example: preau run --settings /etc/preau/preau.toml",
    short_help="Run the gateway: broker to store to page.",
)
@settings_option
def command(settings_file: Path | None) -> None:
    """Run the gateway: take what the nodes send into the store, and show it as a page.

    It ends cleanly on Ctrl-C and on SIGTERM. Whatever happens to it, nothing that it has
    acknowledged is lost: start it again.
    """
    give_freed_memory_back()
    collect_less_often()
    settings = load_settings(settings_file)

    def ready(service: Service) -> None:
        click.echo(f"preau: page at {service.url}")

    run_until_stopped(serve(settings, ready=ready))
    click.echo("preau: stopped")
