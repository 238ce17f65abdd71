"""What the gateway does at its limits: a clock that was never set, a queue full of nonsense."""

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import paho.mqtt.client as mqtt

from gateway.clock import RELEASED_AT_MS, now_ms
from gateway.mqtt.address import BrokerAddress
from gateway.mqtt.inbox import MAX_BYTES
from gateway.mqtt.session import Session
from gateway.service import serve
from gateway.settings import BrokerSettings, DataSettings, EstateSettings, HttpSettings, Settings
from ingest.readings import Reading
from ingest.senml import encode_pack
from ingest.store.reader import StoreReader
from tests.servers import Server, eventually, free_port

NODE = "3c71bf4a2b10"


@asynccontextmanager
async def publisher(port: int, subscription: str | None = None):
    """A paho client on its thread, and the payloads it has received."""
    received: list[bytes] = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: received.append(message.payload)
    await asyncio.to_thread(client.connect, "127.0.0.1", port)
    if subscription:
        client.subscribe(subscription)
    client.loop_start()
    try:
        yield client, received
    finally:
        client.disconnect()
        client.loop_stop()


async def test_nothing_is_taken_or_receipted_before_the_clock_is_set(
    mosquitto: Server, tmp_path: Path
):
    """A small computer wakes up in 1970: good readings must not become dead letters."""
    settings = Settings(
        data=DataSettings(dir=tmp_path / "data"),
        broker=BrokerSettings(host="127.0.0.1", port=mosquitto.port),
        http=HttpSettings(port=free_port()),
        estate=EstateSettings(file=tmp_path / "estate.toml"),
    )
    wrong = True
    ready = asyncio.Event()
    service = asyncio.create_task(
        serve(
            settings,
            ready=lambda _service: ready.set(),
            clock_ms=lambda: 5_000 if wrong else now_ms(),
        )
    )
    await ready.wait()
    measured_ms = now_ms() // 1000 * 1000 - 60_000
    pack = [Reading("co2", "main", measured_ms, 873)]
    payload = encode_pack(NODE, pack, log="aa00aa00", seq=1, first=1)
    async with publisher(mosquitto.port, f"preau/v1/{NODE}/receipts") as (client, receipts):

        async def sent_and_answered() -> bool:
            # Until the gateway has subscribed nobody hears; a repeat costs nothing.
            client.publish(f"preau/v1/{NODE}/readings", payload, qos=1)
            return bool(receipts)

        for _ in range(20):
            assert not await sent_and_answered()
            await asyncio.sleep(0.1)
        wrong = False
        await eventually(sent_and_answered, 20)
    service.cancel()
    await asyncio.gather(service, return_exceptions=True)
    assert json.loads(receipts[0])["now"] * 1000 > RELEASED_AT_MS
    with StoreReader(settings.data.dir) as reader:
        assert reader.dead_letters() == []
        (series,) = reader.series(NODE)
        (point,) = reader.points(series, 0, 2**60)
    assert (point.measured_at_ms, point.value) == (measured_ms, 873)
    assert point.received_at_ms >= RELEASED_AT_MS


async def test_a_queue_of_large_messages_stops_reading_and_goes_on(mosquitto: Server):
    """Memory is bounded in bytes, and nothing of what waited is missing afterwards."""
    messages, size = 60, 1_000_000
    address = BrokerAddress("127.0.0.1", mosquitto.port)
    async with Session(address, subscriptions=["big/#"], clock_ms=now_ms) as session:
        running = asyncio.create_task(session.run())
        await eventually(lambda: session.connected)
        async with publisher(mosquitto.port) as (client, _):
            for number in range(messages):
                client.publish(f"big/{number}", bytes(size), qos=1)
            await eventually(lambda: session.counters.received * size > MAX_BYTES)
            # Nobody takes: what the broker has beyond the limit stays with the broker.
            await asyncio.sleep(1)
            assert session.counters.received < messages * 0.75
            topics = []
            while len(topics) < messages:
                batch = await asyncio.wait_for(session.next_batch(), 20)
                topics += [delivery.topic for delivery in batch]
                session.acknowledge(batch)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert topics == [f"big/{number}" for number in range(messages)]
