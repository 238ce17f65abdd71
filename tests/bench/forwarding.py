"""From broker to InfluxDB for minutes on end: ours, and Node-RED beside it.

Ours at a steady pace, which it must hold without a growing backlog. Node-RED is fed by a publisher
that is faster than it; what counts is what InfluxDB holds at the end.
"""

import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.influx_town import committed, points, town, waiting
from tests.bench.node_red import MEASUREMENT, node_red
from tests.influx import influx_query, influxdb_server
from tests.servers import mosquitto_server, running

PACES = (5_000, 10_000)
NODE_RED_PACE = 10_000


def load(port: int, rate: float, seconds: float) -> subprocess.Popen[bytes]:
    """Every node measures once a second, at the present time."""
    command = [sys.executable, "-m", "tests.bench.paced", str(port), str(rate), str(seconds)]
    numbers = (int(rate), 1, int(time.time()))
    return subprocess.Popen([*command, *map(str, numbers)], stdout=subprocess.PIPE)


def ours(rate: float, seconds: float) -> tuple[float, int, int, float]:
    """(packs a second into InfluxDB, backlog in the middle, at the end, resident MB)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with town(folder) as (broker, influx, gateway):
            begun = time.perf_counter()
            publishing = load(broker.port, rate, seconds)
            time.sleep(seconds / 2)
            middle = waiting(gateway)
            publishing.wait()
            end, total = waiting(gateway), committed(gateway.data)
            while points(influx.port) < total and time.perf_counter() - begun < 2 * seconds:
                time.sleep(0.2)
            arrived = points(influx.port)
            taken_s = time.perf_counter() - begun
            return arrived / taken_s, middle, end, gateway.resident_kib() / 1024


def theirs(seconds: float, *, batched: bool) -> tuple[float, float]:
    """(packs a second into InfluxDB, of all published the part that is there after a while)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            running(mosquitto_server(folder)) as broker,
            running(influxdb_server(folder)) as influx,
        ):
            influx_query(influx.port, "CREATE DATABASE nodered", "")
            with running(node_red(folder, broker.port, influx.port, "nodered", batched=batched)):
                time.sleep(5)
                begun = time.perf_counter()
                publishing = load(broker.port, NODE_RED_PACE, seconds)
                publishing.wait()
                there = points(influx.port, "nodered", MEASUREMENT)
                rate = there / (time.perf_counter() - begun)
                time.sleep(10)
                there = points(influx.port, "nodered", MEASUREMENT)
    return rate, there / (NODE_RED_PACE * seconds)


def run(options: Namespace) -> list[Figure]:
    """Five minutes at each pace, unless told otherwise."""
    seconds = options.seconds or 300
    figures = []
    for batched, how in ((True, "batched by hand"), (False, "as documented")):
        reference, kept = theirs(min(seconds, 60), batched=batched)
        figures += [
            Figure(f"Node-RED, {how}, offered {NODE_RED_PACE:,}/s", reference, "packs/s"),
            Figure("  of the packs offered, in InfluxDB 10 s later", 100 * kept, "%"),
        ]
    for pace in PACES:
        rate, middle, end, resident_mb = ours(pace, seconds)
        name = f"into InfluxDB, offered {pace:,}/s for {seconds:g} s"
        beside = (rate, "packs/s", reference, "Node-RED as documented")
        kept_up = Figure(name, *beside, bar=0.98 * pace)
        figures += [
            kept_up if pace < 3 * reference else Figure(name, *beside, bar=3, of_ratio=True),
            Figure("  backlog in the middle", middle, "packs"),
            Figure("  backlog at the end", end, "packs", bar=2 * pace, at_most=True),
            Figure("  resident", resident_mb, "MB"),
        ]
    return figures
