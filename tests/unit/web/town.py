"""A town of twelve rooms in a real store, served by the real application, for the web's tests."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.test_utils import TestClient

from gateway.changes import Changes
from gateway.control import Control
from gateway.firmware.offers import Offers
from gateway.firmware.shelf import Shelf
from gateway.health import Health
from gateway.mqtt.session import BrokerAddress, Session
from gateway.node_commands import CommandDesk
from gateway.nodes import NodeRegistry, Presence
from gateway.readers import ReaderPool
from gateway.retained import RetainedDesk
from gateway.rollout_desk import Ground, RolloutDesk
from gateway.web.app import create_app
from gateway.web.context import WebContext
from ingest.estate.load import load_estate
from ingest.estate.model import Estate
from ingest.latest import LatestReadings
from ingest.pipeline import Incoming, Outcome, Pipeline
from ingest.store.reader import StoreReader
from ingest.store.writer import StoreWriter
from ingest.topics import base_name_of, topic_of

Client = TestClient[web.Request, web.Application]

TOKEN = "the-token-of-this-town-for-its-tests"  # noqa: S105
ZONE = ZoneInfo("Europe/Paris")
NOW_MS = 1_767_692_400_000
"""Tuesday 6 January 2026, 10:40 in Paris: school is on."""
MINUTE_MS = 60_000
DAY_MS = 86_400_000

SCHOOL = (
    ("tilleuls", "Salle des Tilleuls", "classroom"),
    ("erables", "Salle des Érables", "classroom"),
    ("chenes", "Salle des Chênes", "classroom"),
    ("bouleaux", "Salle des Bouleaux", "classroom"),
    ("marronniers", "Salle des Marronniers", "classroom"),
    ("bibliotheque", "Bibliothèque", "library"),
    ("cantine", "Cantine", "canteen"),
    ("maitres", "Salle des maîtres", "staff"),
)
NURSERY = (
    ("petite", "Petite section", "classroom"),
    ("moyenne", "Moyenne section", "classroom"),
    ("grande", "Grande section", "classroom"),
    ("dortoir", "Dortoir", "dormitory"),
)
REFS = [f"jules-ferry/{id_}" for id_, _, _ in SCHOOL] + [f"pasteur/{id_}" for id_, _, _ in NURSERY]
NODES = {ref: f"3c71bf4a2b{number:02x}" for number, ref in enumerate(REFS)}
STRAY = "3c71bf4a2bff"
"""Sends, and nobody has said where it is."""

# How each room ends up at NOW_MS: temperature, humidity, CO2.
NORMAL = (20.1, 44.0, 620.0)
ENDS: dict[str, tuple[float, float, float]] = {
    "jules-ferry/tilleuls": (19.4, 45.1, 712.0),
    "jules-ferry/erables": (20.6, 48.0, 1124.0),
    "jules-ferry/chenes": (21.2, 52.0, 1846.0),
    "jules-ferry/bouleaux": (15.2, 50.0, 640.0),
    "jules-ferry/marronniers": (27.3, 33.0, 590.0),
    "pasteur/grande": (20.9, 47.0, 934.0),
}
SILENT = "jules-ferry/maitres"
"""Stopped 42 minutes ago."""
UNMEASURED = "pasteur/dortoir"
"""Its node is placed and has never sent."""


def estate_text(extra: str = "") -> str:
    lines = ['name = "Trilport"', ""]
    for site, name, rooms in (
        ("jules-ferry", "École Jules-Ferry", SCHOOL),
        ("pasteur", "Maternelle Louis-Pasteur", NURSERY),
    ):
        lines += ["[[site]]", f'id = "{site}"', f'name = "{name}"']
        lines += ["[[site.building]]", 'id = "main"', 'name = "Bâtiment principal"']
        for id_, room_name, profile in rooms:
            lines += ["[[site.building.room]]", f'id = "{id_}"', f'name = "{room_name}"']
            lines += [f'profile = "{profile}"', "area_m2 = 60", "height_m = 3"]
    for ref, node in NODES.items():
        lines += ["[[node]]", f'id = "{node}"', "[[node.placement]]"]
        lines += [f'room = "{ref}"', "since = 2025-09-01"]
    return "\n".join(lines) + "\n" + extra


def pack(
    node: str, at_ms: int, records: Iterable[tuple[str, str, float]], extra: str = ""
) -> Incoming:
    """One pack of (name, unit, value), received a second after it was measured."""
    base = {"bn": base_name_of(node), "bver": 26, "bt": at_ms // 1000}
    items: list[dict[str, object]] = [{"n": n, "u": u, "v": v} for n, u, v in records]
    payload = json.dumps([base | items[0], *items[1:]]) + extra
    return Incoming(topic_of(node, "readings"), payload.encode(), at_ms + 1000)


def air(temperature: float, humidity: float, co2: float) -> list[tuple[str, str, float]]:
    return [
        ("temperature", "Cel", round(temperature, 2)),
        ("humidity", "%RH", round(humidity, 1)),
        ("co2", "ppm", round(co2)),
    ]


def day_of(ref: str, until_ms: int, span_ms: int, step_ms: int) -> list[Incoming]:
    """A room that warms and fills up and ends as `ENDS` says."""
    end = ENDS.get(ref, NORMAL)
    found = []
    for at_ms in range(until_ms - span_ms, until_ms + 1, step_ms):
        back_h = (until_ms - at_ms) / 3_600_000
        night = 0.5 - 0.5 * math.cos(2 * math.pi * back_h / 24)
        wave = math.sin(at_ms / 1_700_000) * 0.12
        rise = math.exp(-back_h / 0.7)
        lesson = 0.5 + 0.5 * math.sin(2 * math.pi * back_h / 1.5)
        occupied = max(0.0, math.cos(2 * math.pi * back_h / 24)) * lesson
        temperature = end[0] - 3.5 * night + wave * (1 - rise)
        humidity = end[1] - 6 * night
        co2 = 430 + (end[2] - 430) * rise + 500 * occupied * (1 - rise)
        found.append(pack(NODES[ref], at_ms, air(temperature, humidity, co2)))
    return found


@dataclass
class TownService:
    """A store with its writer, and everything the web is handed."""

    folder: Path
    now_ms: int = NOW_MS
    language: str = "fr"
    read_without_account: bool = True
    estate: Estate = field(init=False)
    latest: LatestReadings = field(default_factory=LatestReadings)
    nodes: NodeRegistry = field(default_factory=NodeRegistry)
    changes: Changes = field(default_factory=Changes)
    health: Health = field(default_factory=lambda: Health(broker_connected=True))

    def __post_init__(self) -> None:
        self.declare(estate_text())
        self.writer = StoreWriter(self.folder / "data")
        self.pipeline = Pipeline(self.writer)
        self.readers = ReaderPool(self.folder / "data")

    def close(self) -> None:
        self.readers.close()
        self.writer.close()

    def declare(self, text: str) -> None:
        file = self.folder / "estate.toml"
        file.write_text(text, encoding="utf-8")
        self.estate = load_estate(file, ZONE)

    def take(self, messages: Iterable[Incoming], *, fold: bool = True) -> Outcome:
        """Store messages as the service does, and tell the pages."""
        outcome = self.pipeline.take(list(messages))
        self.latest.update(outcome.packs)
        while fold and self.writer.fold().packs:
            pass
        self.changes.notify()
        return outcome

    def fill(self, *, span_ms: int = DAY_MS, step_ms: int = 5 * MINUTE_MS) -> None:
        """The town as it stands at `NOW_MS`: something of everything."""
        for ref in REFS:
            if ref == UNMEASURED:
                continue
            until_ms = NOW_MS - (42 * MINUTE_MS if ref == SILENT else 60_000)
            self.take(day_of(ref, until_ms, span_ms, step_ms))
        self.take([pack(STRAY, NOW_MS - 3 * MINUTE_MS, air(18.2, 41.0, 505.0))])
        for node in NODES.values():
            self.nodes.take(
                Presence(
                    node=node,
                    received_at_ms=NOW_MS - 3_600_000,
                    online=True,
                    firmware="1.0.0",
                    board="esp32",
                    boots=3,
                    sensors=("sht4x@0x44", "scd4x@0x62"),
                )
            )

    def remember(self) -> None:
        """Latest readings as after a restart: from the store."""
        with StoreReader(self.folder / "data") as reader:
            self.latest = LatestReadings(reader.latest())

    def context(self) -> WebContext:
        return WebContext(
            estate=lambda: self.estate,
            latest=self.latest,
            nodes=self.nodes,
            readers=self.readers,
            changes=self.changes,
            health=self.health,
            metrics=lambda: b"preau_packs_total 1.0\n",
            control=self.control(),
            clock_ms=lambda: self.now_ms,
            language=self.language,
            zone=ZONE,
            read_without_account=self.read_without_account,
        )

    def control(self) -> Control:
        """A service whose broker is away, and a data folder of its own."""
        session = Session(
            BrokerAddress("127.0.0.1", 1, None, None),
            subscriptions=[],
            clock_ms=lambda: self.now_ms,
        )
        commands = CommandDesk(session, self.nodes, lambda: self.now_ms)
        offers = Offers(Shelf(self.folder / "data"), "http://127.0.0.1:8080")
        ground = Ground(
            folder=self.folder / "data",
            commands=commands,
            nodes=self.nodes,
            offers=offers,
            is_connected=lambda: False,
            clock_ms=lambda: self.now_ms,
        )
        return Control(
            commands=commands,
            retained=RetainedDesk(session, lambda _: False),
            offers=offers,
            rollouts=RolloutDesk(ground),
            token=TOKEN,
        )

    def app(self) -> web.Application:
        return create_app(self.context())

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The application on a free port of the loopback; its address."""
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=2)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            await asyncio.sleep(0)
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
