"""Measures MQTT clients as the gateway would use them; run `python tests/bench/mqtt_clients.py`.

Throughput: an independent process publishes packs with QoS 1 through a real Mosquitto; each
client receives them, acknowledges each after its batch (20 ms or 2,000), and sends a QoS 0 receipt
for each pack. Beside it, in the same run, `mosquitto_sub -q 1` drains the same stream.

Faults (`--faults`): a broker that loses its memory, one that stops answering, a connection that is
cut. A relay between client and broker sees what really goes over the wire. Nothing here knows the
pipeline or the store: the commit is empty.
"""

import argparse
import asyncio
import importlib
import importlib.util
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from gateway.mqtt.packets import Version, encode_publish
from gateway.mqtt.session import BrokerAddress, Session

PAYLOAD = (
    b'[{"bn":"urn:dev:mac:3c71bffffe4a2b10_","bver":26,"bt":1763800000,"blog":"5f3a9c01",'
    b'"bseq":41,"bfirst":41,"n":"temperature","u":"Cel","v":19.42},'
    b'{"n":"temperature.wall","u":"Cel","v":17.9},{"n":"humidity","u":"%RH","v":45.1},'
    b'{"n":"co2","u":"ppm","v":840},{"n":"battery","u":"V","v":3.92},'
    b'{"n":"rssi","u":"dBm","v":-67}]'
)
RECEIPT = b'{"hello":"9f31","now":1763800000,"log":"5f3a9c01","stored":[[41,41]]}'
FILTER = "preau/v1/+/readings"
NODES = 500
WINDOW = 4000
BATCH, BATCH_S = 2000, 0.02

CONTENDERS = ("session-5", "session-311", "paho-5", "paho-311", "gmqtt-5")


# --- the broker and the publisher


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise SystemExit(f"nothing listens on port {port}")


def start_mosquitto(port: int, folder: Path) -> subprocess.Popen[bytes]:
    binary = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
    if binary is None:
        raise SystemExit("mosquitto is missing: apt install mosquitto mosquitto-clients")
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        "max_inflight_messages 5000\nmax_queued_messages 100000\n"
    )
    process = subprocess.Popen([binary, "-c", str(config)], stderr=subprocess.DEVNULL)
    wait_for_port(port)
    return process


@contextmanager
def mosquitto() -> Any:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = start_mosquitto(port, Path(folder))
        try:
            yield port
        finally:
            process.terminate()
            process.wait()


