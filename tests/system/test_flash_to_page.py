"""From bytes over a serial line to the page: `preau node flash` as a technician types it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from esptool import cmds

from firmware.flasher.filesystem import (
    DamagedFileSystemError,
    make_file_system,
    read_file_system,
)
from firmware.flasher.micropython_image import file_system_region, read_partitions
from firmware.flasher.socket_port import SocketPort
from tests.bootloader import Bootloader, Cable
from tests.flashed_board import FlashedBoard
from tests.gateway import Gateway
from tests.micropython_image import micropython_image
from tests.servers import eventually, require_micropython, running
from tests.town_broker import GATEWAY, HOST, TownBroker

# Flash after flash over a serial line, each a minute's work where others want the cores too.
pytestmark = pytest.mark.timeout(300)
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
# Every program that is started, its arguments and variables in full.
STRACE = ("strace", "-f", "-qq", "-e", "trace=execve", "-v", "-s", "10000")
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

    def flash_arguments(self, url: str, *arguments: str) -> list[str]:
        return ["node", "flash", "--port", url, "--micropython", str(self.image), *arguments]

    def flash_command(self, url: str, *arguments: str) -> list[str]:
        return self.command(*self.flash_arguments(url, *arguments))

    @property
    def kept(self) -> Path:
        """What the board held, while it is being written."""
        return self.gateway.data / "boards" / f"{NODE}.zip"

    def password_on(self, image: bytes) -> str:
        return str(json.loads(on_flash(image)["config.json"])["broker"]["password"])


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


class Chip:
    """The chip behind a bootloader, seen by esptool."""

    def __init__(self, url: str) -> None:
        self._url = url

    def file_system(self) -> tuple[int, bytes]:
        """Where the file system's partition is, and what is in it."""
        with self._loader() as esp:
            table = read_partitions(esp.read_flash(0x8000, 0xC00))
            region = file_system_region(table, 4 * 1024 * 1024)
            return region.offset, esp.read_flash(region.offset, region.size)

    def magic(self, offset: int) -> bytes:
        """`littlefs` where a file system's first block is."""
        with self._loader() as esp:
            return bytes(esp.read_flash(offset, 8))

    def write(self, offset: int, content: bytes) -> None:
        with self._loader() as esp:
            cmds.write_flash(esp, [(offset, content)])

    @contextmanager
    def _loader(self) -> Iterator[Any]:
        esp = cmds.detect_chip(SocketPort(self._url))
        try:
            esp = cmds.run_stub(esp)
            cmds.attach_flash(esp)
            yield esp
        finally:
            esp._port.close()


