"""File systems that are made here run in MicroPython, and what it has written is read here."""

import subprocess
from pathlib import Path

import pytest

from firmware.flasher.errors import BrokenLinkError, FlashError
from firmware.flasher.filesystem import (
    DamagedFileSystemError,
    make_file_system,
    read_file_system,
)
from tests.servers import require_micropython

SIZE = 2 * 1024 * 1024
FILES = {"main.py": b"hi", "a/app.mpy": bytes(9000), "packs/done": b"\x01" * 100}
WRITE = """
import vfs
class Flash:
    def __init__(self):
        self.file = open("flash.bin", "r+b")
    def readblocks(self, block, buf, offset=0):
        self.file.seek(block * 4096 + offset)
        self.file.readinto(buf)
    def writeblocks(self, block, buf, offset=0):
        self.file.seek(block * 4096 + offset)
        self.file.write(buf)
    def ioctl(self, op, arg):
        return {4: 512, 5: 4096}.get(op, 0)
flash = Flash()
vfs.mount(vfs.VfsLfs2(flash), "/flash")
print(len(open("/flash/a/app.mpy", "rb").read()), open("/flash/main.py").read())
with open("/flash/boots", "w") as file:
    file.write("1")
with open("/flash/packs/done", "wb") as file:
    file.write(b"2" * 117)
flash.file.close()
"""


def read(image: bytes) -> dict[str, bytes] | None:
    return read_file_system(lambda at, size: image[at : at + size], len(image))


def test_micropython_mounts_it_and_what_it_writes_is_read(tmp_path: Path) -> None:
    image = make_file_system(FILES, SIZE)
    assert len(image) == SIZE
    (tmp_path / "flash.bin").write_bytes(image)
    done = subprocess.run(
        [require_micropython(), "-c", WRITE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "9000 hi\n"
    written = read((tmp_path / "flash.bin").read_bytes())
    assert written == FILES | {"boots": b"1", "packs/done": b"2" * 117}


def test_it_is_read_as_it_was_made() -> None:
    assert read(make_file_system(FILES, SIZE)) == FILES


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(FlashError, match="of 64 KiB can't hold 1 files of 97 KiB"):
        make_file_system({"large": bytes(100_000)}, 64 * 1024)


def test_a_blank_flash_has_none_and_a_damaged_one_is_told() -> None:
    assert read(b"\xff" * SIZE) is None
    image = bytearray(make_file_system(FILES, SIZE))
    for block in (0, 4096):
        image[block + 24 : block + 4096] = b"\xff" * 4072
    with pytest.raises(DamagedFileSystemError):
        read(bytes(image))


def test_a_line_that_breaks_while_it_is_read_is_told_as_such() -> None:
    image = make_file_system(FILES, SIZE)

    def breaking(at: int, size: int) -> bytes:
        if at >= 8192:
            raise BrokenLinkError("gone")
        return image[at : at + size]

    with pytest.raises(BrokenLinkError, match="gone"):
        read_file_system(breaking, SIZE)
