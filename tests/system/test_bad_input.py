"""Everything invalid that can be sent or written down, thrown at a running gateway."""

import asyncio
import json
import subprocess
import time
from collections import Counter
from pathlib import Path

import aiohttp
import paho.mqtt.client as mqtt
import pytest

from ingest.readings import Reading
from ingest.senml import encode_pack
from tests.gateway import Gateway
from tests.servers import Server, eventually, mosquitto_server, running

PACKS = Path(__file__).parents[1] / "contract" / "packs"
NODE = "3c71bf4a2b10"
ESTATE = """
[[site]]
id = "jules-ferry"
name = "École Jules-Ferry"
[[site.building]]
id = "main"
name = "Bâtiment principal"
[[site.building.room]]
id = "cp-a"
name = "CP A"
area_m2 = 60
"""


def samples() -> list[tuple[bytes, dict]]:
    """All but the one that was in the future when it was written down."""
    return [
        (path.read_bytes(), json.loads((PACKS / f"{path.stem}.expected.json").read_text("utf-8")))
        for path in sorted(PACKS.glob("*.senml"))
        if path.stem != "mixed-future"
    ]


def from_the_future() -> bytes:
    at_ms = (int(time.time()) + 3600) * 1000
    return encode_pack(NODE, [Reading("co2", "main", at_ms, 900)], log="5f3a9c01", seq=42, first=42)


def publish_all(port: int, messages: list[tuple[str, bytes]]) -> None:
    """Publish with QoS 1 and return when the broker has acknowledged every one."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in messages:
        client.publish(topic, payload, qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


async def counted(gateway: Gateway) -> Counter[str]:
    """Dead letters by reason, as `/metrics` tells them."""
    async with aiohttp.ClientSession() as client, client.get(f"{gateway.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    head = 'preau_dead_letters_total{reason="'
    return Counter(
        {
            line[len(head) :].partition('"')[0]: int(float(line.rpartition(" ")[2]))
            for line in lines
            if line.startswith(head)
        }
    )


async def test_every_sample_ends_where_it_should_and_the_gateway_goes_on(tmp_path: Path):
    """In the dead letters with its reason, counted, listed; its good records stored."""
    expected: Counter[str] = Counter()
    with (
        running(mosquitto_server(tmp_path)) as broker,
        running(Gateway(tmp_path / "gateway", broker.port)) as gateway,
    ):
        await eventually(gateway.is_well)
        messages = []
        for payload, outcome in samples():
            expected.update([outcome["reason"]] if outcome["reason"] else outcome["rejected"])
            messages.append((f"preau/v1/{outcome['node']}/readings", payload))
        messages += [
            (f"preau/v1/{NODE}/readings", from_the_future()),
            ("preau/v1/NOT-A-MAC/readings", b"[]"),
            (f"preau/v1/{NODE}/presence", b"\xff{"),
            (f"preau/v1/{NODE}/presence", b'{"online": "yes"}'),
        ]
        expected.update(["time_ahead", "bad_topic", "bad_presence", "bad_presence"])
        await asyncio.to_thread(publish_all, broker.port, messages)

        async def all_counted() -> bool:
            counts = await counted(gateway)
            # Samples give one instant several values: these contradictions are kept as well.
            counts.pop("conflict", None)
            return counts == expected

        await eventually(all_counted, 20)
        letters = (await gateway.get("/api/v1/deadletters", limit="200"))["dead_letters"]
        assert {letter["reason"] for letter in letters} >= set(expected)
        assert all(letter["detail"] for letter in letters)
        assert ("co2", "main", 1763800000000, 840.0) in gateway.stored(NODE)
        assert gateway.process is not None
        assert gateway.process.poll() is None
        assert await gateway.is_well()
        preau = [*gateway.command[:-3], "deadletters", "list", "--reason", "wrong_unit"]
        listed = await asyncio.to_thread(
            subprocess.run,
            [*preau, *gateway.command[-2:]],
            check=False,
            capture_output=True,
            text=True,
        )
        assert listed.returncode == 0, listed.stderr
        assert "wrong_unit: u is 'K': must be 'Cel'" in listed.stdout.replace('"', "'")


async def test_a_broken_estate_is_told_with_its_line_and_the_last_valid_one_stays(
    mosquitto: Server, tmp_path: Path
):
    with running(Gateway(tmp_path / "gateway", mosquitto.port, estate=ESTATE)) as gateway:
        await eventually(gateway.is_well)
        estate = tmp_path / "gateway" / "estate.toml"
        estate.write_text(ESTATE.replace("area_m2 = 60", "area_m2 = -3"))

        async def problem() -> str | None:
            async with (
                aiohttp.ClientSession() as client,
                client.get(f"{gateway.url}/healthz") as answer,
            ):
                return (await answer.json())["problems"].get("estate")

        told = await eventually(problem, 20)
        for part in ("estate.toml:11", "area_m2", "-3"):
            assert part in told
        rooms = (await gateway.get("/api/v1/rooms"))["rooms"]
        assert [room["name"] for room in rooms] == ["CP A"]
        assert await gateway.is_well()
        estate.write_text(ESTATE.replace("CP A", "CP B"))

        async def renamed() -> bool:
            rooms = (await gateway.get("/api/v1/rooms"))["rooms"]
            return [room["name"] for room in rooms] == ["CP B"]

        async def problem_is_over() -> bool:
            return await problem() is None

        await eventually(renamed, 20)
        # /healthz looks at the estate twice a second.
        await eventually(problem_is_over, 20)


@pytest.mark.parametrize("estate", ["[[site]\n", '[[site]]\nid = "A b"\nname = "x"\n'])
def test_the_gateway_does_not_start_on_a_broken_estate(
    mosquitto: Server, tmp_path: Path, estate: str
):
    """It says where the mistake is, in one go, and exits with 2."""
    gateway = Gateway(tmp_path / "gateway", mosquitto.port, estate=estate)
    done = subprocess.run(gateway.command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "estate.toml:" in done.stderr
    assert "Traceback" not in done.stderr
