"""What `preau demo` shows: broker, gateway and a simulated town, full of data from the start.

One of its nodes is no simulation in Python: it runs the real firmware on the virtual board. All
of it lives in one folder, and ends together on Ctrl-C.
"""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import as_file
from pathlib import Path
from typing import Final

import click

from gateway.endpoint import Endpoint
from gateway.mqtt.address import BrokerAddress
from gateway.service import Service, serve
from gateway.settings import (
    BrokerSettings,
    DataSettings,
    EstateSettings,
    HttpSettings,
    Settings,
)
from ingest.errors import ConfigurationError
from ingest.store.database import FILE_NAME
from simulators.board.board import VirtualBoard, find_micropython
from simulators.fill import STEP_S, Filled, fill_past
from simulators.history import log_of, next_seq_after
from simulators.node import VirtualNode
from simulators.sensors import Sensors
from simulators.town import DEMO_ESTATE, Town, TownRoom, demo_town

ESTATE_FILE: Final = "demo-estate.toml"
BOARD_ROOM: Final = "prevert/cp"
"""The room whose node runs the real firmware."""

_SEED: Final = 1
_LIVE_INTERVAL_S: Final = 10
_FEED_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Demo:
    """What the options of the command come to."""

    http: Endpoint
    mqtt: Endpoint
    days: float
    folder: Path

    def settings(self) -> Settings:
        """The gateway's settings: neither preau.toml nor the environment counts."""
        return Settings(
            data=DataSettings(dir=self.folder),
            broker=BrokerSettings(embedded=True, host=self.mqtt.host, port=self.mqtt.port),
            http=HttpSettings(host=self.http.host, port=self.http.port),
            estate=EstateSettings(file=self.folder / ESTATE_FILE),
        )


async def run_demo(demo: Demo) -> None:
    """Run the demo until cancelled. Raises `ConfigurationError` where it can't start."""
    settings = demo.settings()
    _refuse_taken(demo.http, "--http")
    _refuse_taken(demo.mqtt, "--mqtt")
    _prepare(demo.folder)
    town = demo_town(_SEED)
    filled = await _fill(demo, town)
    on_board = next((room for room in town.rooms if room.ref == BOARD_ROOM), None)
    if find_micropython() is None:
        on_board = None
    broker = settings.broker.address()
    started: asyncio.Future[Service] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(settings, ready=started.set_result), name="gateway")
        service = await started
        async with _virtual_nodes(town, filled, broker, on_board), _board(demo, broker, on_board):
            _tell(demo, town, service, on_board)
            await asyncio.Event().wait()


def _refuse_taken(endpoint: Endpoint, option: str) -> None:
    """Before the past is filled in, which takes seconds: whether it could be listened on."""
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((endpoint.host, endpoint.port))
        except OSError as error:
            raise ConfigurationError(
                f"can't listen on port {endpoint.port} of {endpoint.host}: {error.strerror}; "
                f"choose another with {option} HOST:PORT"
            ) from error


def _prepare(folder: Path) -> None:
    """Put the town's estate into the folder; whoever has changed it there keeps the changes."""
    folder.mkdir(parents=True, exist_ok=True)
    estate = folder / ESTATE_FILE
    if estate.exists():
        return
    if (folder / FILE_NAME).exists():
        raise ConfigurationError(
            f"{str(folder)!r} holds the data of a real gateway, which the demo does not mix with "
            "invented ones; choose another folder with --data-dir"
        )
    with as_file(DEMO_ESTATE) as source:
        shutil.copyfile(source, estate)


async def _fill(demo: Demo, town: Town) -> Filled:
    click.echo(f"preau demo: filling in the last {demo.days:g} days ...")
    begun_at_s = time.perf_counter()
    now_ms = time.time_ns() // 1_000_000
    filled = await fill_past(demo.folder, town, days=demo.days, now_ms=now_ms, seed=_SEED)
    took_s = time.perf_counter() - begun_at_s
    click.echo(f"preau demo: {filled.packs} packs of {len(town.rooms)} nodes, {took_s:.1f} s")
    return filled


@asynccontextmanager
async def _virtual_nodes(
    town: Town, filled: Filled, broker: BrokerAddress, on_board: TownRoom | None
) -> AsyncIterator[None]:
    """The nodes of all rooms but one, which go on where their past ends."""
    nodes = [
        VirtualNode(
            room.node,
            room.model,
            broker,
            log=log_of(room.node, _SEED, filled.start_ms),
            next_seq=next_seq_after(room.node, filled.start_ms, filled.end_ms, STEP_S),
            interval_s=_LIVE_INTERVAL_S,
        )
        for room in town.rooms
        if room is not on_board
    ]
    for node in nodes:
        node.start()
    try:
        yield
    finally:
        await asyncio.gather(*(node.stop() for node in nodes))


@asynccontextmanager
async def _board(
    demo: Demo, broker: BrokerAddress, on_board: TownRoom | None
) -> AsyncIterator[None]:
    """The virtual board with the real firmware, its chips in the air of their room."""
    if on_board is None:
        yield
        return
    board = VirtualBoard(
        on_board.node,
        demo.folder / "board",
        (broker.host, broker.port),
        interval_s=_LIVE_INTERVAL_S,
    )
    sensors = Sensors(on_board.node, on_board.model)
    _feed(board, sensors)
    async with board:
        feeding = asyncio.create_task(_feed_loop(board, sensors), name="air of the board")
        try:
            yield
        finally:
            feeding.cancel()


async def _feed_loop(board: VirtualBoard, sensors: Sensors) -> None:
    while True:
        await asyncio.sleep(_FEED_S)
        _feed(board, sensors)


def _feed(board: VirtualBoard, sensors: Sensors) -> None:
    values = {r.quantity: r.value for r in sensors.read(time.time_ns() // 1_000_000)}
    for chip in (board.chips.sht4x, board.chips.scd4x):
        chip.temperature_c = values["temperature"]
        chip.humidity_percent = values["humidity"]
    board.chips.scd4x.co2_ppm = values["co2"]


def _tell(demo: Demo, town: Town, service: Service, on_board: TownRoom | None) -> None:
    names = {room.ref: room.name for room in town.rooms}
    stuffy, cold = names["prevert/cm1"], names["prevert/ce1-ce2"]
    click.echo(f"preau demo: page at {service.url}")
    click.echo(f"  Look at {stuffy}, which is stuffy on school days, and at {cold}, which is cold.")
    if on_board is None:
        click.echo("  No micropython for this platform: all nodes are simulated in Python.")
    else:
        click.echo(f"  {on_board.name} has the real firmware, in MicroPython on a virtual board.")
    click.echo(f"  Each room is measured every {_LIVE_INTERVAL_S} s. Data lie in {demo.folder}.")
    click.echo("  Ctrl-C ends it.")
