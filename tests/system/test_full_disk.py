"""The gateway stops acknowledging before its disk is full, says so, and goes on by itself."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from gateway.mqtt.address import BrokerAddress
from simulators.node import VirtualNode
from simulators.outbox import Repeats
from simulators.session import Pace
from simulators.town import demo_town
from tests.gateway import Gateway
from tests.servers import eventually, mosquitto_server, running

NODE = "3c71bf4a2b10"
MIB = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "preau", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def free(folder: Path) -> int:
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def fill(folder: Path, leave: int) -> Path:
    file = folder / "filler"
    with file.open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free(folder) - leave)
    return file


async def health(gateway: Gateway) -> tuple[int, dict[str, str]]:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{gateway.url}/healthz") as response,
    ):
        return response.status, (await response.json())["problems"]


async def page(gateway: Gateway) -> str:
    async with aiohttp.ClientSession() as client, client.get(gateway.url) as response:
        return await response.text()


async def test_ingest_stops_before_the_disk_is_full_and_goes_on_by_itself(
    tmp_path: Path, disk: Path
):
    with running(mosquitto_server(tmp_path)) as broker:
        gateway = Gateway(
            tmp_path / "g", broker.port, extra="[store]\nmin_free_mib = 20\nballast_mib = 8\n"
        )
        settings = tmp_path / "g" / "preau.toml"
        settings.write_text(settings.read_text().replace(str(gateway.data), str(disk / "data")))
        gateway.data = disk / "data"
        node = VirtualNode(
            NODE,
            demo_town().rooms[0].model,
            BrokerAddress("127.0.0.1", broker.port),
            interval_s=1,
            pace=Pace(Repeats(2, 4)),
            keep_readings=True,
        )
        with running(gateway):
            await eventually(gateway.is_well)
            await eventually((gateway.data / "ballast").exists)
            node.start()
            await eventually(lambda: node.receipted > 2)

            filler = fill(disk, 5 * MIB)
            await eventually(lambda: _told(gateway, 503, "room"))
            assert re.match("[45] MiB are left", (await health(gateway))[1]["room"])
            assert "disque du service est plein" in await page(gateway)
            # The ballast has been given up: there is room to tidy up, none was taken in.
            assert not (gateway.data / "ballast").exists()
            receipted = node.receipted
            await eventually(lambda: node.held >= 3)
            assert node.receipted <= receipted + 1
            assert free(disk) > 8 * MIB

            filler.unlink()
            await eventually(lambda: _told(gateway, 200, None))
            node.state.interval_s = 3600
            await eventually(lambda: node.held == 0)
            await eventually((gateway.data / "ballast").exists)
            await node.stop()
            assert gateway.stored(NODE) == sorted(r[:4] for r in node.readings or ())


async def _told(gateway: Gateway, status: int, topic: str | None) -> bool:
    found, problems = await health(gateway)
    return found == status and (topic in problems if topic else not problems)
