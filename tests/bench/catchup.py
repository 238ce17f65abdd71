"""An hour's outage of InfluxDB at 500 packs a second, made up for while ingest goes on."""

import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path

from ingest.readings import LogPosition
from ingest.store.cursors import set_forwarders
from ingest.store.writer import PackToStore, StoreWriter
from tests.bench.figures import Figure
from tests.bench.influx_town import settings_of, waiting
from tests.bench.publisher import LOG, node_id
from tests.gateway import Gateway
from tests.influx import influxdb_server
from tests.servers import mosquitto_server, running

RATE = 500
NODES = 2000
OUTAGE_S = 3600
DEADLINE_S = 600
FIELDS_A_PACK = 10
"""Five values, each with its quality."""


def begin_s() -> int:
    """Before a backlog, in Unix seconds."""
    return int(time.time()) - 2 * OUTAGE_S


def build_backlog(folder: Path, packs: int, nodes: int = NODES) -> None:
    """A store in which `packs` wait for a forwarder, as a gateway would have left it."""
    begin_ms = begin_s() * 1000
    with StoreWriter(folder) as store:
        store.change(set_forwarders, ["town"])
        for at in range(0, packs, 4000):
            store.commit([_pack(n, nodes, begin_ms) for n in range(at, min(at + 4000, packs))])
            while store.fold(4000).has_more:
                pass


def _pack(number: int, nodes: int, begin_ms: int) -> PackToStore:
    seq = number // nodes + 1
    at = begin_ms + seq * 1000 + number % nodes
    readings = [
        ("temperature", "main", at, 19 + seq % 100 / 100, 0, 0),
        ("humidity", "main", at, 45.1, 0, 0),
        ("co2", "main", at, 600.0 + seq % 400, 0, 0),
        ("battery", "main", at, 3.92, 0, 0),
        ("rssi", "main", at, -67.0, 0, 0),
    ]
    return PackToStore(node_id(number % nodes), LogPosition(LOG, seq, seq), at + 900, readings)


def run(options: Namespace) -> list[Figure]:
    """The backlog is made beforehand; what is measured is how fast it goes, ingest going on."""
    packs = int((options.seconds or OUTAGE_S) * RATE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_backlog(folder / "gateway" / "data", packs)
        with (
            running(mosquitto_server(folder)) as broker,
            running(influxdb_server(folder)) as influx,
        ):
            gateway = Gateway(folder / "gateway", broker.port, extra=settings_of(influx.port))
            command = [sys.executable, "-m", "tests.bench.paced", str(broker.port), str(RATE)]
            first = packs // NODES + 2
            with running(gateway):
                begun = time.perf_counter()
                arguments = [*command, "600", str(NODES), str(first)]
                load = subprocess.Popen(arguments, stdout=subprocess.PIPE)
                try:
                    while waiting(gateway) > 2 * RATE and time.perf_counter() - begun < DEADLINE_S:
                        time.sleep(0.1)
                    seconds = time.perf_counter() - begun
                    resident_mb = gateway.resident_kib() / 1024
                finally:
                    load.kill()
                    load.wait()
    rate = packs / seconds
    return [
        Figure(
            f"fields/s into InfluxDB, {packs:,} packs behind, ingest at {RATE}/s",
            rate * FIELDS_A_PACK,
            "fields/s",
            bar=50_000,
        ),
        Figure("of these values, without their qualities", rate * FIELDS_A_PACK / 2, "values/s"),
        Figure("resident afterwards", resident_mb, "MB"),
    ]
