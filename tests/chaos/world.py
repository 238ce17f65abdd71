"""The system that the faults befall: nodes, broker, gateway, InfluxDB, and proxies between them.

All real: virtual nodes with outboxes speak MQTT to Mosquitto, the gateway is a process of its own
whose store lies on a small file system, InfluxDB is Debian's 1.6.7.
"""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
from _pytest.outcomes import Failed

from gateway.mqtt.address import BrokerAddress
from simulators.node import VirtualNode
from simulators.outbox import Repeats
from simulators.session import Pace
from simulators.town import demo_town
from tests.gateway import Gateway
from tests.influx import influxdb_server
from tests.servers import Server, mosquitto_server, running
from tests.tcp_proxy import TcpProxy

DISK_MIB = 96
NODES = 12
# As patient as the contract wants would be an hour; a minute's fault has to show in seconds.
PACE = Pace(Repeats(5, 20), presence_first_s=2, presence_longest_s=20, reconnect_longest_s=3)


class Overheard:
    """The last packs on the broker, to be said again by somebody who repeats them."""

    def __init__(self, port: int) -> None:
        self.packs: list[tuple[str, bytes]] = []
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *rest: client.subscribe("preau/v1/+/readings")
        self.client.on_message = self._note
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _note(self, client, userdata, message) -> None:
        self.packs.append((message.topic, message.payload))
        del self.packs[:-2000]

    def repeat(self, rng: random.Random, count: int) -> int:
        """Publish some of them again, in any order."""
        chosen = rng.sample(self.packs, min(count, len(self.packs)))
        for topic, payload in chosen:
            self.client.publish(topic, payload, qos=1)
        return len(chosen)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@dataclass
class World:
    """What the faults work on. A lock each, so that nothing is started twice."""

    folder: Path
    disk: Path
    broker: Server
    influx: Server
    gateway: Gateway
    links: dict[str, TcpProxy]
    nodes: list[VirtualNode]
    overheard: Overheard
    clock: Path
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    oldest_ms: dict[str, int] = field(default_factory=dict)

    def lock(self, name: str) -> asyncio.Lock:
        return self.locks.setdefault(name, asyncio.Lock())

    def step_clock(self, offset_ms: int) -> None:
        self.clock.write_text(str(offset_ms))

    def backlog(self, node: VirtualNode, packs: int, every_ms: int) -> None:
        """Let `node` have measured `packs` times before everything it measured so far."""
        newest = self.oldest_ms.get(node.node, int(time.time() * 1000) - 3_600_000)
        for number in range(packs):
            node.measure(newest - (packs - number) * every_ms)
        self.oldest_ms[node.node] = newest - packs * every_ms

    def preau(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of ours beside, or instead of, the service."""
        preau = Path(sys.executable).with_name("preau")
        settings = self.folder / "gateway" / "preau.toml"
        command = [str(preau), *arguments, "--settings", str(settings)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


async def revive(server: Server, within_s: float = 60) -> None:
    """Start what may not be able to start yet, as an init system does."""
    end = time.monotonic() + within_s
    while True:
        try:
            await asyncio.to_thread(server.start)
        except Failed:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.5)
        else:
            return


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own that can be full without anyone else noticing."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=700", "preau-chaos", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def settings_of(influx_port: int) -> str:
    return (
        f'[[forwarder]]\nname = "local"\napi = "v1"\nurl = "http://127.0.0.1:{influx_port}"\n'
        "batch_ms = 200\ntimeout_s = 3\n"
        "[store]\nmin_free_mib = 16\nballast_mib = 8\n"
    )


@asynccontextmanager
async def world(
    folder: Path, module: str = "tests.chaos.gateway_with_clock"
) -> AsyncIterator[World]:
    """Everything started and well; stopped, unmounted and closed at the end, come what may.

    `module` is what runs as the gateway.
    """
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(small_disk(folder / "disk"))
        broker = stack.enter_context(running(mosquitto_server(folder)))
        influx = stack.enter_context(running(influxdb_server(folder)))
        async with contextlib.AsyncExitStack() as later:
            links = {
                name: await later.enter_async_context(TcpProxy(target))
                for name, target in (
                    ("nodes", broker.port),
                    ("gateway", broker.port),
                    ("influx", influx.port),
                )
            }
            gateway = gateway_of(folder, disk, links, module)
            stack.enter_context(running(gateway))
            overheard = Overheard(broker.port)
            stack.callback(overheard.close)
            nodes = virtual_nodes(links["nodes"].port)
            for node in nodes:
                node.start()
            try:
                yield World(
                    folder, disk, broker, influx, gateway, links, nodes, overheard, folder / "clock"
                )
            finally:
                for node in nodes:
                    await node.stop()


def gateway_of(folder: Path, disk: Path, links: dict[str, TcpProxy], module: str) -> Gateway:
    """A gateway behind proxies, its data on the small disk, its clock ours to step."""
    clock = folder / "clock"
    clock.write_text("0")
    gateway = Gateway(
        folder / "gateway", links["gateway"].port, extra=settings_of(links["influx"].port)
    )
    settings = folder / "gateway" / "preau.toml"
    text = settings.read_text().replace(f'dir = "{gateway.data}"', f'dir = "{disk / "data"}"')
    settings.write_text(text)
    gateway.data = disk / "data"
    gateway.command = [sys.executable, "-m", module, str(settings), str(clock)]
    gateway.environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return gateway


def virtual_nodes(port: int) -> list[VirtualNode]:
    rooms = demo_town().rooms
    broker = BrokerAddress("127.0.0.1", port)
    return [
        VirtualNode(
            f"3c71bf0000{number:02x}",
            rooms[number % len(rooms)].model,
            broker,
            interval_s=1,
            pace=PACE,
            keep_readings=True,
        )
        for number in range(NODES)
    ]
