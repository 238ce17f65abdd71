"""`preau demo-town`: the nodes of the demo town, reporting to a broker that runs elsewhere.

For trying out a whole installation. The nodes go the way of real ones: an account each, TLS, packs
that wait for their receipt. Their past is in their outboxes when they are switched on.
"""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from gateway.endpoint import parse_endpoint
from gateway.mqtt.address import BrokerAddress
from gateway.running import run_until_stopped
from gateway.secret_file import read_secret
from simulators.fill import STEP_S
from simulators.node import VirtualNode
from simulators.town import TownRoom, demo_town

_LIVE_INTERVAL_S: Final = 60
_DAY_S: Final = 86_400
# A node's packs are in memory until their receipt, at a step of five minutes.
_MOST_DAYS: Final = 60


@click.command(
    epilog="Example: preau demo-town --broker mosquitto:8883 --tls-ca ca.pem --passwords nodes",
    short_help="Have a simulated town report to a broker.",
)
@click.option("--broker", required=True, metavar="HOST:PORT", help="Where the broker is.")
@click.option(
    "--tls-ca",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The certificate that signed the broker's; given, the nodes use TLS.",
)
@click.option(
    "--passwords",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Holds NODE.password for each node, as `preau broker config` writes them.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, _MOST_DAYS),
    default=7,
    show_default=True,
    help="Days of the past that the nodes hold when they are switched on, at most 60.",
)
def command(broker: str, tls_ca: Path | None, passwords: Path, days: float) -> None:
    """Switch on the twelve nodes of the demo town, until Ctrl-C or SIGTERM."""
    endpoint = parse_endpoint(broker)
    place = BrokerAddress(endpoint.host, endpoint.port, ca=tls_ca)
    # Once, and now: else each node would tell of a CA that can't be used, again and again.
    place.tls_context()
    nodes = [_node(room, place, passwords) for room in demo_town().rooms]
    run_until_stopped(_run(nodes, days))


def _node(room: TownRoom, place: BrokerAddress, passwords: Path) -> VirtualNode:
    password = read_secret(passwords / f"{room.node}.password", "--passwords")
    broker = replace(place, username=room.node, password=password)
    return VirtualNode(room.node, room.model, broker, interval_s=_LIVE_INTERVAL_S)


async def _run(nodes: list[VirtualNode], days: float) -> None:
    now_s = int(time.time())
    for at_s in range(now_s - round(days * _DAY_S), now_s, STEP_S):
        for node in nodes:
            node.measure(at_s // STEP_S * STEP_S * 1000)
        await asyncio.sleep(0)
    click.echo(f"preau demo-town: {len(nodes)} nodes, {sum(node.held for node in nodes)} packs")
    async with asyncio.TaskGroup() as tasks:
        for node in nodes:
            tasks.create_task(node.run(), name=f"node {node.node}")
