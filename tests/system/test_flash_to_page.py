"""From bytes over a serial line to the page: `preau node flash` as a technician types it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from esptool import cmds

from firmware.flasher.micropython_image import file_system_region, read_partitions
from firmware.flasher.socket_port import SocketPort
from tests.bootloader import Bootloader
from tests.flashed_board import FlashedBoard
from tests.gateway import Gateway
from tests.micropython_image import micropython_image
from tests.servers import eventually, require_micropython, running
from tests.town_broker import GATEWAY, HOST, TownBroker

ESTATE = """\
[[site]]
id = "jules-ferry"
name = "École Jules-Ferry"

[[site.building]]
id = "main"
name = "Bâtiment principal"

[[site.building.room]]
id = "cp-a"
name = "CP A"
"""
# esp32-mock-bootloader's, for this chip.
NODE = "240ac4e29526"
PREAU = Path(sys.executable).with_name("preau")


class Town:
    """A broker, a gateway and the settings of both, as a technician finds them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = TownBroker(folder / "town", [])
        extra = (
            f'username = "{GATEWAY}"\npassword_file = "{self.broker.password_file(GATEWAY)}"\n'
            f'tls_ca = "{self.broker.ca}"\n'
        )
        self.gateway = Gateway(folder / "gateway", self.broker.port, estate=ESTATE)
        self.settings = folder / "gateway" / "preau.toml"
        (folder / "wifi.secret").write_text("none needed\n")
        (folder / "wifi.secret").chmod(0o600)
        text = self.settings.read_text().replace("embedded = false\n", f"embedded = false\n{extra}")
        self.settings.write_text(
            f'{text}[nodes]\nwifi_ssid = "preau"\n'
            f'wifi_password_file = "{folder / "wifi.secret"}"\nbroker_host = "{HOST}"\n'
            f'mosquitto_dir = "{self.broker.given}"\n'
            f'mosquitto_pid_file = "{self.broker.folder / "pid"}"\n'
        )
        self.image = folder / "ESP32_GENERIC-v1.28.0.bin"
        self.image.write_bytes(micropython_image())
        self.preau("firmware", "keys")

    def command(self, *arguments: str) -> list[str]:
        return [str(PREAU), *arguments, "--settings", str(self.settings)]

    def preau(self, *arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, check=False, timeout=100
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def flash_command(self, url: str, *arguments: str) -> list[str]:
        image = ("--micropython", str(self.image))
        return self.command("node", "flash", "--port", url, *image, *arguments)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path)
    with running(town.broker), running(town.gateway):
        yield town


@pytest.fixture
def bootloader(tmp_path: Path) -> Iterator[Bootloader]:
    with running(Bootloader(tmp_path)) as server:
        assert isinstance(server, Bootloader)
        yield server


def file_system_of(bootloader: Bootloader) -> bytes:
    """The file system's partition, read back from the chip's flash with esptool."""
    esp = cmds.detect_chip(SocketPort(bootloader.url))
    try:
        esp = cmds.run_stub(esp)
        cmds.attach_flash(esp)
        table = read_partitions(esp.read_flash(0x8000, 0xC00))
        region = file_system_region(table, 4 * 1024 * 1024)
        return esp.read_flash(region.offset, region.size)
    finally:
        esp._port.close()


async def test_a_blank_board_becomes_a_node_whose_first_reading_is_on_the_page(
    tmp_path: Path, town: Town, bootloader: Bootloader
) -> None:
    require_micropython()
    await eventually(town.gateway.is_well)
    command = town.flash_command(bootloader.url, "--room", "jules-ferry/cp-a", "--wait-s", "20")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as flashing:
        assert flashing.stdout is not None
        said = []
        for line in flashing.stdout:
            said.append(line)
            if line.startswith("waiting"):
                break
        else:
            pytest.fail("".join(said))
        # The serial line gives the board's bytes; the virtual board runs them.
        async with FlashedBoard(NODE, tmp_path / "board", file_system_of(bootloader)) as board:
            rest = await eventually(lambda: flashing.poll() is not None, 60) and flashing.stdout.read()
            assert flashing.returncode == 0, "\n".join((*said, rest, *board.output))
            assert "first reading: " in rest
            (room,) = (await town.gateway.get("/api/v1/rooms"))["rooms"]
            assert room["nodes"] == [NODE]
            assert {latest["quantity"] for latest in room["latest"]} >= {"temperature"}
    assert f"as {NODE} (" in town.broker.log.read_text()
    assert not town.broker.password_file(NODE).exists()
