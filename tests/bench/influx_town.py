"""A gateway that forwards to a real InfluxDB 1.6.7, and how far both have come."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.store.cursors import forwarder_cursor
from ingest.store.reader import StoreReader
from tests.gateway import Gateway
from tests.influx import influx_query, influxdb_server
from tests.servers import Server, mosquitto_server, running

DATABASE = "preau"
FIELDS = ("temperature", "humidity", "co2")


def settings_of(port: int) -> str:
    return f'[[forwarder]]\nname = "town"\napi = "v1"\nurl = "http://127.0.0.1:{port}"\n'


@contextmanager
def town(folder: Path) -> Iterator[tuple[Server, Server, Gateway]]:
    """(broker, InfluxDB, gateway), all running."""
    with (
        running(mosquitto_server(folder)) as broker,
        running(influxdb_server(folder)) as influx,
        running(
            Gateway(folder / "gateway", broker.port, extra=settings_of(influx.port))
        ) as gateway,
    ):
        yield broker, influx, gateway


def waiting(gateway: Gateway) -> int:
    """How many packs the journal holds that are not in InfluxDB."""
    with gateway.reader() as reader:
        return int(reader.ask(_waiting))


def _waiting(connection) -> int:
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()
    return max(0, last - (forwarder_cursor(connection, "town") or 0))


def committed(folder: Path) -> int:
    """How many packs the store has received."""
    with StoreReader(folder) as reader:
        return sum(log.received.count() for log in reader.logs())


def points(port: int, database: str = DATABASE, measurement: str = "room_air") -> int:
    """How many packs InfluxDB holds, counted by their temperatures."""
    query = f"SELECT count(temperature) FROM {measurement}"  # noqa: S608
    series = influx_query(port, query, database)
    return int(series[0]["values"][0][1]) if series else 0