@contextmanager
def flashing(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """The command, once it waits for the first reading."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said = []
            for line in process.stdout or ():
                said.append(line)
                if line.startswith("waiting"):
                    break
            else:
                pytest.fail("".join(said))
            yield process
        finally:
            process.kill()


async def the_end_of(process: subprocess.Popen[str], board: FlashedBoard) -> str:
    """What the command said at its end, which must be good."""
    await eventually(lambda: process.poll() is not None, 60)
    assert process.stdout is not None
    rest = process.stdout.read()
    assert process.returncode == 0, "\n".join((rest, *board.output))
    return rest


def on_flash(image: bytes) -> dict[str, bytes]:
    files = read_file_system(lambda at, size: image[at : at + size], len(image))
    assert files is not None
    return files


def bytes_taken(board: FlashedBoard) -> int:
    """The size of its outbox; 0 where it is being written in this very moment."""
    try:
        files = on_flash(board.image.read_bytes())
        return sum(len(content) for path, content in files.items() if path.startswith("packs/0"))
    except DamagedFileSystemError:
        return 0


async def test_a_blank_board_becomes_a_node_whose_first_reading_is_on_the_page(
    tmp_path: Path, town: Town, bootloader: Bootloader
) -> None:
    require_micropython()
    await eventually(town.gateway.is_well)
    with flashing(town.flash_command(bootloader.url, "--room", "jules-ferry/cp-a")) as process:
        # The serial line gives the board's bytes; the virtual board runs them.
        _, image = Chip(bootloader.url).file_system()
        async with FlashedBoard(NODE, tmp_path / "board", image) as board:
            assert "first reading: temperature " in await the_end_of(process, board)
            (room,) = (await town.gateway.get("/api/v1/rooms"))["rooms"]
            assert room["nodes"] == [NODE]
            assert {latest["quantity"] for latest in room["latest"]} >= {"temperature"}
    assert f"as {NODE} (" in town.broker.log.read_text()
    assert not town.broker.password_file(NODE).exists()


async def test_a_board_that_is_flashed_again_stays_the_same_node_and_loses_no_reading(
    tmp_path: Path, town: Town, bootloader: Bootloader
) -> None:
    require_micropython()
    await eventually(town.gateway.is_well)
    (tmp_path / "often.json").write_text('{"interval_s": 1}')
    command = town.flash_command(bootloader.url, "--node-config", str(tmp_path / "often.json"))
    chip = Chip(bootloader.url)
    with flashing(command) as process:
        offset, image = chip.file_system()
        async with FlashedBoard(NODE, tmp_path / "board", image) as board:
            await the_end_of(process, board)
            town.broker.stop()
            taken = bytes_taken(board)
            await eventually(lambda: bytes_taken(board) > taken + 200, 60)
    before = board.image.read_bytes()
    chip.write(offset, before)
    town.broker.start()
    await eventually(town.gateway.is_well)
    stored = len(town.gateway.stored(NODE))
    with flashing(command) as process:
        _, image = chip.file_system()
        assert len(town.gateway.stored(NODE)) > stored
        async with FlashedBoard(NODE, tmp_path / "board again", image) as board:
            await the_end_of(process, board)
    old, new = on_flash(before), on_flash(image)
    assert json.loads(new["config.json"])["broker"] == json.loads(old["config.json"])["broker"]
    assert new["packs/00000001"] == old["packs/00000001"]
    assert new["boots"] == old["boots"]
    audit = town.preau("audit")
    assert "1 logs" in audit
    assert "0 lost by their nodes, 0 missing" in audit


async def test_a_cable_that_drops_costs_nothing_but_the_command_again(
    town: Town, bootloader: Bootloader
) -> None:
    await eventually(town.gateway.is_well)
    chip = Chip(bootloader.url)
    town.preau(*town.flash_arguments(bootloader.url, "--no-wait"))
    offset, image = chip.file_system()
    state = b"42"
    image = make_file_system(on_flash(image) | {"boots": state}, len(image))
    chip.write(offset, image)
    with Cable(bootloader.port, 150_000, is_plugged=False) as cable:
        told = town.preau(*town.flash_arguments(cable.url, "--no-wait"), status=1)
        assert "broke while writing" in told
        assert f"What it held is safe in {town.kept}" in told
        assert town.kept.stat().st_mode & 0o777 == 0o600
        # A board without its file system starts nothing that could be taken for the node.
        assert chip.magic(offset + 8) == b"\xff" * 8
        cable.is_plugged = True
        town.preau(*town.flash_arguments(cable.url, "--no-wait"))
    files = on_flash(chip.file_system()[1])
    assert files["boots"] == state
    assert json.loads(files["config.json"])["broker"]["password"] == town.password_on(image)
    assert not town.kept.exists()


async def test_a_cable_that_is_plugged_in_again_at_once_is_written_on(
    town: Town, bootloader: Bootloader
) -> None:
    await eventually(town.gateway.is_well)
    with Cable(bootloader.port, 150_000, is_plugged=True) as cable:
        told = town.preau(*town.flash_arguments(cable.url, "--no-wait"))
    assert "the connection broke: plug the board in again" in told
    assert "config.json" in on_flash(Chip(bootloader.url).file_system()[1])


async def test_nothing_secret_is_shown_or_left_behind(
    tmp_path: Path, town: Town, bootloader: Bootloader
) -> None:
    await eventually(town.gateway.is_well)
    flash = town.flash_arguments(bootloader.url, "--json", "--no-wait")
    seen = await asyncio.to_thread(
        subprocess.run,
        [*STRACE, *town.command("-vv", *flash)],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(seen.stdout)
    assert (told["node"], told["chip"], told["is_new"]) == (NODE, "ESP32", True)
    files = on_flash(Chip(bootloader.url).file_system()[1])
    config = json.loads(files["config.json"])
    secrets = [config["broker"]["password"], config["setup_code"], config["wifi"][0]["password"]]
    shown = seen.stdout + seen.stderr + (town.folder / "gateway" / "estate.toml").read_text()
    for secret in secrets:
        assert len(secret) >= 8
        assert secret not in shown
    code = town.gateway.data / "credentials" / f"{NODE}.setup"
    assert code.read_text().strip() == config["setup_code"]
    assert code.stat().st_mode & 0o777 == 0o600
    assert not files_with(config["broker"]["password"], tmp_path), "the board alone has it"


def files_with(text: str, folder: Path) -> list[Path]:
    """The files that hold it, but for the logs of servers."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".log"]
    return [file for file in files if text.encode() in file.read_bytes()]
