"""Every reading reaches a real InfluxDB 1.6.7, whatever that one or the gateway goes through."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import paho.mqtt.client as mqtt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.forwarder.lines import escape_tag
from ingest.forwarder.target import Target
from ingest.forwarder.v1 import InfluxV1
from ingest.store.reader import StoreReader
from ingest.topics import base_name_of, topic_of
from tests.gateway import Gateway
from tests.influx import influx_query, influxdb_server
from tests.servers import Server, eventually, mosquitto_server, running

NODE = "3c71bf4a2b10"
T0 = int(time.time()) - 7200
ESTATE = """
[[site]]
id = "ecole"
name = "École"
[[site.building]]
id = "nord"
name = "Nord"
[[site.building.room]]
id = "r1"
name = "Salle 1"
[[site.building.room]]
id = "r2"
name = "Salle 2"
"""
PLACED = f"""
[[node]]
id = "{NODE}"
[[node.placement]]
room = "ecole/r1"
since = 2020-01-01
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(mosquitto_server(tmp_path_factory.mktemp("broker"))) as server:
        yield server


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(influxdb_server(tmp_path_factory.mktemp("influx"))) as server:
        yield server


def forwarder(port: int, database: str, name: str = "town", more: str = "") -> str:
    return (
        f'[[forwarder]]\nname = "{name}"\napi = "v1"\nurl = "http://127.0.0.1:{port}"\n'
        f'database = "{database}"\nbatch_ms = 100\n{more}'
    )


class Publisher:
    """A node that numbers its packs and waits for the broker."""

    def __init__(self, port: int, node: str = NODE) -> None:
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._node = node
        self._next = 1

    def publish(self, count: int, at: int | None = None) -> None:
        """`count` packs a minute apart, the first measured at `at`."""
        for number in range(count):
            measured = T0 + 60 * self._next if at is None else at + 60 * number
            pack = [
                {
                    "bn": base_name_of(self._node),
                    "bver": 26,
                    "bt": measured,
                    "blog": "5f3a9c01",
                    "bseq": self._next,
                    "bfirst": 1,
                    "n": "temperature",
                    "u": "Cel",
                    "v": 19 + number / 8,
                },
                {"n": "co2", "u": "ppm", "v": 800 + number},
                {"n": "battery", "u": "V", "v": 3.5},
            ]
            topic = topic_of(self._node, "readings")
            self._client.publish(topic, json.dumps(pack), 1).wait_for_publish(20)
            self._next += 1

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def in_influx(port: int, database: str, measurement: str = "room_air") -> list[dict]:
    series = influx_query(port, f'SELECT * FROM "{measurement}"', database)  # noqa: S608
    return [dict(zip(s["columns"], row, strict=True)) for s in series for row in s["values"]]


def counts(port: int, database: str) -> dict[str, int]:
    """How many temperatures each room has; none where the database is not made yet."""
    made = influx_query(port, "SHOW DATABASES", "")
    if [database] not in made[0].get("values", []):
        return {}
    query = "SELECT count(temperature) FROM room_air GROUP BY room"
    series = influx_query(port, query, database)
    return {one["tags"]["room"]: one["values"][0][1] for one in series}


async def test_what_came_while_influxdb_was_away_is_there_afterwards(
    tmp_path: Path, broker: Server
):
    """The gateway is killed meanwhile as well; in the end both hold the same values."""
    influx = influxdb_server(tmp_path)
    gateway = Gateway(
        tmp_path / "g", broker.port, estate=ESTATE + PLACED, extra=forwarder(influx.port, "preau")
    )
    with running(influx), running(gateway), Publisher(broker.port) as node:
        await eventually(gateway.is_well)
        node.publish(20)
        await eventually(lambda: counts(influx.port, "preau") == {"r1": 20})
        # InfluxDB has them before the gateway has noted that: what it doubts would wait as well.
        await eventually(lambda: _waiting(gateway, 0))
        influx.kill()
        node.publish(20)
        problems = await eventually(lambda: _problems(gateway, "InfluxDB town"))
        assert str(influx.port) in problems
        # The backlog is told while it grows, not only as it was when the server was missed.
        await eventually(lambda: _waiting(gateway, 20))
        node.publish(10)
        await eventually(lambda: _waiting(gateway, 30))
        gateway.kill()
        gateway.start()
        await eventually(gateway.is_well)
        node.publish(20)
        influx.start()
        await eventually(lambda: counts(influx.port, "preau") == {"r1": 70}, deadline_s=60)
        rows = in_influx(influx.port, "preau")
        await eventually(lambda: _is_mended(gateway))
    with StoreReader(gateway.data) as reader:
        for quantity in ("temperature", "co2"):
            (series,) = reader.series(NODE, quantity)
            stored = [
                (p.measured_at_ms, p.value, p.quality) for p in reader.points(series, 0, 2**60)
            ]
            found = [(row["time"], row[quantity], row[f"{quantity}_quality"]) for row in rows]
            assert sorted(found) == stored


