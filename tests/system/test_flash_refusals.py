"""What is wrong with a board, an image or the estate: one line each, and nothing is written."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from esptool.targets import CHIP_DEFS

from firmware.flasher.account import TownAccounts
from firmware.flasher.board_state import KeptStates
from firmware.flasher.commands.node_flash import Work, flash_batch
from firmware.flasher.errors import BrokenLinkError, FlashError
from firmware.flasher.estate_entry import EstateEntry
from firmware.flasher.filesystem import make_file_system, read_file_system
from firmware.flasher.flashing import Flashed, Flasher
from firmware.flasher.node_files import Surroundings
from firmware.flasher.serial_board import Part, SerialBoard
from firmware.flasher.serial_ports import Port
from firmware.flasher.telling import Teller
from gateway.mqtt.address import BrokerAddress
from gateway.settings import load_settings
from ingest.errors import ConfigurationError
from tests.bootloader import Bootloader
from tests.micropython_image import micropython_image, with_vfs
from tests.node_outbox import outbox_with
from tests.servers import free_port, running

NODE = "240ac4e29526"
ESTATE = """\
[[site]]
id = "ferry"
name = "Ferry"
[[site.building]]
id = "main"
name = "Main"
[[site.building.room]]
id = "cp-a"
name = "CP A"
"""
ESP32 = CHIP_DEFS["esp32"]
# Never given to a program that asks for any free port.
NOBODY = "socket://127.0.0.1:1"


class Bench:
    """Where boards are flashed, without a broker: accounts are files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.accounts = folder / "mosquitto"
        self.accounts.mkdir()
        self.estate = folder / "estate.toml"
        self.estate.write_text(ESTATE)
        self.image = folder / "MicroPython.bin"
        self.image.write_bytes(micropython_image())

    def flasher(self, *, room: str | None = None, discard: bool = False, **files: bytes) -> Flasher:
        settings = load_settings(None, {"estate": {"file": self.estate}})
        return Flasher(
            program={"main.py": b"import app", **files},
            wishes={},
            town=Surroundings(({"ssid": "preau", "password": None},), "broker.example", 1883, {}),
            broker=BrokerAddress("127.0.0.1", free_port()),
            accounts=TownAccounts(self.accounts, None),
            entry=EstateEntry.wanted(settings, room),
            kept=KeptStates(self.folder / "boards"),
            credentials=self.folder / "credentials",
            images=[self.image],
            pinned=[],
            discard=discard,
            teller=Teller(io.StringIO()),
        )

    def flash(self, server: Bootloader, flasher: Flasher | None = None) -> Flashed:
        with SerialBoard.connected(server.url) as board:
            return (flasher or self.flasher()).flash(board)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@contextmanager
def chip(folder: Path, name: str = "esp32", **traits) -> Iterator[Bootloader]:
    with running(Bootloader(folder, name, **traits)) as server:
        assert isinstance(server, Bootloader)
        yield server


def put(server: Bootloader, *parts: Part) -> None:
    """Write to the flash, as whoever had the board before."""
    with SerialBoard.connected(server.url) as board:
        board.write(parts, lambda _done, _total: None, lambda: None)


def is_blank(server: Bootloader) -> bool:
    with SerialBoard.connected(server.url) as board:
        return all(board.read(at, 4096) == b"\xff" * 4096 for at in (0, 0x1000, 0x8000, 0x200000))


def assert_refused(bench: Bench, server: Bootloader, because: str) -> None:
    """In one line, with the board and the estate as they were."""
    with pytest.raises(FlashError, match=because) as refused:
        bench.flash(server)
    assert "\n" not in str(refused.value)
    assert is_blank(server)
    assert bench.estate.read_text() == ESTATE


