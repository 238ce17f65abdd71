"""Images that have what a flasher looks at, and don't run: header, banner, partition table."""

import hashlib
import random
import struct

_PARTITIONS = (
    (1, 2, 0x9000, 0x6000, b"nvs"),
    (1, 1, 0xF000, 0x1000, b"phy_init"),
    (0, 0, 0x10000, 0x1F0000, b"factory"),
)
VFS = (1, 0x81, 0x200000, 0x200000, b"vfs")


def micropython_image(
    image_id: int = 0,
    offset: int = 0x1000,
    *,
    banner: bytes = b"MicroPython v1.28.0 on 2026-04-09",
    partitions=_PARTITIONS,
    size: int = 0x40000,
) -> bytes:
    """An image that is written at `offset`, for the chip with this id."""
    # As a program does, it does not get much smaller by compression.
    image = bytearray(random.Random(image_id).randbytes(size))
    # esp_image_header_t: magic, segments, mode, size and speed, entry, pins, chip, revisions.
    image[:24] = struct.pack(
        "<4BI4B2HBHH3xB", 0xE9, 1, 2, 0x20, 0x4008_0000, 0xEE, 0, 0, 0, image_id, 0, 0, 0, 0xFFFF, 0
    )
    table = b"".join(
        struct.pack("<HBBII16sI", 0x50AA, kind, subtype, at, length, label, 0)
        for kind, subtype, at, length, label in partitions
    )
    table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table, usedforsecurity=False).digest()
    at = 0x8000 - offset
    image[at : at + len(table)] = table
    image[0x20000 : 0x20000 + len(banner)] = banner
    return bytes(image)


def with_vfs():
    """Partitions of older builds, which name the file system."""
    return (*_PARTITIONS, VFS)
