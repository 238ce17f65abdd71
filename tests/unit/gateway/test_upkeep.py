"""What the service lets go by itself, and what it does not."""

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.changes import Changes
from gateway.health import Health
from gateway.metrics import Metrics
from gateway.readers import ReaderPool
from gateway.settings import Settings
from gateway.steady_clock import SteadyClock
from gateway.upkeep import Upkeep, free_on_disk
from gateway.writer_thread import WriterThread
from ingest.readings import LogPosition
from ingest.store.cursors import advance_forwarder, set_forwarders
from ingest.store.deadletters import DeadLetter
from ingest.store.reader import StoreReader
from ingest.store.summaries import DAY_MS
from ingest.store.writer import PackToStore, StoreWriter
from tests.servers import eventually

NODE = "3c71bf4a2b10"
NOW = int(time.time() * 1000)
FORWARDER = {"name": "town", "api": "v1", "url": "http://127.0.0.1:1"}


class Disk:
    """The disk as upkeep sees it, and how often it has looked. `free` is said instead, if set."""

    def __init__(self) -> None:
        self.free: int | None = None
        self._looks = 0

    def look(self, folder: Path) -> int:
        self._looks += 1
        return free_on_disk(folder) if self.free is None else self.free

    async def after_some_looks(self) -> None:
        """What was due when this is called is done."""
        enough = self._looks + 4
        await eventually(lambda: self._looks >= enough)


@pytest.fixture(autouse=True)
def disk(monkeypatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("gateway.upkeep.free_on_disk", disk.look)
    monkeypatch.setattr("gateway.upkeep.LOOK_S", 0.05)
    return disk


def pack(days_ago: int) -> PackToStore:
    at = NOW - days_ago * DAY_MS
    reading = ("co2", "main", at, 800.0, 0, 0)
    return PackToStore(NODE, LogPosition("aa00aa00", days_ago, 1), at + 900, [reading])


@asynccontextmanager
async def upkeep(folder: Path, *, shipped: bool = True, steady_s: float = 0, **store_settings):
    """Upkeep of a store with a reading a day for thirty days."""
    store_settings = {"ballast_mib": 0, "min_free_mib": 0} | store_settings
    values = {"data": {"dir": folder}, "store": store_settings}
    with StoreWriter(folder) as store:
        if shipped:
            values["forwarder"] = [FORWARDER]
            store.change(set_forwarders, ["town"])
        letter = DeadLetter(NODE, "t", "not_json", "", b"x", NOW - 20 * DAY_MS)
        store.commit([pack(days) for days in range(30, 0, -1)], [letter])
        store.fold()
        if shipped:
            store.change(advance_forwarder, "town", 30)
        writer, readers = WriterThread(), ReaderPool(folder, 1)
        loop = Upkeep(
            settings=Settings.model_validate(values),
            store=store,
            writer=writer,
            readers=readers,
            health=Health(),
            changes=Changes(),
            metrics=Metrics(),
            clock_ms=lambda: NOW,
            may_store=asyncio.Event(),
            steady=SteadyClock(steady_s),
        )
        task = asyncio.create_task(loop.run_loop())
        try:
            yield loop
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            writer.close()
            readers.close()


def days_left(folder: Path) -> list[int]:
    with StoreReader(folder) as reader:
        (series,) = reader.series()
        points = reader.points(series, 0, 2**60)
    return sorted((NOW - point.measured_at_ms) // DAY_MS for point in points)


def summarised(folder: Path) -> int:
    with StoreReader(folder) as reader:
        return reader.ask(lambda c: c.execute("SELECT count(*) FROM summary_day").fetchone())[0]


async def test_the_window_of_days_is_kept(tmp_path: Path):
    async with upkeep(tmp_path, keep_days=10) as loop:
        await eventually(lambda: len(days_left(tmp_path)) == 10)
        assert days_left(tmp_path) == list(range(1, 11))
        assert summarised(tmp_path) == 30
        assert loop.may_store.is_set()


async def test_nothing_goes_by_a_clock_that_has_not_proved_steady(tmp_path: Path, disk: Disk):
    async with upkeep(tmp_path, keep_days=10, steady_s=3600, dead_letters_keep_days=1):
        await eventually(lambda: summarised(tmp_path) == 30)
        await disk.after_some_looks()
        assert len(days_left(tmp_path)) == 30
        with StoreReader(tmp_path) as reader:
            assert len(reader.dead_letters()) == 1


async def test_a_clock_that_was_years_ahead_does_not_end_the_keeping_of_readings(
    tmp_path: Path, disk: Disk
):
    """The window that it moved would else let everything go until that year comes."""
    with StoreWriter(tmp_path) as store:
        ahead = NOW + 5 * 365 * DAY_MS
        store.change(lambda c: c.execute("UPDATE horizon SET kept_from = ?", (ahead,)))
        at = NOW - 60_000
        reading = ("co2", "main", at, 800.0, 0, 0)
        store.commit([PackToStore(NODE, LogPosition("aa00aa00", 99, 1), at, [reading])])
    async with upkeep(tmp_path, shipped=False, keep_days=10):
        await eventually(lambda: days_left(tmp_path) == [0])
        await disk.after_some_looks()
        assert days_left(tmp_path) == [0]


async def test_on_a_full_disk_the_oldest_days_go_but_never_the_last_week(
    tmp_path: Path, disk: Disk
):
    async with upkeep(tmp_path, min_free_mib=900_000) as loop:
        # A day every five seconds; the pace is not what is shown here.
        async with asyncio.timeout(60):
            while len(days_left(tmp_path)) > 7:
                loop._due_s = 0
                await disk.after_some_looks()
        loop._due_s = 0
        await disk.after_some_looks()
        assert days_left(tmp_path) == list(range(1, 8))
        assert "InfluxDB" in " ".join(loop.health.problems.values())


async def test_room_inside_the_file_does_not_keep_the_ballast_of_a_full_disk(
    tmp_path, monkeypatch, disk
):
    """Every write needs the -wal file first, which is on the disk."""
    disk.free = 10**12
    monkeypatch.setattr("gateway.upkeep.free_in_file", lambda _connection: 10**9)
    async with upkeep(tmp_path, min_free_mib=64, ballast_mib=1):
        ballast = tmp_path / "ballast"
        await eventually(ballast.exists)
        disk.free = 0
        await eventually(lambda: not ballast.exists())
        # What the ballast gave back is not taken again at once.
        disk.free = 2**25
        await disk.after_some_looks()
        assert not ballast.exists()
        disk.free = 10**12
        await eventually(ballast.exists)


async def test_without_influxdb_nothing_goes_however_full_the_disk_is(tmp_path: Path, disk: Disk):
    async with upkeep(tmp_path, shipped=False, min_free_mib=900_000) as loop:
        await eventually(lambda: summarised(tmp_path) == 30)
        loop._due_s = 0
        await disk.after_some_looks()
        assert len(days_left(tmp_path)) == 30


async def test_dead_letters_go_after_their_days(tmp_path: Path):
    async with upkeep(tmp_path, dead_letters_keep_days=10):
        await eventually(lambda: _letters(tmp_path) == 0)
        assert len(days_left(tmp_path)) == 30


def _letters(folder: Path) -> int:
    with StoreReader(folder) as reader:
        return len(reader.dead_letters())
