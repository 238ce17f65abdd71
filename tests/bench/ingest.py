"""What the gateway commits beside what `mosquitto_sub` drains, in the same run.

Live publisher with QoS 1 through Mosquitto, five records a pack; the gateway decodes, judges,
commits with fsync, acknowledges and sends receipts, and folds beside it. Rounds take turns, so
that a machine whose speed drifts treats both alike; the ratio is what to quote.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests.bench.figures import Figure
from tests.gateway import Gateway
from tests.servers import mosquitto_server, require, running

DEADLINE_S = 300
DRAIN = "mosquitto_sub -q 1"


def publisher(port: int, packs: int, nodes: int) -> subprocess.Popen[str]:
    """A publisher with everything prepared, waiting for its line."""
    command = [sys.executable, "-m", "tests.bench.publisher", str(port), str(packs), str(nodes)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def go(process: subprocess.Popen[str]) -> float:
    """Let it publish; the time at which it began."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return time.perf_counter()


def drain_rate(folder: Path, packs: int, nodes: int) -> float:
    """Packs a second that `mosquitto_sub -q 1` drains."""
    program = require("mosquitto_sub", "mosquitto-clients")
    with running(mosquitto_server(folder)) as broker:
        command = [program, "-q", "1", "-c", "-i", "drain", "-p", str(broker.port)]
        command += ["-t", "preau/v1/+/readings", "-C", str(packs)]
        feeding = publisher(broker.port, packs, nodes)
        drain = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        started = go(feeding)
        drain.wait(DEADLINE_S)
        rate = packs / (time.perf_counter() - started)
        feeding.wait(DEADLINE_S)
    return rate


def commit_rate(folder: Path, packs: int, nodes: int, *, busy: bool = False) -> tuple[float, float]:
    """(packs a second until the last is committed, resident MB at the end)."""
    with (
        running(mosquitto_server(folder)) as broker,
        running(Gateway(folder / "gateway", broker.port)) as gateway,
    ):
        feeding = publisher(broker.port, packs, nodes)
        with reading_pages(gateway.url) if busy else nullcontext():
            started = go(feeding)
            with gateway.reader() as reader:
                while received(reader) < packs:
                    if time.perf_counter() - started > DEADLINE_S:
                        raise SystemExit(f"{received(reader)} of {packs} in {DEADLINE_S} s")
                    time.sleep(0.05)
            rate = packs / (time.perf_counter() - started)
        feeding.wait(DEADLINE_S)
        return rate, gateway.resident_kib() / 1024


@contextmanager
def reading_pages(url: str) -> Iterator[None]:
    """Somebody who looks at the overview again and again: the event loop has that to do as well."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            urllib.request.urlopen(url, timeout=60).read()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def received(reader) -> int:
    return sum(log.received.count() for log in reader.logs())


def run(options: Namespace) -> list[Figure]:
    """400 nodes, 10,000 nodes, and 400 with a busy event loop."""
    figures = []
    for name, nodes, busy in (
        ("400 nodes", 400, False),
        ("10,000 nodes", 10_000, False),
        ("400 nodes, pages being read", 400, True),
    ):
        packs = max(options.packs // 500 * 500, nodes * 4)
        drains, commits, resident = [], [], []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                drains.append(drain_rate(Path(folder), packs, nodes))
                rate, rss_mb = commit_rate(Path(folder), packs, nodes, busy=busy)
                commits.append(rate)
                resident.append(rss_mb)
        ratios = [commit / drain for commit, drain in zip(commits, drains, strict=True)]
        commit = statistics.median(commits)
        figures.append(
            Figure(
                f"committed, {name}",
                commit,
                "packs/s",
                commit / statistics.median(ratios),
                DRAIN,
                bar=0.3,
                of_ratio=True,
            )
        )
        figures.append(Figure(f"resident, {name}", statistics.median(resident), "MB"))
    return figures
