"""`make bench`: what the gateway commits beside what `mosquitto_sub` drains, in the same run.

Live publisher with QoS 1 through Mosquitto, five records a pack; the gateway decodes, judges,
commits with fsync, acknowledges and sends receipts, and folds beside it. Rounds take turns, so
that a machine whose speed drifts treats both alike; the ratio is what to quote.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.gateway import Gateway
from tests.servers import mosquitto_server, require, running

DEADLINE_S = 300


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


def commit_rate(folder: Path, packs: int, nodes: int) -> tuple[float, float]:
    """(packs a second until the last is committed, resident MB at the end)."""
    with (
        running(mosquitto_server(folder)) as broker,
        running(Gateway(folder / "gateway", broker.port)) as gateway,
    ):
        feeding = publisher(broker.port, packs, nodes)
        started = go(feeding)
        with gateway.reader() as reader:
            while received(reader) < packs:
                if time.perf_counter() - started > DEADLINE_S:
                    raise SystemExit(f"{received(reader)} of {packs} committed in {DEADLINE_S} s")
                time.sleep(0.05)
        rate = packs / (time.perf_counter() - started)
        feeding.wait(DEADLINE_S)
        return rate, gateway.resident_kib() / 1024


def received(reader) -> int:
    return sum(log.received.count() for log in reader.logs())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packs", type=int, default=60_000, help="packs a round")
    parser.add_argument("--nodes", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    packs, nodes = options.packs // 500 * 500, options.nodes
    drains, commits, resident = [], [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            drains.append(drain_rate(Path(folder), packs, nodes))
            rate, rss_mb = commit_rate(Path(folder), packs, nodes)
            commits.append(rate)
            resident.append(rss_mb)
    drain, commit = statistics.median(drains), statistics.median(commits)
    ratio = statistics.median(c / d for c, d in zip(commits, drains, strict=True))
    print(f"{packs} packs of 5 records, {nodes} nodes, medians of {options.rounds} rounds")
    print(f"{'mosquitto_sub -q 1 drains':34} {drain:10.0f} packs/s")
    print(f"{'gateway commits (fsync, receipts)':34} {commit:10.0f} packs/s")
    print(f"{'ratio':34} {ratio:10.2f}")
    print(f"{'resident memory of the gateway':34} {statistics.median(resident):10.0f} MB")
    figures = {"drain": drains, "commit": commits, "ratio": ratio, "resident_mb": resident}
    print(json.dumps(figures | {"packs": packs, "nodes": nodes}))


if __name__ == "__main__":
    main()
