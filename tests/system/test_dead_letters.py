"""Readings that a gateway with a wrong clock refused are put where they belong afterwards."""

import asyncio
import subprocess
import sys
from pathlib import Path

import paho.mqtt.client as mqtt

from gateway.clock import now_ms
from gateway.service import serve
from gateway.settings import load_settings
from ingest.readings import Reading
from ingest.senml import encode_pack
from tests.gateway import Gateway
from tests.servers import Server, eventually, running

NODE = "3c71bf4a2b10"
DAY_MS = 86_400_000


async def preau(gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("preau")), *arguments]
    settings = ["--settings", gateway.command[-1]]
    return await asyncio.to_thread(
        subprocess.run, [*command, *settings], check=False, capture_output=True, text=True
    )


async def refused_by_a_clock_of_yesterday(gateway: Gateway, broker_port: int, at_ms: int) -> None:
    """Run the gateway in this process, with its clock a day behind, until it has a dead letter."""
    ready = asyncio.Event()
    service = asyncio.create_task(
        serve(
            load_settings(Path(gateway.command[-1])),
            ready=lambda _service: ready.set(),
            clock_ms=lambda: now_ms() - DAY_MS,
        )
    )
    await ready.wait()
    payload = encode_pack(
        NODE, [Reading("co2", "main", at_ms, 873)], log="5f3a9c01", seq=1, first=1
    )
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    await asyncio.to_thread(client.connect, "127.0.0.1", broker_port)
    client.loop_start()

    async def is_refused() -> bool:
        # Until the gateway has subscribed nobody hears; a repeat counts up.
        client.publish(f"preau/v1/{NODE}/readings", payload, qos=1)
        await asyncio.sleep(0.1)
        with gateway.reader() as reader:
            return reader.dead_letter_counts() == {"time_ahead": 1}

    await eventually(is_refused)
    replayed = await preau(gateway, "deadletters", "replay")
    assert (replayed.returncode, replayed.stdout) == (1, "")
    assert replayed.stderr.count("\n") == 1
    assert "in use by another preau process" in replayed.stderr
    client.disconnect()
    client.loop_stop()
    service.cancel()
    await asyncio.gather(service, return_exceptions=True)


async def test_a_reading_that_a_wrong_clock_refused_comes_to_the_page_after_a_replay(
    mosquitto: Server, tmp_path: Path
):
    gateway = Gateway(tmp_path / "gateway", mosquitto.port)
    at_ms = now_ms() // 1000 * 1000
    await refused_by_a_clock_of_yesterday(gateway, mosquitto.port, at_ms)
    assert gateway.stored(NODE) == []

    waited = await preau(gateway, "deadletters", "replay")
    assert waited.returncode == 0, waited.stderr
    assert "0 gone, 1 stay" in waited.stdout
    assert gateway.stored(NODE) == []

    period = ["--clock-was-wrong", "--to", str(at_ms // 1000)]
    mended = await preau(gateway, "deadletters", "replay", *period)
    assert mended.returncode == 0, mended.stderr
    assert "1 gone, 0 stay" in mended.stdout

    assert gateway.stored(NODE) == [("co2", "main", at_ms, 873.0)]
    audited = await preau(gateway, "audit")
    assert (audited.returncode, audited.stdout.strip().split(": ")[1]) == (
        0,
        "1 packs received, 0 of them dead letters, 0 lost by their nodes, 0 missing",
    )
    with running(gateway):
        await eventually(gateway.is_well)
        assert (await gateway.get("/api/v1/deadletters"))["dead_letters"] == []
