"""Three gateways on one Mosquitto and one estate: each node's log ends in one store, none is lost.

The gateways are `preau run` in processes of their own. One takes the strangers in.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from gateway.mqtt.address import BrokerAddress
from simulators.node import VirtualNode
from simulators.outbox import Repeats
from simulators.session import Pace
from simulators.town import demo_town
from tests.gateway import Gateway
from tests.servers import eventually, mosquitto_server, running

SITES = ("alizes", "bruyeres", "cedres")
GREETER = "cedres"
NODES = {f"3c71bf4a{10 * s + n:04x}": site for s, site in enumerate(SITES) for n in range(3)}
MOVING = "3c71bf4a0000"
STRANGER = "f0f0f0f0f0f0"
BRISK = Pace(
    repeats=Repeats(first_s=1, longest_s=2),
    presence_first_s=0.5,
    presence_longest_s=1,
    reconnect_first_s=0.05,
    reconnect_longest_s=0.5,
)
_SITE = """
[[site]]
id = "{0}"
name = "{0}"

[[site.building]]
id = "main"
name = "Main"

[[site.building.room]]
id = "hall"
name = "Hall"
"""
_NODE = '\n[[node]]\nid = "{0}"\n'
_PLACEMENT = '\n[[node.placement]]\nroom = "{0}/hall"\nsince = {1}\n'


def estate_text(moved_to: str | None = None) -> str:
    """All sites and nodes; `moved_to` is where the moving one is from now on."""
    text = "".join(_SITE.format(site) for site in SITES)
    for node, site in NODES.items():
        text += _NODE.format(node) + _PLACEMENT.format(site, "2026-01-01T00:00:00Z")
        if node == MOVING and moved_to is not None:
            text += _PLACEMENT.format(moved_to, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    return text


@dataclass
class Town:
    """Gateways by their site, and all nodes."""

    estate: Path
    gateways: dict[str, Gateway]
    nodes: dict[str, VirtualNode] = field(default_factory=dict)

    def of(self, site: str) -> list[VirtualNode]:
        return [self.nodes[node] for node, at in NODES.items() if at == site]

    def stores_of(self, node: str) -> list[str]:
        """The sites whose gateway's store has anything of `node`."""
        return [site for site, gateway in self.gateways.items() if gateway.stored(node)]

    def last_at_ms(self, site: str, node: str) -> int:
        return max((at_ms for _, _, at_ms, _ in self.gateways[site].stored(node)), default=0)


def gateway_of(folder: Path, broker_port: int, estate: Path, site: str) -> Gateway:
    gateway = Gateway(folder / site, broker_port)
    settings = folder / site / "preau.toml"
    text = re.sub(r"(?m)^file = .*$", f'file = "{estate}"', settings.read_text())
    strangers = str(site == GREETER).lower()
    settings.write_text(f'{text}[share]\nsites = ["{site}"]\nstrangers = {strangers}\n')
    return gateway


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    estate = folder / "estate.toml"
    estate.write_text(estate_text())
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(running(mosquitto_server(folder)))
        gateways = {site: gateway_of(folder, broker.port, estate, site) for site in SITES}
        for gateway in gateways.values():
            stack.enter_context(running(gateway))
            await eventually(gateway.is_well, what="not connected")
        found = Town(estate, gateways)
        rooms = demo_town().rooms
        for number, node in enumerate((*NODES, STRANGER)):
            found.nodes[node] = VirtualNode(
                node,
                rooms[number % len(rooms)].model,
                BrokerAddress(port=broker.port),
                interval_s=0.2,
                pace=BRISK,
                keep_readings=True,
            )
            found.nodes[node].start()
            stack.push_async_callback(found.nodes[node].stop)
        yield found


async def until_receipted(nodes: Iterable[VirtualNode], more: int = 10) -> None:
    """Until each of `nodes` has got receipts for so many packs more."""
    wanted = {node: node.receipted + more for node in nodes}
    await eventually(lambda: all(node.receipted >= count for node, count in wanted.items()))


