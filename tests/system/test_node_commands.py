"""`preau node add`, `place`, `list` and `remove` as a technician types them, beside a gateway."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import paho.mqtt.client as mqtt
import pytest

from gateway.checks import nodes
from gateway.checks.finding import Given
from gateway.settings import load_settings
from ingest.estate.model import Estate
from ingest.topics import base_name_of, topic_of
from tests.gateway import Gateway
from tests.servers import eventually, mosquitto_server, running
from tests.town_broker import TownBroker, TownClient

PREAU = Path(sys.executable).with_name("preau")
NODE = "3c71bf4a2b10"
OTHER = "3c71bf4a2b11"
ESTATE = """\
# Written by hand.
name = "Trilport"
[[site]]
id = "ferry"
name = "École Jules-Ferry"
[[site.building]]
id = "main"
name = "A"
[[site.building.room]]
id = "cp-a"
name = "CP A"
[[site.building.room]]
id = "cantine"
name = "Cantine"
"""


class Town:
    """A gateway on a broker, and the command line beside it."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        self.gateway = Gateway(folder / "gateway", broker_port, estate=ESTATE)
        self.settings = folder / "gateway" / "preau.toml"
        self.estate = folder / "gateway" / "estate.toml"
        self.broker_port = broker_port

    def preau(self, *arguments: str, status: int = 0) -> str:
        """What a command prints, standard error included."""
        command = [str(PREAU), *arguments, "--settings", str(self.settings)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def nodes(self, *options: str) -> list[dict[str, Any]]:
        return json.loads(self.preau("node", "list", "--json", *options))

    def publish(self, kind: str, payload: object) -> None:
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self.broker_port)
        client.loop_start()
        text = json.dumps(payload)
        sent = client.publish(topic_of(NODE, kind), text, qos=1, retain=kind == "presence")
        sent.wait_for_publish(10)
        client.disconnect()
        client.loop_stop()

    async def room_of_the_page(self) -> str | None:
        """The last part of the address behind the code on the label."""
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"{self.gateway.url}/n/{NODE}", allow_redirects=False) as answer,
        ):
            return answer.headers.get("Location")


def readings(at_s: int, *records: tuple[str, str, float]) -> list[dict[str, object]]:
    items: list[dict[str, object]] = [{"n": n, "u": u, "v": v} for n, u, v in records]
    items[0] |= {"bn": base_name_of(NODE), "bver": 26, "bt": at_s}
    return items


@pytest.fixture
def town(tmp_path):
    with running(mosquitto_server(tmp_path)) as broker:
        town = Town(tmp_path, broker.port)
        with running(town.gateway):
            yield town


async def test_a_node_that_spoke_is_placed_moved_and_removed(town):
    await eventually(town.gateway.is_well)
    now_s = int(time.time())
    co2 = [{"sensor": "s8@uart2", "abc": True, "calibrated_at": 1763800000, "calibrated_ppm": 400}]
    said = {"online": True, "hello": "9f31", "firmware": "1.2.0", "co2": co2}
    town.publish("presence", said)
    town.publish("readings", readings(now_s, ("temperature", "Cel", 19.5), ("battery", "V", 3.92)))
    await eventually(lambda: any(row["battery_v"] for row in town.nodes()))
    [row] = town.nodes()
    assert (row["room"], row["state"], row["firmware"]) == (None, "online", "1.2.0")
    assert row["co2"] == [
        {
            "sensor": "s8@uart2",
            "model": "SenseAir S8",
            "specified_to_ppm": 2000,
            "abc": True,
            "calibrated_at_ms": 1763800000000,
            "calibrated_ppm": 400,
        }
    ]
    assert row["last_heard_at_ms"] >= row["last_measured_at_ms"] == now_s * 1000

    said = town.preau(
        "node", "place", "3C:71:BF:4A:2B:10", "ferry/main/cp-a", "--since", "2026-09-01"
    )
    assert said == f"{NODE} is in ferry/cp-a since 2026-09-01 ({town.estate})\n"
    assert town.estate.read_text().startswith(ESTATE)

    async def is_at(location: str | None) -> bool:
        return await town.room_of_the_page() == location

    await eventually(lambda: is_at("/salles/ferry/cp-a"))
    town.preau("node", "place", NODE, "ferry/cantine")
    await eventually(lambda: is_at("/salles/ferry/cantine"))
    assert "ferry/cantine" in town.preau("node", "list", "--room", "ferry")

    time_of_removal = str(now_s + 3600)
    told = json.loads(town.preau("node", "remove", NODE, "--since", time_of_removal, "--json"))
    assert told["node"] == NODE
    assert told["said"].startswith("is out of service since ")
    assert town.nodes() == []
    assert [row["state"] for row in town.nodes("--removed")] == ["removed"]
    assert "nothing was changed" in town.preau("node", "remove", NODE)


