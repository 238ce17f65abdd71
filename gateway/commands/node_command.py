"""`preau node command`: has a node do something, and shows what it replies."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import click

from gateway.commands.letters import plain
from gateway.commands.options import json_option, settings_option
from gateway.local_service import LocalService
from gateway.settings import load_settings
from ingest.errors import ConfigurationError, TransientError
from ingest.topics import is_node_id

_NAMES: Final = {
    "identify": "identify",
    "restart": "restart",
    "calibrate-co2": "calibrate_co2",
    "send-log": "send_log",
}


class NodeRefusedError(TransientError):
    """The node replied that it did not do it."""


@click.command(
    epilog="Example: preau node command 3c71bf4a2b10 calibrate-co2 --ppm 420",
    short_help="Have a node identify itself, restart, calibrate, send its log.",
)
@click.argument("node")
@click.argument("name", type=click.Choice(list(_NAMES)), metavar="COMMAND")
@click.option("--ppm", type=click.IntRange(400, 450), help="The CO2 that the air around it holds.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(1, 3600),
    default=30,
    show_default=True,
    help="Seconds to wait for the node; one on battery replies when it wakes.",
)
@settings_option
@json_option
def command(
    node: str,
    name: str,
    ppm: int | None,
    wait_s: float,
    settings_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Have NODE do COMMAND: identify (its light blinks), restart, calibrate-co2 (with --ppm, after
    three minutes in fresh air), send-log (its last words). The service must be running.
    """
    check_node(node)
    if (ppm is None) == (name == "calibrate-co2"):
        raise ConfigurationError("--ppm belongs to calibrate-co2, which needs it: --ppm 420")
    service = LocalService(load_settings(settings_file))
    body = {"do": _NAMES[name], "timeout_s": wait_s} | ({"ppm": ppm} if ppm is not None else {})
    reply = asyncio.run(service.post(f"/api/v1/nodes/{node}/commands", body, wait_s))
    if as_json:
        click.echo(json.dumps(reply, indent=2))
    if not reply["ok"]:
        raise NodeRefusedError(
            f"{node} refuses {name}: {plain(reply['error'] or 'without reason')}"
        )
    if not as_json:
        click.echo("\n".join(_told(node, name, reply)))


def check_node(node: str) -> None:
    """Raises `ConfigurationError` for what is no node id."""
    if not is_node_id(node):
        raise ConfigurationError(f"{node!r} is no node: the 12 lowercase hex digits of its label")


def _told(node: str, name: str, reply: dict[str, Any]) -> list[str]:
    if reply["log"] is not None:
        return [plain(line) for line in reply["log"]]
    if reply["correction_ppm"] is not None:
        return [f"{node}: calibrated, corrected by {reply['correction_ppm']} ppm"]
    return [f"{node}: {name} done"]