@pytest.mark.parametrize(
    ("name", "image_id", "offset"),
    [
        ("esp32", 0, 0x1000),
        ("esp32s2", 2, 0x1000),
        ("esp32c3", 5, 0),
        ("esp32s3", 9, 0),
        ("esp32c6", 13, 0),
    ],
)
def test_each_chip_gets_its_image_where_its_rom_looks_for_it(
    bench, tmp_path, name, image_id, offset
):
    image = micropython_image(image_id, offset)
    bench.image.write_bytes(image)
    with chip(tmp_path, name) as server:
        flashed = bench.flash(server)
        assert flashed.chip.replace("-", "").lower() == name
        with SerialBoard.connected(server.url) as board:
            assert board.read(offset, len(image)) == image
            assert board.read(0x200000 + 8, 8) == b"littlefs"
    assert f'id = "{flashed.node}"' in bench.estate.read_text()


def test_an_image_for_another_chip_is_refused(bench, tmp_path):
    bench.image.write_bytes(micropython_image(9, 0))
    with chip(tmp_path) as server:
        assert_refused(bench, server, "the board has an ESP32, and .* is for ESP32-S3")


def test_of_several_images_the_one_for_the_chip_is_taken(bench, tmp_path):
    other = tmp_path / "other.bin"
    other.write_bytes(micropython_image(9, 0, banner=b"MicroPython v1.27.0 on 2025-12-01"))
    flasher = bench.flasher()
    object.__setattr__(flasher, "images", [other, bench.image])
    with chip(tmp_path) as server:
        assert bench.flash(server, flasher).micropython == "v1.28.0"


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"\x7fELF" + bytes(0x40000), "is no image for an ESP32"),
        (b"\xe9", "is no image for an ESP32"),
        (micropython_image(banner=b"Arduino"), "is no MicroPython"),
        (micropython_image(banner=b"MicroPython v1.20.0 on 2023-04-26"), "is MicroPython v1.20.0"),
        (micropython_image(77), "is for a chip with id 77"),
        (micropython_image(partitions=()), "holds no partition table"),
    ],
)
def test_what_is_no_micropython_for_it_is_refused(bench, tmp_path, content, because):
    bench.image.write_bytes(content)
    with chip(tmp_path) as server:
        assert_refused(bench, server, because)


def test_without_image_it_is_told_where_to_get_one(bench, tmp_path):
    flasher = bench.flasher()
    object.__setattr__(flasher, "images", [])
    with (
        chip(tmp_path) as server,
        pytest.raises(FlashError, match="no MicroPython for ESP32 is at hand: fetch its"),
    ):
        bench.flash(server, flasher)


@pytest.mark.parametrize("size_id", [0x14, 0x15])
def test_too_small_a_flash_is_refused(bench, tmp_path, size_id):
    with chip(tmp_path, flash_id=size_id << 16 | 0x4020) as server:
        assert_refused(bench, server, "flash")


def test_a_program_that_does_not_fit_is_refused_before_anything_is_written(bench, tmp_path):
    with chip(tmp_path) as server:
        with pytest.raises(FlashError, match="can't hold 3 files"):
            bench.flash(server, bench.flasher(app=bytes(2_100_000)))
        assert is_blank(server)
        assert bench.estate.read_text() == ESTATE


@pytest.mark.parametrize(
    ("register", "value", "what"),
    [
        (ESP32.EFUSE_SPI_BOOT_CRYPT_CNT_REG, 1 << 20, "flash encryption"),
        (ESP32.EFUSE_RD_ABS_DONE_REG, ESP32.EFUSE_RD_ABS_DONE_0_MASK, "secure boot"),
    ],
)
def test_a_chip_whose_fuses_are_set_against_us_is_refused(bench, tmp_path, register, value, what):
    with chip(tmp_path, registers={register: value}) as server:
        with pytest.raises(FlashError, match=f"has {what} burnt into it") as refused:
            bench.flash(server)
        assert not isinstance(refused.value, BrokenLinkError)


def test_a_chip_of_another_kind_is_refused(bench, tmp_path):
    with chip(tmp_path, "esp32h2") as server, pytest.raises(FlashError, match="has an ESP32-H2"):
        bench.flash(server)


def test_where_nothing_answers_it_says_which_button_to_hold(bench, tmp_path):
    with (
        pytest.raises(BrokenLinkError, match=r"no board answers on .*hold its BOOT button") as told,
        SerialBoard.connected(NOBODY),
    ):
        pass
    assert "\n" not in str(told.value)