async def test_what_a_nodes_flash_refused_is_told_everywhere(town):
    await eventually(town.gateway.is_well)

    async def told() -> int:
        known = (await town.gateway.get("/api/v1/nodes"))["nodes"]
        return known[0]["refused_by_flash_packs"] if known else -1

    said = {"online": True, "hello": "9f31", "firmware": "1.2.0", "dropped": 0, "rejected": 0}
    town.publish("presence", said)
    await eventually(lambda: _is(told, 0))
    for lost in (2, 2, 5):
        town.publish("presence", said | {"lost": lost})
        await eventually(lambda lost=lost: _is(told, lost))
    # What it last said stays when it goes.
    town.publish("presence", {"online": False, "hello": "9f31"})
    await eventually(lambda: town.nodes()[0]["state"] == "offline")

    assert town.nodes()[0]["refused_by_flash_packs"] == 5
    assert "flash refused 5" in town.preau("node", "list")
    warnings = [line for line in town.gateway.log.read_text().splitlines() if "could not" in line]
    assert [line.partition("could not ")[2].partition(":")[0] for line in warnings] == [
        "keep 2 packs (2 in all)",
        "keep 3 packs (5 in all)",
    ]
    assert all("WARNING" in line.upper() and NODE in line for line in warnings), warnings
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{town.gateway.url}/metrics") as answer,
    ):
        assert "preau_nodes_lost_packs 5.0" in await answer.text()
    found = await nodes.check(Given(load_settings(town.settings), Estate(), 0, is_running=True))
    assert f"the flash of nodes refused readings: {NODE} (5 packs)" in [one.text for one in found]


async def _is(told: Callable[[], Awaitable[int]], lost: int) -> bool:
    return await told() == lost


def test_a_name_that_is_nearly_right_costs_one_line_and_changes_nothing(town):
    town.preau("node", "add", NODE, "--model", "C3, SCD41")
    before = town.estate.read_text()

    assert town.preau("node", "place", NODE, "ferry/cantin", status=2) == (
        "preau: there is no room 'ferry/cantin': did you mean ferry/cantine?\n"
    )
    assert town.preau("node", "place", "3c71bf4a2b01", "ferry/cp-a", status=2) == (
        f"preau: 3c71bf4a2b01 is neither declared nor has it spoken: did you mean {NODE}?\n"
    )
    assert "is no node id" in town.preau("node", "add", "3c71bf", status=2)
    assert "declared already at" in town.preau("node", "add", NODE, status=2)
    assert town.estate.read_text() == before


def test_a_removed_node_is_out_of_the_broker_within_a_second(tmp_path):
    broker = TownBroker(tmp_path / "broker", [NODE, OTHER])
    account = TownClient(broker, NODE, broker.password(NODE))
    with running(broker), account.connected(NODE):
        assert account.is_in
        pid_file = str(tmp_path / "broker" / "pid")
        broker.preau("node", "remove", NODE, "--broker", str(broker.given), "--pid-file", pid_file)
        assert account.is_thrown_out(within_s=1)
        with TownClient(broker, NODE, account._password).connected(NODE) as again:
            assert not again.is_in
        with TownClient(broker, OTHER, broker.password(OTHER)).connected(OTHER) as other:
            assert other.is_in


def test_a_removed_node_loses_its_account_at_the_broker(town, tmp_path):
    folder = tmp_path / "mosquitto"
    town.preau("node", "add", NODE, "--room", "ferry/cp-a", "--since", "2026-09-01")
    town.preau("pki", "create", "--host", "localhost", "--town", "Trilport")
    town.preau("broker", "config", "--out", str(folder))
    assert NODE in (folder / "passwd").read_text()

    said = town.preau("node", "remove", NODE, "--broker", str(folder))
    assert "its account at the broker is gone" in said
    assert NODE not in (folder / "passwd").read_text()
    assert not (folder / "credentials" / f"{NODE}.password").exists()
    town.preau("broker", "config", "--out", str(folder))
    assert NODE not in (folder / "passwd").read_text()


def test_what_fails_after_the_removal_is_told_and_can_be_repeated(town, tmp_path):
    town.preau("node", "add", NODE, "--room", "ferry/cp-a", "--since", "2026-09-01")
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    pid_file = tmp_path / "none.pid"
    command = ("node", "remove", NODE, "--broker", str(folder), "--pid-file", str(pid_file))

    said = town.preau(*command, status=1)
    assert f"{NODE} is out of service since" in said
    assert "its account at the broker is still there: " in said
    assert "none.pid can't be read" in said
    assert "nothing was changed" in town.preau(*command, status=1)


def test_tab_completes_nodes_and_rooms(town):
    town.preau("node", "add", NODE, "--room", "ferry/cp-a")
    words = f"preau node place --settings {town.settings} {NODE[:4]}"
    assert completed(words) == [f"plain,{NODE}"]
    assert completed(f"{words} ferry/ca") == ["plain,ferry/cantine"]
    assert completed("preau node place --settings /nowhere 3c") == []


def completed(words: str) -> list[str]:
    """What bash would offer for the last word."""
    told = {"_PREAU_COMPLETE": "bash_complete", "COMP_WORDS": words}
    told["COMP_CWORD"] = str(len(words.split()) - 1)
    done = subprocess.run(
        [PREAU], capture_output=True, text=True, timeout=60, check=True, env=os.environ | told
    )
    assert done.stderr == ""
    return done.stdout.split()
