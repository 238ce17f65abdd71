"""`make bench-simulators`: what the simulators cost, beside what they are to cost.

A year of 24 rooms into a store, and the nodes of a département with a session each, in real time,
on one Mosquitto and one gateway. `python -m tests.bench.simulators [--nodes N] [--minutes N]`.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from ingest.store.reader import StoreReader
from simulators.node import VirtualNode
from simulators.scenario.cast import cast_of
from simulators.scenario.clock import ScenarioClock
from simulators.scenario.estate_files import write_estate
from simulators.scenario.load import SHIPPED, load_scenario
from simulators.scenario.play import Player
from simulators.scenario.script import Scenario
from simulators.scenario.servers import Wanted, running
from tests.bench import year
from tests.bench.figures import Figure, as_json, show

KB_A_NODE = 60


def resident_kb() -> float:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line) * 1.024


def departement(nodes: int, minutes: int) -> Scenario:
    scenario = load_scenario(SHIPPED / "departement.toml")
    end = scenario.head.begin + timedelta(minutes=minutes)
    return replace(scenario, head=scenario.head.model_copy(update={"nodes": nodes, "end": end}))


class Watch:
    """Looks each second at memory, connections, and nodes that hold more than one pack."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.most_held = 0
        self.peak_kb = 0.0
        self.connected_s: float | None = None

    async def loop(self, begun_s: float) -> None:
        while True:
            await asyncio.sleep(1)
            nodes = self.player.nodes
            self.most_held = max(self.most_held, sum(node.held > 1 for node in nodes))
            self.peak_kb = max(self.peak_kb, resident_kb())
            if self.connected_s is None and all(node.connected for node in nodes):
                self.connected_s = time.perf_counter() - begun_s


def accounted_for(data: Path, nodes: Sequence[VirtualNode]) -> int:
    """How many packs the store has received of the logs of these nodes."""
    with StoreReader(data) as reader:
        received = {(log.node, log.log): log.received.count() for log in reader.logs()}
    return sum(received.get((node.node, node.log), 0) for node in nodes)


async def sessions(nodes: int, minutes: int) -> list[Figure]:
    """So many nodes for so long, each with a session of its own."""
    scenario = departement(nodes, minutes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cast = cast_of(scenario)
        cast.town.air.stretch(0)
        estate = write_estate(folder, scenario, cast)
        wanted = Wanted(folder, broker="mosquitto", gateway_alone=True)
        with ScenarioClock(folder / "clock", scenario.begin_ms) as clock:
            async with running(wanted, clock, estate) as servers:
                before_kb = resident_kb()
                members = cast.nodes(scenario, servers.address, clock.now_s)
                player = Player(scenario, cast, members, clock, servers)
                watch = Watch(player)
                begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
                watching = asyncio.create_task(watch.loop(begun_s))
                await player.run()
                took_s = time.perf_counter() - begun_s
                cpu_s = time.process_time() - begun_cpu_s
                watching.cancel()
                player.weigh()
                accounted = accounted_for(servers.data, members)
    packs = sum(node.taken for node in members)
    a_node_kb = (watch.peak_kb - before_kb) / nodes
    return [
        Figure("nodes with a session of their own", nodes, "nodes", bar=nodes),
        Figure("all of them connected after", watch.connected_s or float("inf"), "s"),
        Figure("memory of the simulator", a_node_kb, "KB/node", bar=KB_A_NODE, at_most=True),
        Figure("packs received, of those taken", accounted, "packs", packs, "taken", bar=packs),
        Figure(
            "nodes that missed their cadence: two packs without receipt",
            watch.most_held,
            "nodes",
            bar=0,
            at_most=True,
        ),
        Figure("beyond the period until all had their receipt", took_s - minutes * 60, "s"),
        Figure("processor time of the simulator", cpu_s / took_s * 100, "%"),
        Figure("memory of the gateway", player.weight.kib / 1024, "MiB"),
    ]


async def full_speed(how: str, nodes: int = 300, hours: int = 6) -> tuple[float, float]:
    """Packs a second from the first measurement to the last receipt, and processor ms a pack."""
    head = {"nodes": nodes, "sessions": how, "speed": "full", "stride_s": 3600}
    scenario = load_scenario(SHIPPED / "departement.toml")
    head["end"] = scenario.head.begin + timedelta(hours=hours)
    scenario = replace(scenario, head=scenario.head.model_copy(update=head))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cast = cast_of(scenario)
        cast.town.air.stretch(0)
        wanted = Wanted(folder, broker="mosquitto", gateway_alone=True)
        with ScenarioClock(folder / "clock", scenario.begin_ms) as clock:
            async with running(wanted, clock, write_estate(folder, scenario, cast)) as servers:
                members = cast.nodes(scenario, servers.address, clock.now_s)
                player = Player(scenario, cast, members, clock, servers)
                begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
                await player.run()
                took_s = time.perf_counter() - begun_s
                cpu_s = time.process_time() - begun_cpu_s
                packs = sum(node.taken for node in members)
                assert accounted_for(servers.data, members) == packs
    return packs / took_s, cpu_s / packs * 1000


def session_rates() -> list[Figure]:
    """300 nodes at full speed, with sessions of their own and in one."""
    own, own_ms = asyncio.run(full_speed("own"))
    shared, shared_ms = asyncio.run(full_speed("shared"))
    return [
        Figure(
            "packs until their receipt, 300 nodes in one session", shared, "packs/s", own, "own"
        ),
        Figure("processor time of the simulator for it", shared_ms, "ms/pack", own_ms, "own"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=15_000)
    parser.add_argument("--minutes", type=int, default=11, help="two cadences and a little")
    parser.add_argument("--without-year", action="store_true")
    parser.add_argument("--rates-only", action="store_true")
    parser.add_argument("--json", type=Path, help="writes the figures here as well")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    print(f"file descriptors: {soft} a process, at most {hard}")
    figures = [] if options.without_year else year.run(options)
    figures += session_rates()
    if options.rates_only:
        show(figures)
        return
    figures += asyncio.run(sessions(options.nodes, options.minutes))
    show(figures)
    if options.json:
        options.json.write_text(as_json(figures) + "\n")


if __name__ == "__main__":
    main()
