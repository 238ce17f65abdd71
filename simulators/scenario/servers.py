"""The broker, the gateway and the InfluxDB of one scenario, in a folder of their own.

The gateway lives in this process, or, where it is to be killed or measured, in one of its own. It
knows no nodes.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.mqtt.address import BrokerAddress
from gateway.mqtt.embedded import EmbeddedBroker
from gateway.service import serve
from gateway.settings import (
    BrokerSettings,
    DataSettings,
    EstateSettings,
    HttpSettings,
    Settings,
    StoreSettings,
)
from gateway.settings_forwarder import ForwarderSettings
from ingest.errors import PreauError, TransientError
from simulators.scenario.children import (
    Child,
    ChildEndedError,
    free_port,
    has_mosquitto,
    influxdb,
    listens,
    mosquitto,
)
from simulators.scenario.clock import ScenarioClock
from simulators.scenario.weight import Weight

GATEWAY_MODULE: Final = "simulators.scenario.gateway_process"
_WELL_WITHIN_S: Final = 60.0


class GatewayEndedError(TransientError):
    """The gateway of a scenario has ended by itself, or does not get well."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which servers a scenario needs."""

    folder: Path
    broker: str = "auto"
    influxdb: bool = False
    gateway_alone: bool = False
    gateway_module: str = GATEWAY_MODULE


@dataclass
class Servers:
    """What runs. Made by `running`, which starts it all and ends it."""

    wanted: Wanted
    clock: ScenarioClock
    broker: Child | EmbeddedBroker
    influx: Child | None
    settings: Settings
    gateway: Child | None = None
    _serving: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def address(self) -> BrokerAddress:
        """Where nodes connect to."""
        if isinstance(self.broker, EmbeddedBroker):
            return self.broker.address
        return BrokerAddress("127.0.0.1", self.broker.port)

    @property
    def data(self) -> Path:
        """The gateway's data folder."""
        return self.settings.data.dir

    @property
    def url(self) -> str:
        """The gateway's page."""
        return f"http://127.0.0.1:{self.settings.http.port}"

    async def start_gateway(self, *, until_well: bool = True) -> None:
        """Return once it is connected to its broker, if that is asked for. Raises `PreauError`."""
        if self.gateway is not None:
            await self.gateway.start()
        else:
            self._serving = asyncio.create_task(
                serve(self.settings, clock_ms=self.clock.now_ms), name="gateway"
            )
        if until_well:
            await self.until_well()

    async def stop_gateway(self) -> None:
        """End it as an operator would."""
        if self.gateway is not None:
            await self.gateway.stop()
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving])
            self._serving = None

    async def take_away(self, server: str) -> None:
        """End `broker`, `gateway` or `influxdb` without a warning; the broker forgets all."""
        if server == "influxdb" and self.influx is not None:
            await self.influx.stop()
        elif server == "gateway" and self.gateway is not None:
            await self.gateway.kill()
        elif isinstance(self.broker, EmbeddedBroker):
            await self.broker.stop()
        else:
            await self.broker.kill()

    async def bring_back(self, server: str, *, until_well: bool) -> None:
        """Start it again; a gateway gets well only if its broker is there."""
        if server == "influxdb" and self.influx is not None:
            await self.influx.start()
        elif server == "gateway":
            await self.start_gateway(until_well=until_well)
        else:
            await self.broker.start()

    def weight(self) -> Weight:
        """The memory of a gateway that is a process of its own and runs; else none."""
        return Weight() if self.gateway is None else self.gateway.weight()

    def check(self) -> None:
        """Raises `GatewayEndedError` where the gateway has ended by itself."""
        try:
            if self.gateway is not None:
                self.gateway.check()
            if self._serving is not None and self._serving.done():
                self._serving.result()
        except ChildEndedError as error:
            raise GatewayEndedError(str(error)) from error
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
                raise
            raise GatewayEndedError(f"the gateway has ended: {_reason(error)}") from error

    async def until_well(self) -> None:
        """Return once the gateway says that it is well. Raises `GatewayEndedError`."""
        try:
            async with asyncio.timeout(_WELL_WITHIN_S):
                while not await self._is_well():
                    self.check()
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise GatewayEndedError(f"the gateway is not well in {_WELL_WITHIN_S:g} s") from error

    async def ask(self, path: str, **query: str) -> Any:
        """What the gateway's API answers. Raises `GatewayEndedError`."""
        try:
            async with (
                aiohttp.ClientSession() as client,
                client.get(f"{self.url}{path}", params=query) as response,
            ):
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError as error:
            raise GatewayEndedError(f"{self.url}{path} does not answer: {error}") from error

    async def _is_well(self) -> bool:
        if not await listens(self.settings.http.port):
            return False
        try:
            async with (
                aiohttp.ClientSession() as client,
                client.get(f"{self.url}/healthz") as response,
            ):
                return response.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def running(wanted: Wanted, clock: ScenarioClock, estate: Path) -> AsyncIterator[Servers]:
    """All servers started and well; all of them ended afterwards, come what may."""
    use_mosquitto = wanted.broker == "mosquitto" or (wanted.broker == "auto" and has_mosquitto())
    broker: Child | EmbeddedBroker = (
        mosquitto(wanted.folder) if use_mosquitto else EmbeddedBroker("127.0.0.1", free_port())
    )
    influx = influxdb(wanted.folder) if wanted.influxdb else None
    settings = _settings(wanted, broker, influx, estate)
    servers = Servers(wanted, clock, broker, influx, settings)
    if wanted.gateway_alone:
        file = wanted.folder / "settings.json"
        file.write_text(settings.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-m", wanted.gateway_module, str(file), str(clock.file)]
        servers.gateway = Child(command, settings.http.port, wanted.folder / "gateway.log")
    # Each is ended whatever the end of another comes to.
    async with AsyncExitStack() as stack:
        stack.push_async_callback(broker.stop)
        await broker.start()
        if influx is not None:
            stack.push_async_callback(influx.stop)
            await influx.start()
        stack.push_async_callback(servers.stop_gateway)
        await servers.start_gateway()
        yield servers


def _settings(
    wanted: Wanted, broker: Child | EmbeddedBroker, influx: Child | None, estate: Path
) -> Settings:
    port = broker.address.port if isinstance(broker, EmbeddedBroker) else broker.port
    forwarders: tuple[ForwarderSettings, ...] = ()
    if influx is not None:
        url = f"http://127.0.0.1:{influx.port}"
        forwarders = (
            ForwarderSettings(name="scenario", api="v1", url=url, batch_ms=100, timeout_s=3),
        )
    return Settings(
        data=DataSettings(dir=wanted.folder / "data"),
        broker=BrokerSettings(embedded=False, host="127.0.0.1", port=port),
        http=HttpSettings(host="127.0.0.1", port=free_port(), read_without_account=True),
        # Nothing more comes while the clock waits for receipts, so neither do commits.
        store=StoreSettings(group_ms=2, ballast_mib=0, keep_days=0),
        estate=EstateSettings(file=estate),
        forwarder=forwarders,
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reason(inner) for inner in error.exceptions)
    return str(error) if isinstance(error, PreauError) else repr(error)