def test_a_file_system_that_the_table_names_lies_where_the_table_says(bench, tmp_path):
    bench.image.write_bytes(micropython_image(partitions=with_vfs()))
    # 8 MiB of flash, of which this build uses 4.
    with chip(tmp_path, flash_id=0x0017_4020) as server:
        assert bench.flash(server).flash_bytes == 8 * 1024 * 1024
        with SerialBoard.connected(server.url) as board:
            blocks = board.read(0x200000, 8192)
    # The superblock's count of blocks: 512 of 4 KiB.
    assert (4096).to_bytes(4, "little") + (512).to_bytes(4, "little") in blocks


def test_a_room_that_is_not_there_is_told_before_a_board_is_looked_at(bench):
    with pytest.raises(ConfigurationError, match="did you mean ferry/cp-a"):
        bench.flasher(room="ferry/cp-aa")


def test_a_node_out_of_service_needs_a_room(bench, tmp_path):
    removed = f'{ESTATE}[[node]]\nid = "{NODE}"\nremoved = 2026-01-01\n'
    bench.estate.write_text(removed)
    with chip(tmp_path) as server:
        with pytest.raises(ConfigurationError, match="out of service: say with --room"):
            bench.flash(server)
        assert is_blank(server)
        assert bench.flash(server, bench.flasher(room="ferry/cp-a")).estate.startswith(
            "is in ferry"
        )


def test_readings_that_nobody_takes_stop_it_unless_they_are_given_up(bench, tmp_path):
    with chip(tmp_path) as server:
        bench.flash(server)
        keep_a_pack(bench, server, tmp_path)
        before = _file_system(server)
        with pytest.raises(FlashError, match="does not let 240ac4e29526 in"):
            bench.flash(server)
        assert _file_system(server) == before
        assert bench.flash(server, bench.flasher(discard=True)).handed_over == 0


def test_a_file_system_that_can_t_be_read_is_given_up_only_when_told(bench, tmp_path):
    with chip(tmp_path) as server:
        bench.flash(server)
        put(server, Part(0x200000, b"\xff" * 8 + b"littlefs" + b"\xff" * 4080 + b"\xff" * 4096))
        with pytest.raises(FlashError, match=r"damaged.*--discard gives it up"):
            bench.flash(server)
        assert bench.flash(server, bench.flasher(discard=True)).node == NODE


def test_a_board_with_another_program_is_overwritten(bench, tmp_path):
    others = make_file_system({"main.py": b"print('mine')", "config.json": b'{"a": 1}'}, 0x200000)
    with chip(tmp_path) as server:
        put(server, Part(0x1000, micropython_image()), Part(0x200000, others))
        assert bench.flash(server).is_new


def test_a_board_of_a_batch_that_fails_stops_no_other(bench, tmp_path, capsys):
    c3 = tmp_path / "c3.bin"
    c3.write_bytes(micropython_image(5, 0))
    flasher = bench.flasher()
    object.__setattr__(flasher, "images", [bench.image, c3])
    with chip(tmp_path) as one, chip(tmp_path, "esp32c3") as other:
        seen = iter([[one.url], [one.url, NOBODY, other.url]])

        def ports() -> list[Port]:
            if (now := next(seen, None)) is None:
                raise KeyboardInterrupt
            return [Port(url, "") for url in now]

        work = Work(flasher, None, 1, flasher.teller, as_json=False)
        assert flash_batch(work, ports) == 1
    assert f"preau: {NOBODY}: no board answers" in capsys.readouterr().err
    assert bench.estate.read_text().count("[[node]]") == 2


def _file_system(server: Bootloader) -> bytes:
    with SerialBoard.connected(server.url) as board:
        return board.read(0x200000, 16 * 4096)


def keep_a_pack(bench: Bench, server: Bootloader, folder: Path) -> None:
    """Have the board hold a pack that was never sent."""
    with SerialBoard.connected(server.url) as board:
        files = read_file_system(lambda at, size: board.read(0x200000 + at, size), 0x200000)
    assert files is not None
    system = make_file_system(files | outbox_with(folder, packs=3), 0x200000)
    put(server, Part(0x200000, system))