async def _waiting(gateway: Gateway, packs: int) -> bool:
    return f'forwarder_waiting_packs{{forwarder="town"}} {packs}.0' in await _metrics(gateway)


async def _is_mended(gateway: Gateway) -> bool:
    return not await _problems(gateway, "InfluxDB town")


async def _problems(gateway: Gateway, topic: str) -> str | None:
    return (await gateway.get("/healthz"))["problems"].get(topic)


async def test_a_type_conflict_stops_nothing_and_is_kept_with_the_servers_words(
    tmp_path: Path, broker: Server, influx: Server
):
    influx_query(influx.port, "CREATE DATABASE conflict")
    async with InfluxV1(_target(influx, "conflict")) as client:
        await client.write(f"room_air,node=other co2=840i {T0 * 1000}".encode())
    gateway = Gateway(tmp_path / "g", broker.port, extra=forwarder(influx.port, "conflict"))
    with running(gateway), Publisher(broker.port) as node:
        await eventually(gateway.is_well)
        node.publish(30)
        await eventually(lambda: counts(influx.port, "conflict").get("unplaced") == 30)
        letters = await eventually(lambda: _letters(gateway, 30))
        text = await _metrics(gateway)
    assert all(
        b"co2=" in letter.payload and b"temperature" not in letter.payload for letter in letters
    )
    assert all("field type conflict" in letter.detail for letter in letters)
    assert {letter.node for letter in letters} == {NODE}
    assert 'preau_forwarder_refused_points{forwarder="town"} 30.0' in text
    with StoreReader(gateway.data) as reader:
        (series,) = reader.series(NODE, "co2")
        assert len(reader.points(series, 0, 2**60)) == 30


def _letters(gateway: Gateway, count: int):
    with StoreReader(gateway.data) as reader:
        letters = reader.dead_letters(reason="forwarder_refused", limit=1000)
    return letters if len(letters) == count else None


async def _metrics(gateway: Gateway) -> str:

    async with aiohttp.ClientSession() as client, client.get(f"{gateway.url}/metrics") as response:
        return await response.text()


def _target(influx: Server, database: str) -> Target:
    return Target("town", "v1", f"http://127.0.0.1:{influx.port}", database)


async def test_points_older_than_the_database_keeps_hold_nothing_up(
    tmp_path: Path, broker: Server, influx: Server
):
    influx_query(influx.port, "CREATE DATABASE short WITH DURATION 1d SHARD DURATION 1h")
    gateway = Gateway(tmp_path / "g", broker.port, extra=forwarder(influx.port, "short"))
    with running(gateway), Publisher(broker.port) as node:
        await eventually(gateway.is_well)
        node.publish(10, at=T0 - 7 * 86400)
        node.publish(10)
        await eventually(lambda: counts(influx.port, "short") == {"unplaced": 10})
        await eventually(lambda: _has(gateway, 'forwarder_forgotten_points{forwarder="town"} 20.0'))
        assert not await _problems(gateway, "InfluxDB town")


async def _has(gateway: Gateway, text: str) -> bool:
    return text in await _metrics(gateway)


async def test_each_of_two_forwarders_goes_on_by_itself(
    tmp_path: Path, broker: Server, influx: Server
):
    other = influxdb_server(tmp_path)
    gateway = Gateway(
        tmp_path / "g",
        broker.port,
        extra=forwarder(influx.port, "both") + forwarder(other.port, "both", "region"),
    )
    with running(gateway), Publisher(broker.port) as node:
        await eventually(gateway.is_well)
        node.publish(25)
        await eventually(lambda: counts(influx.port, "both") == {"unplaced": 25})
        await eventually(lambda: _problems(gateway, "InfluxDB region"))
        with running(other):
            await eventually(lambda: counts(other.port, "both") == {"unplaced": 25}, deadline_s=60)
            await eventually(lambda: _waits_for_nobody(gateway))


def _waits_for_nobody(gateway: Gateway) -> bool:
    """The journal is empty once both have everything."""
    with StoreReader(gateway.data) as reader:
        return reader.ask(lambda c: c.execute("SELECT count(*) FROM journal").fetchone()) == (0,)


async def test_a_corrected_placement_moves_its_points(
    tmp_path: Path, broker: Server, influx: Server
):
    """From nowhere to a room, then part of the time to another: each point stands once."""
    gateway = Gateway(
        tmp_path / "g", broker.port, estate=ESTATE, extra=forwarder(influx.port, "moved")
    )
    estate = tmp_path / "g" / "estate.toml"
    with running(gateway), Publisher(broker.port) as node:
        await eventually(gateway.is_well)
        node.publish(40)
        await eventually(lambda: counts(influx.port, "moved") == {"unplaced": 40})
        estate.write_text(ESTATE + PLACED)
        await eventually(lambda: counts(influx.port, "moved") == {"r1": 40})
        gateway.stop()
        # Corrected while the service is stopped.
        moved = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T0 + 60 * 30))
        second = f'[[node.placement]]\nroom = "ecole/r2"\nsince = {moved}\n'
        estate.write_text(ESTATE + PLACED + second)
        gateway.start()
        await eventually(lambda: counts(influx.port, "moved") == {"r1": 29, "r2": 11})
        health = in_influx(influx.port, "moved", "node_health")
        assert sorted(row["room"] for row in health) == ["r1"] * 29 + ["r2"] * 11
        node.publish(1)
        await eventually(lambda: counts(influx.port, "moved") == {"r1": 29, "r2": 12})