async def until_settled(nodes: Iterable[VirtualNode]) -> None:
    """Let the nodes take nothing more, and wait until all they hold is receipted."""
    nodes = list(nodes)
    for node in nodes:
        node.state.interval_s = 3600
    await eventually(lambda: not any(node.held for node in nodes), 30, what="packs stay held")


def taken_by(node: VirtualNode) -> list[tuple[str, str, int, float]]:
    assert node.readings is not None
    return sorted(reading[:4] for reading in node.readings)


async def check_audit(found: Town) -> None:
    """`preau audit` over all stores together has every number that was given."""
    preau = found.gateways[GREETER].command[0]
    stores = [part for one in found.gateways.values() for part in ("--store", str(one.data))]
    done = await asyncio.to_thread(
        subprocess.run,
        [preau, "audit", "--json", *stores],
        capture_output=True,
        text=True,
        cwd=found.estate.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["lost"], told["missing"]) == (0, 0)
    assert told["received"] == sum(node.taken for node in found.nodes.values())


async def metric(gateway: Gateway, name: str) -> float:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{gateway.url}/metrics") as response,
    ):
        text = await response.text()
    match = re.search(rf"(?m)^preau_{name} (\S+)$", text)
    assert match is not None, name
    return float(match[1])


@pytest.mark.timeout(180)
async def test_each_node_ends_in_one_store_while_a_gateway_is_away(tmp_path: Path):
    async with town(tmp_path) as found:
        await until_receipted(found.nodes.values())
        dead = found.gateways["alizes"]
        dead.kill()
        begun = {node: node.receipted for node in found.of("alizes")}
        others = [node for node in found.nodes.values() if node not in begun]
        await until_receipted(others, 20)
        for node, receipted in begun.items():
            assert node.receipted - receipted <= 1, "nobody else may receipt them"
            assert node.held >= 15, "they keep what they take"
        await asyncio.to_thread(dead.start)
        await until_receipted(begun, 20)
        await until_settled(found.nodes.values())

        for node, site in (NODES | {STRANGER: GREETER}).items():
            assert found.stores_of(node) == [site]
            assert found.gateways[site].stored(node) == taken_by(found.nodes[node])
        await check_audit(found)
        greeter = found.gateways[GREETER]
        assert await metric(greeter, "not_ours_total") > 0
        assert await metric(found.gateways["bruyeres"], "not_ours_total") == 0
        assert await metric(greeter, "nodes_online") == 4
        answer = await found.gateways["bruyeres"].get("/api/v1/rooms")
        assert [room["ref"] for room in answer["rooms"]] == ["bruyeres/hall"]
        assert len((await greeter.get("/api/v1/nodes"))["nodes"]) == 4


@pytest.mark.timeout(180)
@pytest.mark.parametrize("to", ["bruyeres", GREETER])
async def test_a_node_that_moves_to_another_gateways_site_loses_nothing(tmp_path: Path, to: str):
    async with town(tmp_path) as found:
        await until_receipted(found.nodes.values())
        moving = found.nodes[MOVING]
        found.estate.write_text(estate_text(moved_to=to))
        await eventually(lambda: found.last_at_ms(to, MOVING), what="the other never took it")
        await until_receipted(found.nodes.values())

        def is_alone() -> bool:
            # Longer than a pack can be on its way.
            return found.last_at_ms(to, MOVING) > found.last_at_ms("alizes", MOVING) + 3000

        await eventually(is_alone, 60, every_s=0.5, what="the first gateway goes on")
        await until_settled(found.nodes.values())

        stored = {row for site in ("alizes", to) for row in found.gateways[site].stored(MOVING)}
        assert stored == set(taken_by(moving))
        assert found.stores_of(MOVING) == sorted(["alizes", to])
        for node, site in NODES.items():
            assert node == MOVING or found.stores_of(node) == [site]
        await check_audit(found)
        for site in SITES:
            assert await metric(found.gateways[site], "mqtt_reconnects") == 0
