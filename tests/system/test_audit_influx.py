"""`preau audit` finds what InfluxDB lacks or has too much, and nothing else."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.forwarder.batches import JournalBatches
from ingest.forwarder.placements import Placements
from ingest.forwarder.target import Target
from ingest.forwarder.v1 import InfluxV1
from ingest.readings import LogPosition
from ingest.store.cursors import advance_forwarder, set_forwarders
from ingest.store.deadletters import DeadLetter
from ingest.store.filling import begin_filling, note_filled
from ingest.store.retention import let_go_before_window, move_window
from ingest.store.summaries import DAY_MS, HOUR_MS, summarise
from ingest.store.writer import PackToStore, StoreWriter
from tests.influx import influx_query, influxdb_server
from tests.servers import Server, running

NODE = "3c71bf4a2b10"
T0 = int(time.time() * 1000) // DAY_MS * DAY_MS - 3 * DAY_MS
PACKS = 40


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(influxdb_server(tmp_path_factory.mktemp("influx"))) as server:
        yield server


@pytest.fixture
def town(tmp_path: Path, influx: Server, request: pytest.FixtureRequest) -> "Town":
    return Town(tmp_path, influx, f"db{abs(hash(request.node.name))}")


class Town:
    """A store of forty hours, its settings, and its InfluxDB."""

    def __init__(self, folder: Path, influx: Server, database: str) -> None:
        self.folder, self.influx, self.database = folder, influx, database
        self.settings = folder / "preau.toml"
        self.settings.write_text(
            f'[data]\ndir = "data"\n[[forwarder]]\nname = "town"\napi = "v1"\n'
            f'url = "http://127.0.0.1:{influx.port}"\ndatabase = "{database}"\ntimeout_s = 2\n'
        )
        with StoreWriter(folder / "data") as store:
            store.change(set_forwarders, ["town"])
            store.commit([self.pack(n) for n in range(1, PACKS + 1)])
            store.fold()

    def pack(self, number: int) -> PackToStore:
        at = T0 + number * HOUR_MS
        readings = [
            ("temperature", "main", at, 19.0, 0, 0),
            ("temperature", "main", at + 60_000, 85.0, 2, 0),
            ("motion", "main", at, 1.0, 0, 0),
            ("battery", "main", at, 3.9, 0, 0),
        ]
        return PackToStore(NODE, LogPosition("aa00aa00", number, 1), at + 90_000, readings)

    async def ship(self, rows: int = PACKS, skip: int = 0) -> None:
        """Ship so many rows of the journal; leave out the last lines where asked."""
        url = f"http://127.0.0.1:{self.influx.port}"
        async with InfluxV1(Target("town", "v1", url, self.database)) as client:
            with StoreWriter(self.folder / "data") as store:
                batch = store.change(JournalBatches(Placements({}), rows).after, 0)
                await client.write(b"\n".join(batch.lines[: len(batch.lines) - skip]))
                store.change(advance_forwarder, "town", batch.last_id)

    def audit(self, *arguments: str) -> tuple[int, dict]:
        preau = Path(sys.executable).with_name("preau")
        command = [str(preau), "audit", "--json", "--settings", str(self.settings), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert not done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)

    def delete(self, at_ms: int) -> None:
        text = f"DELETE FROM room_air WHERE time = {at_ms}ms"  # noqa: S608
        influx_query(self.influx.port, text, self.database)


async def test_all_is_well_where_both_hold_the_same(town: Town):
    await town.ship()
    code, account = town.audit()
    assert (code, account["missing"], account["received"]) == (0, 0, PACKS)
    compared = account["influxdb"]["town"]
    assert (compared["readings"], compared["differences"]) == (4 * PACKS, [])


async def test_what_waits_to_be_shipped_is_no_difference(town: Town):
    await town.ship(rows=25)
    code, account = town.audit()
    assert code == 0
    assert account["influxdb"]["town"]["waiting"] == 4 * (PACKS - 25)


async def test_what_a_new_forwarder_has_not_got_yet_is_no_difference(town: Town):
    influx_query(town.influx.port, f"CREATE DATABASE {town.database}", "")
    with StoreWriter(town.folder / "data") as store:
        store.change(advance_forwarder, "town", PACKS)
        store.change(begin_filling, "town")
        code, account = town.audit()
        assert (code, account["influxdb"]["town"]["waiting"]) == (0, 4 * PACKS)
        store.change(note_filled, "town", NODE)
        assert town.audit()[0] == 1


async def test_what_is_missing_there_is_told_by_series_and_hour(town: Town):
    await town.ship()
    town.delete(T0 + 7 * HOUR_MS + 60_000)
    code, account = town.audit()
    (difference,) = account["influxdb"]["town"]["differences"]
    assert code == 1
    assert difference == {
        "node": NODE,
        "quantity": "temperature",
        "channel": "main",
        "hour_ms": T0 + 7 * HOUR_MS,
        "shipped": 2,
        "found": 1,
    }
    assert town.audit("--from", str((T0 + 8 * HOUR_MS) // 1000))[0] == 0
    assert town.audit("--to", str((T0 + 7 * HOUR_MS) // 1000))[0] == 0
    assert town.audit("--node", "3c71bf4a2b14")[0] == 0
    assert town.audit("--no-influxdb")[0] == 0


async def test_what_stands_there_twice_is_told(town: Town):
    """As after a correction of a placement that could not delete."""
    await town.ship()
    url = f"http://127.0.0.1:{town.influx.port}"
    async with InfluxV1(Target("town", "v1", url, town.database)) as client:
        line = (
            f"room_air,channel=main,node={NODE},room=r9 motion=1i,motion_quality=0i {T0 + HOUR_MS}"
        )
        await client.write(line.encode())
    code, account = town.audit()
    (difference,) = account["influxdb"]["town"]["differences"]
    assert (code, difference["shipped"], difference["found"]) == (1, 1, 2)


async def test_what_other_gateways_and_towns_ship_there_is_no_difference(town: Town):
    """Nor, where the estate is shared, what another gateway has of a node that moved."""
    await town.ship()
    url = f"http://127.0.0.1:{town.influx.port}"
    async with InfluxV1(Target("town", "v1", url, town.database)) as client:
        head = (
            "room_air,building=b,channel=main,node={},room=r,site=s motion=1i,motion_quality=0i {}"
        )
        await client.write(head.format("3c71bf4a2b99", T0 + HOUR_MS).encode())
        assert town.audit()[0] == 0
        await client.write(head.format(NODE, T0 + HOUR_MS + 1).encode())
    assert town.audit()[0] == 1
    with town.settings.open("a") as file:
        file.write('[share]\nsites = ["ecole"]\n')
    assert town.audit()[0] == 0
    town.delete(T0 + 7 * HOUR_MS + 60_000)
    assert town.audit()[0] == 1


async def test_what_the_server_refused_is_explained_by_its_dead_letter(town: Town):
    await town.ship(skip=1)
    assert town.audit()[0] == 1
    at = T0 + PACKS * HOUR_MS
    line = f"node_health,building=unplaced,channel=main,node={NODE},room=unplaced,site=unplaced "
    line += f"battery=3.9,battery_quality=0i {at}"
    letter = DeadLetter(None, "forwarder/town", "forwarder_refused", "x", line.encode(), at)
    with StoreWriter(town.folder / "data") as store:
        store.commit([], [letter])
    code, account = town.audit()
    assert (code, account["influxdb"]["town"]["refused"]) == (0, 1)


async def test_readings_that_have_been_let_go_are_compared_by_their_summaries(town: Town):
    await town.ship()
    with StoreWriter(town.folder / "data") as store:
        store.change(summarise, T0 + 3 * DAY_MS)
        store.change(move_window, T0 + DAY_MS)
        store.change(let_go_before_window, 0, 10_000)
    assert town.audit()[0] == 0
    # In the middle of an hour, of which only the sum is known.
    assert town.audit("--to", str((T0 + 7 * HOUR_MS) // 1000 + 30))[0] == 0
    town.delete(T0 + 7 * HOUR_MS + 60_000)
    code, account = town.audit()
    (difference,) = account["influxdb"]["town"]["differences"]
    assert (code, difference["shipped"]) == (1, 2)


async def test_an_influxdb_that_does_not_answer_is_told(town: Town):
    text = town.settings.read_text().replace(str(town.influx.port), "9")
    town.settings.write_text(text)
    code, account = town.audit()
    assert code == 1
    assert "can't be reached" in account["influxdb"]["town"]["error"]
