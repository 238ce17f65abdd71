"""`preau node update`: rolls a signed firmware bundle out to nodes, in steps."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gateway.commands.letters import plain
from gateway.commands.node_command import check_node
from gateway.commands.options import settings_option
from gateway.firmware.shelf import Offer, Shelf
from gateway.local_service import LocalService
from gateway.rollout import Rollout
from gateway.settings import load_settings
from ingest.errors import ConfigurationError

_EXTRA_S = 900.0
"""What fetching, checking and restarting may take beside the trial."""


@click.command(
    epilog="Example: preau node update --all --canary 2",
    short_help="Roll a signed firmware out: one node, a tenth, all.",
)
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@click.option("--all", "every", is_flag=True, help="Every node that is online.")
@click.option("--bundle", metavar="NAME", help="Which; else the newest that is no way back.")
@click.option(
    "--canary",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="So many nodes first; then a tenth, then the rest.",
)
@click.option(
    "--trial",
    "trial_s",
    type=click.IntRange(1, 86_400),
    default=600,
    show_default=True,
    help="Seconds of connection without receipt after which a node goes back by itself.",
)
@settings_option
def command(
    nodes: Sequence[str],
    *,
    every: bool,
    bundle: str | None,
    canary: int,
    trial_s: int,
    settings_file: Path | None,
) -> None:
    """Offer NODEs the signed bundle, and follow each until it has confirmed it.

    It stops by itself when a node of a step refuses, goes back, or does not return: the others
    are left as they are. The service must be running; breaking this off stops after the nodes
    that were told already.
    """
    if every == bool(nodes):
        raise ConfigurationError("say which nodes, or --all")
    for node in nodes:
        check_node(node)
    settings = load_settings(settings_file)
    offer = _offer(Shelf(settings.data.dir), bundle)
    rollout = Rollout(
        LocalService(settings),
        offer,
        trial_s,
        trial_s + _EXTRA_S,
        lambda line: click.echo(plain(line)),
    )
    asyncio.run(_run(rollout, nodes, canary))


async def _run(rollout: Rollout, nodes: Sequence[str], canary: int) -> None:
    states = await rollout.states()
    chosen = _chosen(states, nodes, rollout.offer.version)
    if not chosen:
        click.echo(f"no node to be updated to {rollout.offer.version}")
        return
    click.echo(f"{rollout.offer.name} for {len(chosen)} nodes")
    await rollout.run(chosen, canary)
    click.echo(f"done: {len(chosen)} nodes run {rollout.offer.version}")


def _chosen(
    states: Mapping[str, Mapping[str, Any]], nodes: Sequence[str], version: str
) -> list[str]:
    """The nodes meant that run something else; for all, those that are there."""
    unknown = [node for node in nodes if node not in states]
    if unknown:
        raise ConfigurationError(f"{', '.join(unknown)}: not declared and never heard")
    meant = nodes or [node for node, state in states.items() if state["online"]]
    return [node for node in dict.fromkeys(meant) if states[node]["firmware"] != version]


def _offer(shelf: Shelf, name: str | None) -> Offer:
    if name is not None:
        return shelf.offer(name)
    releases = [(shelf.read(one).release, one) for one in shelf.names()]
    newest = sorted((r.number, one) for r, one in releases if not r.force)
    if not newest:
        raise ConfigurationError(f"no bundle in {shelf.folder}; make one: preau firmware build")
    return shelf.offer(newest[-1][1])