async def test_a_new_database_is_filled_with_all_that_the_store_holds(
    tmp_path: Path, broker: Server, influx: Server, monkeypatch, capsys
):
    gateway = Gateway(tmp_path / "g", broker.port, estate=ESTATE + PLACED)
    settings_file = tmp_path / "g" / "preau.toml"
    with running(gateway), Publisher(broker.port) as node:
        await eventually(gateway.is_well)
        node.publish(30, at=T0 - 3 * 86400)
        node.publish(30)
        await eventually(lambda: _readings(gateway) == 180)
        with settings_file.open("a") as file:
            file.write(forwarder(influx.port, "filled"))
        assert _forward(settings_file, "--from", "2020-01-01") == 0
        assert counts(influx.port, "filled") == {"r1": 60}
        assert _forward(settings_file, "--from", "2020-01-01") == 0
        assert counts(influx.port, "filled") == {"r1": 60}
    assert "town: 120 points of 1 nodes sent" in capsys.readouterr().out


async def test_a_forwarder_that_is_new_gets_what_the_store_held_before(
    tmp_path: Path, broker: Server, influx: Server
):
    gateway = Gateway(tmp_path / "g", broker.port, estate=ESTATE + PLACED)
    with Publisher(broker.port) as node:
        with running(gateway):
            await eventually(gateway.is_well)
            node.publish(30, at=T0 - 3 * 86400)
            await eventually(lambda: _readings(gateway) == 90)
        with (tmp_path / "g" / "preau.toml").open("a") as file:
            file.write(forwarder(influx.port, "fresh"))
        with running(gateway):
            await eventually(gateway.is_well)
            node.publish(5)
            await eventually(lambda: counts(influx.port, "fresh") == {"r1": 35})
            await eventually(lambda: _has(gateway, 'forwarder_filling{forwarder="town"} 0.0'))


def _forward(settings_file: Path, *arguments: str) -> int:

    preau = Path(sys.executable).with_name("preau")
    command = [str(preau), "forward", "--settings", str(settings_file), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    print(done.stdout)
    assert not done.stderr, done.stderr
    return done.returncode


def _readings(gateway: Gateway) -> int:
    with StoreReader(gateway.data) as reader:
        return reader.ask(lambda c: c.execute("SELECT count(*) FROM reading").fetchone())[0]


async def test_the_silence_of_nodes_and_the_gateway_itself_are_written(
    tmp_path: Path, broker: Server, influx: Server
):
    gateway = Gateway(
        tmp_path / "g", broker.port, estate=ESTATE + PLACED, extra=forwarder(influx.port, "health")
    )
    with Publisher(broker.port) as node:
        with running(gateway):
            await eventually(gateway.is_well)
            node.publish(1)
            await eventually(lambda: counts(influx.port, "health"))
        # It is written at the start, then once a minute.
        with running(gateway):
            rows = await eventually(lambda: in_influx(influx.port, "health", "gateway_health")[3:])
    by_node = next(row for row in rows if row["node"] == NODE)
    assert by_node["room"] == "r1"
    # Measured some two hours ago, expected every five minutes.
    silent_s = time.time() - (T0 + 60)
    assert by_node["silence_cadences"] == pytest.approx(silent_s / 300, abs=1)
    assert any(row["waiting_packs"] == 0 for row in rows if row["forwarder"] == "town")


NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30),
    min_size=1,
    max_size=40,
    unique=True,
)


@settings(max_examples=15, deadline=None)
@given(names=NAMES)
def test_a_real_server_reads_every_name_as_it_was_typed(influx: Server, names: list[str]):

    names = [*names, "Cour d’école, côté = nord 🌳", "a\\", "a\\,b", "'quoted' \"twice\""]

    async def write() -> None:
        async with InfluxV1(_target(influx, "names")) as client:
            await client.query("CREATE DATABASE names")
            await client.query("DROP MEASUREMENT odd")
            lines = [f"odd,name={escape_tag(name)} v={n}i 1" for n, name in enumerate(names)]
            await client.write("\n".join(lines).encode())

    asyncio.run(write())
    series = influx_query(influx.port, "SELECT v FROM odd GROUP BY *", "names")
    # A backslash can't be expressed in the protocol: it becomes a slash.
    assert {s["tags"]["name"] for s in series} == {name.replace("\\", "/") for name in names}
