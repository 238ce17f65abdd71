"""A town for a test that has no event loop of its own: it runs in a thread beside it.

Made by the pytest fixture `preau_town`. It judges nothing: that is the test's part.
"""

import asyncio
import json
import tempfile
import threading
import urllib.request
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from ingest.estate.fields import to_ms
from simulators.scenario.boards import Bench, Node, require
from simulators.scenario.cast import Cast, cast_of
from simulators.scenario.clock import ScenarioClock
from simulators.scenario.estate_files import write_estate
from simulators.scenario.load import load_scenario
from simulators.scenario.play import Player
from simulators.scenario.script import Scenario
from simulators.scenario.servers import Servers, Wanted, running

DEFAULT: Final = Path(__file__).with_name("town.toml")
_ASKS_WITHIN_S: Final = 30.0

T = TypeVar("T")


class PreauTown:
    """A broker, a gateway and nodes; `advance` lets time pass, and returns once all has arrived."""

    def __init__(
        self,
        cast: Cast,
        player: Player,
        servers: Servers,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._cast = cast
        self._player = player
        self._servers = servers
        self._loop = loop

    @property
    def page(self) -> str:
        """Where the gateway's page is."""
        return self._servers.url

    @property
    def broker(self) -> tuple[str, int]:
        """Host and port of the broker, which lets anybody in: it listens on the loopback."""
        return self._servers.address.host, self._servers.address.port

    @property
    def data(self) -> Path:
        """The gateway's data folder."""
        return self._servers.data

    @property
    def now(self) -> datetime:
        """What the clock of the town shows, UTC."""
        return datetime.fromtimestamp(self._player.clock.now_ms() / 1000, UTC)

    @property
    def nodes(self) -> list[Node]:
        """The nodes, in the order of the estate."""
        return list(self._player.nodes)

    def node_in(self, room: str) -> Node:
        """The node in a room, `site/room`. `LookupError` where there is none."""
        for node, stand in zip(self._player.nodes, self._cast.stands, strict=True):
            if stand.ref == room:
                return node
        raise LookupError(f"there is no node in {room!r}")

    def advance(self, **time: float) -> None:
        """Let time pass: `advance(hours=3)`, as `timedelta` takes it.

        Returns once every pack that was due has its receipt, if broker and gateway are there.
        """
        self.advance_to(self.now + timedelta(**time))

    def advance_to(self, at: datetime) -> None:
        """Let time pass until then; an aware datetime within the scenario. `ValueError`."""
        begin_ms, end_ms = self._player.clock.now_ms(), self._player.scenario.end_ms
        if not begin_ms <= to_ms(at) <= end_ms:
            raise ValueError(f"{at} is before {self.now}, or after the scenario's end")
        self._run(self._player.go_to(to_ms(at)))

    def take_away(self, server: str) -> None:
        """End the `broker`, with all that it remembers; nodes keep what they measure."""
        self._run(self._player.take_away(server))

    def bring_back(self, server: str) -> None:
        """Start it again, and wait until what nodes have kept has arrived."""
        self._run(self._player.bring_back(server))
        self._run(self._player.until_settled())

    def get(self, path: str, **query: str) -> Any:
        """What the gateway's API answers: `get("/api/v1/rooms")["rooms"]`."""
        address = f"{self.page}{path}?{urlencode(query)}"
        with urllib.request.urlopen(address, timeout=_ASKS_WITHIN_S) as answer:  # noqa: S310 - ours
            return json.load(answer)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@contextmanager
def open_town(path: Path) -> Iterator[PreauTown]:
    """The town of a scenario, started and well; everything ended afterwards."""
    scenario = load_scenario(path)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="preau town")
    thread.start()
    with tempfile.TemporaryDirectory(prefix="preau-town-") as folder:
        opened = AsyncExitStack()
        try:
            entering = opened.enter_async_context(_opened(scenario, Path(folder), loop))
            yield asyncio.run_coroutine_threadsafe(entering, loop).result()
        finally:
            asyncio.run_coroutine_threadsafe(opened.aclose(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()


@asynccontextmanager
async def _opened(
    scenario: Scenario, folder: Path, loop: asyncio.AbstractEventLoop
) -> AsyncIterator[PreauTown]:
    cast = await asyncio.to_thread(cast_of, scenario)
    require(sum(stand.is_firmware for stand in cast.stands))
    wanted = Wanted(folder, broker=scenario.head.broker, influxdb=scenario.head.influxdb)
    with ScenarioClock(folder / "clock", scenario.begin_ms) as clock:
        async with running(wanted, clock, write_estate(folder, scenario, cast)) as servers:
            nodes = await Bench(folder).nodes(scenario, cast, servers.address, clock.now_s)
            player = Player(scenario, cast, nodes, clock, servers)
            async with player.powered():
                yield PreauTown(cast, player, servers, loop)
