"""`preau node update`: has the service roll a signed firmware bundle out, and follows it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from gateway.commands.letters import plain
from gateway.commands.node_command import check_node
from gateway.commands.options import settings_option
from gateway.commands.rollout_view import RolloutView
from gateway.commands.waiting import Asleep, asleep
from gateway.firmware.shelf import Offer, Shelf
from gateway.local_service import LocalService
from gateway.settings import load_settings
from ingest.errors import ConfigurationError

_ORDER_S = 30.0
_SHOWN_ASLEEP = 5


@click.command(
    epilog="Example: preau node update --all --canary 2",
    short_help="Roll a signed firmware out: one node, a tenth, all.",
)
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@click.option("--all", "every", is_flag=True, help="Every node that is online or asleep.")
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
    help="Seconds of connection without receipt after which a node goes back by itself; else 600, "
    "or 30 for one that sleeps, whose sessions last seconds.",
)
@click.option("--status", "look", flag_value="status", help="Only show the rollout; order none.")
@click.option("--follow", "look", flag_value="follow", help="Follow the one that is under way.")
@click.option("--stop", "look", flag_value="stop", help="Stop it: no more nodes get it.")
@settings_option
def command(
    nodes: Sequence[str],
    *,
    every: bool,
    bundle: str | None,
    canary: int,
    trial_s: int | None,
    look: str | None,
    settings_file: Path | None,
) -> int:
    """Offer NODEs the signed bundle, and follow each until it has confirmed it.

    The service carries it out and stops by itself when a node of a step refuses, goes back, or
    does not return: the others are left as they are. A node that sleeps gets it when it wakes.
    Breaking this off leaves the service at it; --status, --follow and --stop come back to it.

    Exits 1 where the rollout was stopped or has failed.
    """
    settings = load_settings(settings_file)
    view = RolloutView(LocalService(settings), lambda line: click.echo(plain(line)))
    if look is not None:
        if every or nodes:
            raise ConfigurationError(f"--{look} is for the rollout there is, and names no nodes")
        return asyncio.run(_looked(view, look))
    if every == bool(nodes):
        raise ConfigurationError("say which nodes, or --all")
    for node in nodes:
        check_node(node)
    offer = _offer(Shelf(settings.data.dir), bundle)
    body = {"bundle": offer.name, "canary": canary, "trial_s": trial_s, "nodes": nodes or None}
    try:
        return asyncio.run(_run(view, offer, body, settings.zone))
    except KeyboardInterrupt:
        click.echo(
            "preau: not followed any more; what the service was given it carries out. See: "
            "preau node update --status (or --follow, --stop)",
            err=True,
        )
        raise


async def _looked(view: RolloutView, look: str) -> int:
    if look == "follow":
        return await view.follow()
    return await (view.stop() if look == "stop" else view.show())


async def _run(view: RolloutView, offer: Offer, body: Mapping[str, Any], zone: ZoneInfo) -> int:
    states = await _states(view.service)
    unknown = [node for node in body["nodes"] or () if node not in states]
    if unknown:
        raise ConfigurationError(f"{', '.join(unknown)}: not declared and never heard")
    order = await view.service.post("/api/v1/rollout", dict(body), _ORDER_S)
    chosen = [one["id"] for one in order["nodes"]]
    if not chosen:
        click.echo(f"no node to be updated to {offer.version}")
        return 0
    click.echo(f"{offer.name} for {len(chosen)} nodes")
    _tell_asleep([one for node in chosen if (one := asleep(states.get(node)))], zone)
    return await view.follow()


def _tell_asleep(sleeping: Sequence[Asleep], zone: ZoneInfo) -> None:
    now_s = time.time()
    for one in sleeping[:_SHOWN_ASLEEP]:
        click.echo(f"{one.told(now_s, zone)}; it is offered then")
    if len(sleeping) > _SHOWN_ASLEEP:
        last = max(sleeping, key=lambda one: one.sleep.until_s)
        more = len(sleeping) - _SHOWN_ASLEEP
        click.echo(f"{more} more sleep; of all, {last.told(now_s, zone)}")


async def _states(service: LocalService) -> dict[str, dict[str, Any]]:
    """What every node says of itself, by id."""
    found: dict[str, dict[str, Any]] = {}
    address: str | None = "/api/v1/nodes"
    while address:
        page = await service.get(address)
        found |= {node["id"]: node for node in page["nodes"]}
        address = page["next"]
    return found


def _offer(shelf: Shelf, name: str | None) -> Offer:
    if name is not None:
        return shelf.offer(name)
    releases = [(shelf.read(one).release, one) for one in shelf.names()]
    newest = sorted((r.number, one) for r, one in releases if not r.force)
    if not newest:
        raise ConfigurationError(f"no bundle in {shelf.folder}; make one: preau firmware build")
    return shelf.offer(newest[-1][1])
