"""`preau node command`: has a node do something, and shows what it replies."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from gateway.commands.letters import plain
from gateway.commands.options import json_option, settings_option
from gateway.commands.waiting import AWAKE_S, Asleep, asleep, node_state, wait_option
from gateway.local_service import LocalService
from gateway.settings import load_settings
from ingest.errors import ConfigurationError, PreauError, TransientError
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
@wait_option
@settings_option
@json_option
def command(
    node: str,
    name: str,
    ppm: int | None,
    wait_s: float | None,
    settings_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Have NODE do COMMAND: identify (its light blinks), restart, calibrate-co2 (with --ppm, after
    three minutes in fresh air), send-log (its last words). The service must be running.

    A node that sleeps gets it when it wakes. Breaking this off withdraws the command.
    """
    check_node(node)
    if (ppm is None) == (name == "calibrate-co2"):
        raise ConfigurationError("--ppm belongs to calibrate-co2, which needs it: --ppm 420")
    settings = load_settings(settings_file)
    asked = _Asked(LocalService(settings), node, name, settings.zone)
    try:
        reply = asyncio.run(asked.reply(ppm, wait_s))
    except KeyboardInterrupt:
        click.echo(asyncio.run(asked.left_behind()), err=True)
        raise
    if as_json:
        click.echo(json.dumps(reply, indent=2))
    if not reply["ok"]:
        raise NodeRefusedError(
            f"{node} refuses {name}: {plain(reply['error'] or 'without reason')}"
        )
    if not as_json:
        click.echo("\n".join(_told(node, name, reply)))


@dataclass(slots=True)
class _Asked:
    """A command on its way, and whether the node slept when it was given."""

    service: LocalService
    node: str
    name: str
    zone: ZoneInfo
    asleep: Asleep | None = None

    async def reply(self, ppm: int | None, wait_s: float | None) -> dict[str, Any]:
        """The node's, within `wait_s`, or else as long as it needs."""
        now_s = time.time()
        self.asleep = asleep(await node_state(self.service, self.node))
        if self.asleep is not None:
            needed_s = self.asleep.patience_s(now_s)
            wait_s = wait_s or needed_s
            until = "gets it when it wakes" if wait_s >= needed_s else "may not wake in time"
            said = self.asleep.told(now_s, self.zone)
            click.echo(f"{said}; {until} (waiting {wait_s:.0f} s, Ctrl-C withdraws it)", err=True)
        wait_s = wait_s or AWAKE_S
        body: dict[str, Any] = {"do": _NAMES[self.name], "timeout_s": wait_s}
        if ppm is not None:
            body["ppm"] = ppm
        answer = await self.service.post(f"/api/v1/nodes/{self.node}/commands", body, wait_s)
        return dict(answer)

    async def left_behind(self) -> str:
        """What was and what was not done when somebody broke it off."""
        try:
            now = asleep(await node_state(self.service, self.node))
        except PreauError as error:
            return f"preau: whether {self.node} was told is not known: {error}"
        if now is not None and self.asleep is not None and now.sleep == self.asleep.sleep:
            return f"preau: withdrawn: {self.node} slept all the time and was not told"
        return (
            f"preau: not waited for any more: whether {self.node} was told, and did it, is not "
            "known; what was not said is withdrawn"
        )


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
