"""MicroPython's image for a chip, as it is published for a new board: which chip and version it is
for, and where on a flash the file system begins under it. Bytes only: no files, no board.
"""

import hashlib
import re
import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from firmware.flasher.chips import CHIPS, Chip, chip_of_image
from firmware.flasher.errors import FlashError

TABLE_OFFSET: Final = 0x8000
"""Where the partition table lies in the flash of every chip that runs MicroPython."""
TABLE_SIZE: Final = 0xC00
BLOCK: Final = 4096
MINIMUM_VERSION: Final = (1, 23)
"""The first that runs the byte code of mpy-cross 1.23 and later (version 6.3)."""

_IMAGE_MAGIC: Final = 0xE9
# Magic, then chip id at byte 12 of the header (esp_image_header_t).
_CHIP_ID: Final = struct.Struct("<H")
_CHIP_ID_AT: Final = 12
# Magic, type, subtype, offset, size, label, flags (esp_partition_info_t).
_ENTRY: Final = struct.Struct("<HBBII16sI")
_ENTRY_MAGIC: Final = 0x50AA
_CHECKSUM_MAGIC: Final = 0xEBEB
_DATA: Final = 1
# What every build prints when it starts: MICROPY_BANNER_NAME_AND_VERSION.
_BANNER: Final = re.compile(rb"MicroPython (v(\d+)\.(\d+)[^ ;\0]{0,40}) on \d{4}-\d\d-\d\d")


class Region(NamedTuple):
    """A part of the flash, in bytes."""

    offset: int
    size: int


class Partition(NamedTuple):
    """One entry of a partition table."""

    kind: int
    label: str
    region: Region


@dataclass(frozen=True, slots=True)
class MicroPythonImage:
    """An image that is what it should be. `version` is as its banner has it: `v1.28.0`."""

    content: bytes
    chip: Chip
    version: str
    partitions: tuple[Partition, ...]

    def file_system(self, flash_size: int) -> Region:
        """Where the file system lies on a flash of this size. Raises `FlashError`."""
        return file_system_region(self.partitions, flash_size)


def read_image(content: bytes, name: str) -> MicroPythonImage:
    """The image of these bytes. `name` is what messages call it. Raises `FlashError`."""
    chip = _chip_of(content, name)
    banner = _BANNER.search(content)
    if banner is None:
        raise FlashError(f"{name} is no MicroPython: nowhere in it stands which version it is")
    version, number = banner[1].decode(), (int(banner[2]), int(banner[3]))
    if number < MINIMUM_VERSION:
        wanted = ".".join(map(str, MINIMUM_VERSION))
        raise FlashError(f"{name} is MicroPython {version}; the nodes need v{wanted} or later")
    at = TABLE_OFFSET - chip.image_offset
    partitions = read_partitions(content[at : at + TABLE_SIZE])
    if not partitions:
        raise FlashError(
            f"{name} holds no partition table: take the image for a new board (.bin), not the one "
            "for an update (.app-bin)"
        )
    return MicroPythonImage(content, chip, version, partitions)


def read_partitions(table: bytes) -> tuple[Partition, ...]:
    """The entries of a partition table, none where it is none or damaged."""
    found: list[Partition] = []
    for at in range(0, len(table) - _ENTRY.size + 1, _ENTRY.size):
        magic, kind, _, offset, size, label, _ = _ENTRY.unpack_from(table, at)
        if magic == _CHECKSUM_MAGIC:
            is_whole = (
                hashlib.md5(table[:at], usedforsecurity=False).digest()
                == (table[at + 16 : at + 32])
            )
            return tuple(found) if is_whole else ()
        if magic != _ENTRY_MAGIC:
            break
        text = label.split(b"\0")[0].decode("ascii", "replace")
        found.append(Partition(kind, text, Region(offset, size)))
    return tuple(found)


def file_system_region(partitions: tuple[Partition, ...], flash_size: int) -> Region:
    """Where MicroPython finds its file system: the partition `vfs`, or, in builds whose table has
    none, what lies between the last partition and the end of the flash.

    Raises `FlashError` where the flash is too small for the partitions.
    """
    end = max(partition.region.offset + partition.region.size for partition in partitions)
    if end > flash_size:
        raise FlashError(
            f"the flash has {_mib(flash_size)}, and this MicroPython needs {_mib(end)}: "
            "take a build for a smaller flash, or another board"
        )
    for partition in partitions:
        if partition.kind == _DATA and partition.label == "vfs":
            return partition.region
    offset = -(-end // BLOCK) * BLOCK
    return Region(offset, (flash_size - offset) // BLOCK * BLOCK)


def _chip_of(content: bytes, name: str) -> Chip:
    if len(content) < TABLE_OFFSET or content[0] != _IMAGE_MAGIC:
        raise FlashError(f"{name} is no image for an ESP32: it does not begin with 0xe9")
    (image_id,) = _CHIP_ID.unpack_from(content, _CHIP_ID_AT)
    chip = chip_of_image(image_id)
    if chip is None:
        known = ", ".join(chip.name for chip in CHIPS)
        raise FlashError(f"{name} is for a chip with id {image_id}; nodes are made of {known}")
    return chip


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:.3g} MiB"
