"""`preau demo-town`: the nodes of the demo town, reporting to a broker that runs elsewhere.

For trying out a whole installation. The nodes go the way of real ones: an account each, TLS, packs
that wait for their receipt. Their past is in their outboxes when they are switched on.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

import click

from gateway.endpoint import parse_endpoint
from gateway.running import run_until_stopped
from simulators.fill import STEP_S
from simulators.node import VirtualNode
from simulators.target import address_for, check_broker, parse_broker, read_passwords
from simulators.town import demo_town

_LIVE_INTERVAL_S: Final = 60
_DAY_S: Final = 86_400
# A node's packs are in memory until their receipt, at a step of five minutes.
_MOST_DAYS: Final = 60


@click.command(
    epilog="Example: preau demo-town --target mqtts://mosquitto --ca ca.pem --passwords nodes",
    short_help="Have a simulated town report to a broker.",
)
@click.option(
    "--target",
    "--broker",
    "target",
    required=True,
    metavar="mqtt[s]://[USER@]HOST[:PORT]",
    help="Where the broker is; HOST:PORT is enough. The password of USER, if all nodes share that "
    "account, in PREAU_SIMULATE_PASSWORD.",
)
@click.option(
    "--ca",
    "--tls-ca",
    "ca",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The certificate that signed the broker's; given, the nodes use TLS. With mqtts:// alone "
    "the system's authorities are trusted.",
)
@click.option(
    "--passwords",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="An account for each node: holds NODE.password, as `preau broker config` writes them.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, _MOST_DAYS),
    default=7,
    show_default=True,
    help="Days of the past that the nodes hold when they are switched on, at most 60.",
)
def command(target: str, ca: Path | None, passwords: Path | None, days: float) -> None:
    """Switch on the twelve nodes of the demo town, until Ctrl-C or SIGTERM."""
    if "://" not in target:
        target = f"{'mqtt' if ca is None else 'mqtts'}://{parse_endpoint(target)}"
    broker = parse_broker(target, ca)
    rooms = demo_town().rooms
    names = [room.node for room in rooms]
    secrets = read_passwords(passwords, broker, names)
    asyncio.run(check_broker(broker, names, secrets))
    nodes = [
        VirtualNode(
            room.node,
            room.model,
            address_for(room.node, broker, secrets),
            interval_s=_LIVE_INTERVAL_S,
        )
        for room in rooms
    ]
    run_until_stopped(_run(nodes, days))


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
