"""From the publishing of a pack to its value in the HTTP API, at 2,000 packs a second."""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from gateway.mqtt.packets import Version, encode_publish
from ingest.readings import Reading
from ingest.senml import encode_pack
from ingest.topics import topic_of
from tests.bench.figures import Figure
from tests.gateway import Gateway
from tests.servers import mosquitto_server, running

PROBE = "3c71bf4a2b10"
RATE = 2000
NODES = 4000
_CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05probe"


def run(options: Namespace) -> list[Figure]:
    """A probe's pack every 100 ms beside the load; looked for every few milliseconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(mosquitto_server(Path(folder))) as broker,
        running(Gateway(Path(folder) / "gateway", broker.port)) as gateway,
    ):
        seconds = options.seconds or 40
        command = [sys.executable, "-m", "tests.bench.paced", str(broker.port), str(RATE)]
        load = subprocess.Popen([*command, str(seconds + 10), str(NODES)], stdout=subprocess.PIPE)
        time.sleep(5)
        taken_ms = []
        with socket.create_connection(("127.0.0.1", broker.port)) as link:
            link.sendall(_CONNECT)
            link.recv(4)
            end = time.monotonic() + seconds
            seq = 0
            while time.monotonic() < end:
                seq += 1
                at_ms = int(time.time() * 1000)
                begun = time.perf_counter()
                link.sendall(_probe(seq, at_ms))
                while not _is_visible(gateway.url, at_ms):
                    if time.perf_counter() - begun > 30:
                        raise TimeoutError(f"pack {seq} is not visible after 30 s")
                    time.sleep(0.003)
                taken_ms.append((time.perf_counter() - begun) * 1000)
                link.recv(65536)
                time.sleep(max(0, 0.1 - (time.perf_counter() - begun)))
        load.kill()
        load.wait()
    taken_ms.sort()
    return [
        Figure("publish to visible in the API, median", taken_ms[len(taken_ms) // 2], "ms"),
        Figure(
            "publish to visible in the API, p99",
            taken_ms[int(len(taken_ms) * 0.99)],
            "ms",
            bar=500,
            at_most=True,
        ),
    ]


def _probe(seq: int, at_ms: int) -> bytes:
    readings = [Reading("co2", "main", at_ms, float(seq))]
    payload = encode_pack(PROBE, readings, log="be4c0002", seq=seq, first=seq)
    topic = topic_of(PROBE, "readings").encode()
    return encode_publish(topic, payload, Version.MQTT_311, mid=seq, retain=False)


def _is_visible(url: str, at_ms: int) -> bool:
    since = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    query = urlencode({"node": PROBE, "quantity": "co2", "from": since, "limit": 1})
    try:
        with urllib.request.urlopen(f"{url}/api/v1/readings?{query}", timeout=10) as answer:
            return bool(json.load(answer)["series"])
    except urllib.error.HTTPError as error:
        if error.code == 404:  # the node has not been heard yet
            return False
        raise
