"""How MQTT clients behave when the broker or the line fails; `mqtt_clients.py --faults` runs it.

A relay stands between client and broker and notes every PUBACK with its connection, so what is
reported is what went over the wire, not what a library says of itself.
"""

import asyncio
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mqtt_clients import KINDS, free_port, start_mosquitto

from gateway.mqtt.embedded import EmbeddedBroker
from gateway.mqtt.packets import CONNACK, PUBACK, Version, encode_publish, read_frame

HELD = 6
TOPIC = b"preau/v1/3c71bf4a2b10/readings"


class Relay:
    """A TCP relay that can cut its connections and notes the PUBACKs of each."""

    def __init__(self, broker_port: int) -> None:
        self.broker_port = broker_port
        self.port = 0
        self.pubacks: list[list[int]] = []
        self.connected = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.broker_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers += [writer, up_writer]
        pubacks: list[int] = []
        self.pubacks.append(pubacks)

        def note_puback(first: int, body: bytes) -> None:
            if first == PUBACK:
                pubacks.append(body[0] << 8 | body[1])

        def note_connack(first: int, body: bytes) -> None:
            self.connected += first == CONNACK and body[1] == 0

        ways = (
            self._pump(reader, up_writer, note_puback),
            self._pump(up_reader, writer, note_connack),
        )
        await asyncio.gather(*ways)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        note: Callable[[int, bytes], None],
    ) -> None:
        buffer = b""
        with suppress(OSError):
            while data := await reader.read(65536):
                buffer += data
                at = 0
                while (frame := read_frame(buffer, at)) is not None:
                    first, start, at = frame
                    note(first, buffer[start:at])
                buffer = buffer[at:]
                writer.write(data)
                await writer.drain()
        writer.close()


async def publish(port: int, payloads: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03pub")
    await reader.readexactly(4)
    for mid, payload in enumerate(payloads, 1):
        writer.write(encode_publish(TOPIC, payload, Version.MQTT_311, mid=mid, retain=False))
    await reader.readexactly(4 * len(payloads))
    writer.close()


class Probe:
    """One client behind a relay, with a heartbeat that shows how long the loop stood still."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.longest_block_s = 0.0

    async def heartbeat_loop(self) -> None:
        before = time.perf_counter()
        while True:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            self.longest_block_s = max(self.longest_block_s, now - before)
            before = now

    async def take(self, wanted: set[bytes], within_s: float) -> list[Any]:
        """What arrives until all of `wanted` is there or the time is up."""
        taken: list[Any] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while wanted - {self.client.payload_of(item) for item in taken}:
                    taken += await self.client.next_batch()
        return taken


async def until(condition: Callable[[], bool], within_s: float) -> float | None:
    started_at = time.perf_counter()
    while not condition():
        if time.perf_counter() - started_at > within_s:
            return None
        await asyncio.sleep(0.01)
    return time.perf_counter() - started_at


def seconds(value: float | None) -> str:
    return "never (30 s)" if value is None else f"{value:.1f} s"


class Broker:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process


async def wipe(probe: Probe, relay: Relay, folder: Path, broker: Broker) -> None:
    held = await publish_and_take(probe, relay, b"a")
    broker.process.kill()
    broker.process.wait()
    before = relay.connected
    broker.process = start_mosquitto(relay.broker_port, folder)
    back = await until(lambda: relay.connected > before, 30)
    await asyncio.sleep(0.3)
    await publish_and_take(probe, relay, b"b")
    probe.client.acknowledge(held)
    await asyncio.sleep(0.5)
    late = len(relay.pubacks[-1])
    again = await cut(probe, relay, b"b")
    print(
        f"  wiped broker: back after {seconds(back)}, {late} late acknowledgements sent on the new "
        f"connection, {HELD - len(again)} of {HELD} packs released that were never committed"
    )
    probe.client.acknowledge(again)


async def cut(probe: Probe, relay: Relay, prefix: bytes) -> list[Any]:
    before = relay.connected
    relay.cut()
    back = await until(lambda: relay.connected > before, 30)
    again = await probe.take(payloads(prefix), 3)
    again = [item for item in again if probe.client.payload_of(item).startswith(prefix)]
    print(f"  TCP cut: back after {seconds(back)}, {len(again)} of {HELD} delivered again")
    return again


async def acknowledge_in_order(probe: Probe, relay: Relay) -> None:
    held = await publish_and_take(probe, relay, b"c")
    again = await cut(probe, relay, b"c")
    del held
    already = len(relay.pubacks[-1])
    probe.client.acknowledge(again)
    await until(lambda: len(relay.pubacks[-1]) >= already + HELD, 2)
    sent = relay.pubacks[-1][already:]
    print(f"    acknowledged in the order of reception: {'yes' if sent == sorted(sent) else 'no'}")


async def stall(probe: Probe, relay: Relay, broker: Broker) -> None:
    connections, before = len(relay.pubacks), relay.connected
    broker.process.send_signal(signal.SIGSTOP)
    noticed = await until(lambda: len(relay.pubacks) > connections, 30)
    broker.process.send_signal(signal.SIGCONT)
    back = await until(lambda: relay.connected > before, 30)
    print(
        f"  stalled broker, keepalive 4 s: new attempt after {seconds(noticed)}, back "
        f"{seconds(back)} after it woke"
    )


def payloads(prefix: bytes) -> set[bytes]:
    return {prefix + b"%d" % i for i in range(HELD)}


async def publish_and_take(probe: Probe, relay: Relay, prefix: bytes) -> list[Any]:
    await publish(relay.broker_port, sorted(payloads(prefix)))
    return await probe.take(payloads(prefix), 5)


async def show_mosquitto(name: str) -> None:
    kind, version = name.split("-")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(start_mosquitto(port, Path(folder)))
        relay = Relay(port)
        await relay.start()
        subscribed = asyncio.Event()
        loop = asyncio.get_running_loop()
        try:
            async with KINDS[kind](
                relay.port, version, lambda: loop.call_soon_threadsafe(subscribed.set)
            ) as client:
                await subscribed.wait()
                probe = Probe(client)
                heartbeat = asyncio.create_task(probe.heartbeat_loop())
                await wipe(probe, relay, Path(folder), broker)
                await acknowledge_in_order(probe, relay)
                await stall(probe, relay, broker)
                heartbeat.cancel()
                print(f"  the loop stood still for {probe.longest_block_s * 1000:.0f} ms at most")
        finally:
            broker.process.kill()
            broker.process.wait()


async def show_embedded(name: str) -> None:
    kind, version = name.split("-")
    count = 2000
    subscribed = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with EmbeddedBroker(port=free_port()) as broker:
        port = broker.address.port
        try:
            async with (
                asyncio.timeout(10),
                KINDS[kind](
                    port, version, lambda: loop.call_soon_threadsafe(subscribed.set)
                ) as client,
            ):
                await subscribed.wait()
                sent = asyncio.create_task(publish(port, [b"%d" % i for i in range(count)]))
                taken = 0
                while taken < count:
                    batch = await client.next_batch()
                    client.acknowledge(batch)
                    taken += len(batch)
                await sent
                print(f"  iotcore: connected, {taken} of {count} received and acknowledged")
        except (TimeoutError, OSError, ValueError) as error:
            print(f"  iotcore: {'nothing within 10 s' if not str(error) else error}")


async def show_faults(names: list[str]) -> None:
    """Print what each client does under each fault."""
    for name in names:
        print(name)
        await show_mosquitto(name)
        await show_embedded(name)
