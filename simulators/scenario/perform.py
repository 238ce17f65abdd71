"""Performs a scenario from its first server to its last verdict.

The one place, with the command, where its parts are put together.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from ingest.errors import PreauError
from ingest.store.reader import StoreReader
from simulators.board.program import SOURCES
from simulators.scenario.boards import Bench, require
from simulators.scenario.cast import Cast, cast_of
from simulators.scenario.children import has_mosquitto
from simulators.scenario.clock import ScenarioClock
from simulators.scenario.descriptors import make_room
from simulators.scenario.estate_files import write_estate
from simulators.scenario.evidence import Evidence, StoreRecords
from simulators.scenario.judge import Judge, Verdict
from simulators.scenario.model import Memory
from simulators.scenario.play import AT_ONCE, Player, Told
from simulators.scenario.script import Scenario
from simulators.scenario.servers import GATEWAY_MODULE, Servers, Wanted, running

_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a scenario. `broke` is why it did not come to its end, if it did not."""

    scenario: Scenario
    verdicts: tuple[Verdict, ...]
    broke: str | None
    at_ms: int
    nodes: int
    packs: int
    resent: int
    digest: str
    """Stands for every byte that the virtual nodes took: the same for the same seed. Empty where
    all run the real firmware, whose bytes tell the time of day."""
    took_s: float
    firmware: tuple[tuple[str, str], ...] = ()
    """The nodes that ran the real firmware, and their rooms."""

    @property
    def holds(self) -> bool:
        """Whether it came to its end and all that was expected has come true."""
        return self.broke is None and all(verdict.holds is not False for verdict in self.verdicts)


async def perform(
    scenario: Scenario,
    *,
    cast: Cast | None = None,
    told: Told = lambda _at_ms: None,
    gateway_module: str = GATEWAY_MODULE,
    firmware: Path = SOURCES,
) -> Outcome:
    """Play a scenario with a broker and a gateway of its own, and judge it.

    `cast` are other nodes than those of its town, `gateway_module` is what runs as the gateway
    where it is a process of its own, `firmware` holds the sources of what boards run. Raises
    `ConfigurationError` where a server or MicroPython is missing.
    """
    begun_s = time.perf_counter()
    # The first question to a town computes weeks of weather and air.
    if cast is None:
        cast = await asyncio.to_thread(cast_of, scenario)
    require(sum(stand.is_firmware for stand in cast.stands))
    has_broker = scenario.head.broker == "mosquitto" or (
        scenario.head.broker == "auto" and has_mosquitto()
    )
    # An embedded broker has the other end of each connection in this process.
    make_room(connections_of(scenario, len(cast.stands)) * (1 if has_broker else 2))
    with tempfile.TemporaryDirectory(prefix="preau-scenario-") as name:
        folder = Path(name)
        estate = write_estate(folder, scenario, cast)
        wanted = Wanted(
            folder,
            broker=scenario.head.broker,
            influxdb=scenario.head.influxdb,
            gateway_alone=needs_process(scenario),
            gateway_module=gateway_module,
        )
        with ScenarioClock(folder / "clock", scenario.begin_ms) as clock:
            async with running(wanted, clock, estate) as servers:
                nodes = await Bench(folder, firmware).nodes(
                    scenario, cast, servers.address, clock.now_s
                )
                player = Player(scenario, cast, nodes, clock, servers, told)
                return await _performed(player, servers, begun_s)


def connections_of(scenario: Scenario, nodes: int) -> int:
    """How many of its nodes' connections are open at once."""
    if scenario.head.sessions == "shared":
        return 1
    return min(nodes, AT_ONCE) if scenario.head.power == "battery" else nodes


def needs_process(scenario: Scenario) -> bool:
    """Whether its gateway has to be a process of its own: to be killed, or to be weighed."""
    return any(entry.table.what == "gateway_killed" for entry in scenario.faults) or any(
        isinstance(entry.table, Memory) for entry in scenario.expectations
    )


async def _performed(player: Player, servers: Servers, begun_s: float) -> Outcome:
    scenario = player.scenario
    broke: str | None = None
    verdicts: list[Verdict] = []
    try:
        await player.run()
        player.weigh()
        await _until_sorted(scenario, servers)
    except PreauError as error:
        broke = str(error)
    else:
        influx_port = None if servers.influx is None else servers.influx.port
        evidence = Evidence(StoreRecords(servers.data), player.nodes, influx_port)
        judge = Judge(scenario, player.cast, evidence, player.overviews, player.weight)
        verdicts = await asyncio.to_thread(judge.verdicts)
    return outcome_of(player, verdicts, broke, begun_s)


def outcome_of(
    player: Player, verdicts: Sequence[Verdict], broke: str | None, begun_s: float
) -> Outcome:
    """What a run came to that began at `begun_s` of `time.perf_counter`."""
    nodes = player.nodes
    digests = "".join(node.digest for node in player.virtual)
    digest = blake2b(digests.encode(), digest_size=8).hexdigest() if player.virtual else ""
    return Outcome(
        scenario=player.scenario,
        verdicts=tuple(verdicts),
        broke=broke,
        at_ms=player.clock.now_ms(),
        nodes=len(nodes),
        packs=sum(node.taken for node in nodes),
        resent=sum(node.resent for node in player.virtual),
        digest=digest,
        took_s=time.perf_counter() - begun_s,
        firmware=tuple((one.node, one.ref) for one in player.cast.stands if one.is_firmware),
    )


async def _until_sorted(scenario: Scenario, servers: Servers) -> None:
    """Return once all is folded, and shipped where there is an InfluxDB, or patience is over.

    What has not come by then is for the verdict to tell.
    """
    loop = asyncio.get_running_loop()
    end_s = loop.time() + scenario.head.patience_s
    while loop.time() < end_s:
        servers.check()
        with StoreReader(servers.data) as reader:
            (waiting,) = reader.ask(
                lambda store: store.execute("SELECT count(*) FROM journal").fetchone()
            )
        if waiting == 0:
            return
        await asyncio.sleep(_LOOK_S)