def publish_packs(port: int, count: int) -> None:
    """Blocks of 500 prepared packets, the next one when the one before is acknowledged."""
    block = 500
    blocks = []
    for half in range(2):
        first = half * block
        topics = [b"preau/v1/%012x/readings" % (i % NODES) for i in range(first, first + block)]
        blocks.append(
            b"".join(
                encode_publish(topic, PAYLOAD, Version.MQTT_311, mid=first + i + 1, retain=False)
                for i, topic in enumerate(topics)
            )
        )
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03pub")
        link.recv(4)
        print("go", flush=True)
        sent = acknowledged = 0
        while acknowledged < count * 4:
            while sent < count and sent - acknowledged // 4 <= block:
                link.sendall(blocks[sent // block % 2])
                sent += block
            acknowledged += len(link.recv(65536))


# --- the clients: each yields its batches and can acknowledge and publish


class Gathered:
    """Deliveries of a library, in batches as the gateway takes them."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.items: list[Any] = []
        self.event = asyncio.Event()
        self.woken = False

    def add_from_thread(self, item: Any) -> None:
        self.items.append(item)
        if not self.woken:
            self.woken = True
            self.loop.call_soon_threadsafe(self.event.set)

    async def batch(self) -> list[Any]:
        await self.event.wait()
        # Ten looks cost less than a wake-up for each message.
        for _ in range(10):
            if len(self.items) >= BATCH:
                break
            await asyncio.sleep(BATCH_S / 10)
        self.event.clear()
        items, self.items, self.woken = self.items, [], False
        return items


class Client:
    next_batch: Callable[[], Any]
    acknowledge: Callable[[list[Any]], None]
    publish: Callable[[str, bytes], Any]
    topic_of: Callable[[Any], str]
    payload_of: Callable[[Any], bytes]


@asynccontextmanager
async def paho_client(port: int, version: str, ready: Callable[[], None]) -> AsyncIterator[Client]:
    paho = importlib.import_module("paho.mqtt.client")
    properties_of = importlib.import_module("paho.mqtt.properties").Properties
    five = version == "5"
    options: dict[str, Any] = {} if five else {"clean_session": False}
    library = paho.Client(
        paho.CallbackAPIVersion.VERSION2,
        "bench",
        protocol=paho.MQTTv5 if five else paho.MQTTv311,
        manual_ack=True,
        **options,
    )
    gathered = Gathered()
    library.on_message = lambda _client, _data, message: gathered.add_from_thread(message)
    library.on_connect = lambda client, *_: client.subscribe(FILTER, 1)
    library.on_subscribe = lambda *_: ready()
    connect_options: dict[str, Any] = {}
    if five:
        properties = properties_of(paho.PacketTypes.CONNECT)
        properties.ReceiveMaximum = WINDOW
        properties.SessionExpiryInterval = 3600
        connect_options = {"properties": properties, "clean_start": False}
    library.connect("127.0.0.1", port, 4, **connect_options)
    library.loop_start()
    client = Client()
    client.next_batch = gathered.batch

    def acknowledge(batch: list[Any]) -> None:
        for message in batch:
            library.ack(message.mid, 1)

    client.acknowledge = acknowledge
    client.publish = library.publish
    client.topic_of = lambda message: message.topic
    client.payload_of = lambda message: message.payload
    try:
        yield client
    finally:
        library.disconnect()


@asynccontextmanager
async def gmqtt_client(port: int, version: str, ready: Callable[[], None]) -> AsyncIterator[Client]:
    gmqtt = importlib.import_module("gmqtt")
    library = gmqtt.Client(
        "bench",
        clean_session=False,
        optimistic_acknowledgement=False,
        receive_maximum=WINDOW,
        session_expiry_interval=3600,
    )
    library.reconnect_delay = 0.2
    gathered = Gathered()
    current = asyncio.Event()

    # It acknowledges a message when its coroutine returns: one task for each message.
    async def on_message(_client: Any, topic: str, payload: bytes, *_: Any) -> int:
        event = current
        gathered.items.append((topic, payload, event))
        gathered.event.set()
        await event.wait()
        return 0

    library.on_message = on_message
    library.on_connect = lambda client, *_: client.subscribe(FILTER, qos=1)
    library.on_subscribe = lambda *_: ready()
    await library.connect("127.0.0.1", port, keepalive=4)
    client = Client()

    async def next_batch() -> list[Any]:
        nonlocal current
        batch = await gathered.batch()
        current = asyncio.Event()
        return batch

    def acknowledge(batch: list[Any]) -> None:
        for event in {id(item[2]): item[2] for item in batch}.values():
            event.set()

    client.next_batch = next_batch
    client.acknowledge = acknowledge
    client.publish = library.publish
    client.topic_of = lambda item: item[0]
    client.payload_of = lambda item: item[1]
    yield client


@asynccontextmanager
async def session_client(
    port: int, version: str, ready: Callable[[], None]
) -> AsyncIterator[Client]:
    session = Session(
        BrokerAddress(port=port),
        client_id="bench",
        subscriptions=[FILTER],
        queue_size=WINDOW,
        clock_ms=lambda: time.time_ns() // 1_000_000,
        keepalive_s=4,
    )
    if version == "311":
        session._version = Version.MQTT_311
    session.on_connect.append(ready)
    task = asyncio.create_task(session.run())
    client = Client()
    client.next_batch = lambda: session.next_batch(BATCH, BATCH_S)
    client.acknowledge = session.acknowledge
    client.publish = session.publish
    client.topic_of = lambda delivery: delivery.topic
    client.payload_of = lambda delivery: delivery.payload
    try:
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


KINDS = {"paho": paho_client, "gmqtt": gmqtt_client, "session": session_client}


# --- throughput


def peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


async def drain(name: str, port: int, count: int) -> None:
    kind, version = name.split("-")

    def ready() -> None:
        print("ready", flush=True)

    async with KINDS[kind](port, version, ready) as client:
        done = 0
        started_at = cpu = 0.0
        while done < count:
            batch = await client.next_batch()
            if not done:
                started_at, cpu = time.perf_counter(), time.process_time()
            client.acknowledge(batch)
            for item in batch:
                client.publish(client.topic_of(item)[:-8] + "receipts", RECEIPT)
            done += len(batch)
        await asyncio.sleep(0)
        seconds = time.perf_counter() - started_at
        result = {
            "rate": done / seconds,
            "cpu_us": (time.process_time() - cpu) / done * 1e6,
            "rss_mb": peak_mb(),
        }
        print(json.dumps(result), flush=True)
        os._exit(0)


def measure(name: str, count: int) -> dict[str, float]:
    with mosquitto() as port:
        me = [sys.executable, __file__]
        if name == "mosquitto_sub":
            command = ["mosquitto_sub", "-q", "1", "-c", "-i", "bench", "-p", str(port)]
            command += ["-t", FILTER, "-C", str(count)]
            client = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            time.sleep(0.3)
        else:
            client = subprocess.Popen(
                [*me, "--drain", name, "--port", str(port), "--count", str(count)],
                stdout=subprocess.PIPE,
            )
            assert client.stdout is not None
            client.stdout.readline()
        publisher = subprocess.Popen(
            [*me, "--publish", "--port", str(port), "--count", str(count)], stdout=subprocess.PIPE
        )
        assert publisher.stdout is not None
        publisher.stdout.readline()
        started_at = time.perf_counter()
        output = client.communicate(timeout=120)[0]
        seconds = time.perf_counter() - started_at
        publisher.wait()
        return json.loads(output) if output else {"rate": count / seconds}


def compare(count: int, rounds: int) -> None:
    names = ["mosquitto_sub", *[n for n in CONTENDERS if is_installed(n)]]
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            results[name].append(measure(name, count))
    baseline = statistics.median(r["rate"] for r in results["mosquitto_sub"])
    print(f"{count} packs of {len(PAYLOAD)} bytes, median of {rounds} rounds")
    print(f"{'client':14} {'packs/s':>9} {'ratio':>6} {'CPU us/pack':>12} {'peak MB':>8}")
    for name, runs in results.items():
        rate, cpu, rss = (
            statistics.median(r.get(k, 0.0) for r in runs) for k in ("rate", "cpu_us", "rss_mb")
        )
        print(f"{name:14} {rate:9.0f} {rate / baseline:6.2f} {cpu:12.1f} {rss:8.0f}")


def is_installed(name: str) -> bool:
    library = {"paho": "paho", "gmqtt": "gmqtt"}.get(name.partition("-")[0])
    if library and importlib.util.find_spec(library) is None:
        print(f"{name} is left out: pip install {library}", file=sys.stderr)
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60_000, help="packs a run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--faults", action="store_true", help="faults instead of throughput")
    parser.add_argument("--drain", help=argparse.SUPPRESS)
    parser.add_argument("--publish", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        publish_packs(options.port, options.count)
    elif options.drain:
        asyncio.run(drain(options.drain, options.port, options.count))
    elif options.faults:
        from mqtt_client_faults import show_faults  # noqa: PLC0415 - it uses this module's clients

        asyncio.run(show_faults([n for n in CONTENDERS if is_installed(n)]))
    else:
        compare(options.count, options.rounds)


if __name__ == "__main__":
    main()
