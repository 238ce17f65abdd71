"""What the gateway has in memory with 10,000 known nodes and 10 million readings to forward."""

import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path

from tests.bench.catchup import begin_s, build_backlog
from tests.bench.figures import Figure
from tests.bench.influx_town import settings_of, waiting
from tests.gateway import Gateway
from tests.servers import free_port, mosquitto_server, running

NODES = 10_000
PACKS = 2_000_000
RATE = 1000


def run(options: Namespace) -> list[Figure]:
    """InfluxDB is away; nodes go on sending, so that every one of them is known in memory."""
    seconds = options.seconds or 30
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_backlog(folder / "gateway" / "data", PACKS, NODES)
        with running(mosquitto_server(folder)) as broker:
            gateway = Gateway(folder / "gateway", broker.port, extra=settings_of(free_port()))
            with running(gateway):
                at_start = gateway.resident_kib() / 1024
                command = [sys.executable, "-m", "tests.bench.paced", str(broker.port), str(RATE)]
                first = PACKS // NODES + 2
                numbers = (int(seconds), NODES, first, begin_s())
                arguments = [*command, *map(str, numbers)]
                subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
                time.sleep(3)
                behind = waiting(gateway)
                resident = gateway.resident_kib() / 1024
    return [
        Figure("readings that wait for InfluxDB", behind * 5, "readings"),
        Figure("resident at the start", at_start, "MB"),
        Figure("resident, 10,000 nodes heard", resident, "MB", bar=120, at_most=True),
    ]
