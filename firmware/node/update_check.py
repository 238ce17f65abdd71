"""Checks a bundle before a byte of it is used: the signature over its manifest, whom it is for,
every path, size and hash.

A bundle is `PRB1`, the manifest's length (u32, little-endian), the manifest, its Ed25519 signature,
and the files in the manifest's order. What is wrong is a ValueError with the reason.
"""

import hashlib
import os
import struct
import sys

import release
import seldom
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

KEYS = "firmware.keys"
_MAGIC = const(b"PRB1")
_MANIFEST_MAX = const(16_384)
_PIECE = const(512)
# So that nothing else the key may sign can pass for a manifest.
_SIGNED = const(b"preau firmware manifest 1\x00")
_NAME = const("abcdefghijklmnopqrstuvwxyz0123456789_")


def check(sha256: str, path: str, version: str) -> int:
    """How many bytes of flash the files will take. Raises ValueError, and OSError for the flash."""
    with open(path, "rb") as file:
        if _hash(file, None).hex() != sha256:
            raise ValueError("the bundle's SHA-256 is not the one announced")
        file.seek(0)
        size = manifest_size(file)
        _check_signature(file, size)
        file.seek(8)
        facts = _facts(file, 8 + size)
        _check_facts(facts, version)
        return _check_files(file, path, size)


def manifest_size(file: BinaryIO) -> int:
    """The manifest's length; the file is then at its first byte."""
    head = file.read(8)
    size = struct.unpack("<I", head[4:])[0] if len(head) == 8 else 0
    if head[:4] != _MAGIC or not 0 < size <= _MANIFEST_MAX:
        raise ValueError("no firmware bundle")
    return size


def _hash(file: BinaryIO, size: int | None) -> bytes:
    """SHA-256 of the next `size` bytes, or of all that follow."""
    sha = hashlib.sha256()
    while size is None or size > 0:
        piece = file.read(_PIECE if size is None else min(_PIECE, size))
        if not piece:
            break
        sha.update(piece)
        if size is not None:
            size -= len(piece)
    return sha.digest()  # type: ignore[no-any-return]


def _check_signature(file: BinaryIO, size: int) -> None:
    message = _SIGNED + _hash(file, size)
    signature = file.read(64)
    with open(KEYS, "rb") as keys_file:
        keys = keys_file.read(64)
    ed25519 = seldom.load("ed25519")
    if not any(ed25519.verify(keys[at : at + 32], message, signature) for at in (0, 32)):
        raise ValueError("the manifest is signed by no key of this node")


def _facts(file: BinaryIO, end: int) -> dict[str, list[str]]:
    """What the manifest says besides its files."""
    facts: dict[str, list[str]] = {}
    while file.tell() < end:
        words = file.readline().decode().split()
        if words and words[0] != "file":
            facts[words[0]] = words[1:]
    return facts


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _check_facts(facts: dict[str, list[str]], announced: str) -> None:
    if facts.get("preau-firmware") != ["1"]:
        raise ValueError("a manifest of another kind: {}".format(facts.get("preau-firmware")))
    version = facts["version"][0]
    if version != announced:
        raise ValueError("version {}, announced was {}".format(version, announced))
    if facts["family"] != [release.FAMILY]:
        raise ValueError("for {}, this is {}".format(facts["family"][0], release.FAMILY))
    # The lower byte is the version of the byte code; the rest concerns native code, which is not.
    abi = getattr(sys.implementation, "_mpy", 0) & 0xFF
    if facts["mpy"] != [str(abi)]:
        raise ValueError("compiled for .mpy {}, this is {}".format(facts["mpy"][0], abi))
    if _numbers(version) <= _numbers(release.FIRMWARE) and facts.get("force") != ["yes"]:
        raise ValueError("{} is not newer than {}".format(version, release.FIRMWARE))
    for name, found in seldom.load("formats").on_flash().items():
        low, high = facts[name]
        for here in found:
            if not int(low) <= here <= int(high):
                raise ValueError("reads {} {} to {}, here is {}".format(name, low, high, here))


def entries(file: BinaryIO, end: int) -> Iterator[tuple[str, int, str]]:
    """(name, size, SHA-256 in hex) of each file, the manifest being read up to `end`."""
    while file.tell() < end:
        words = file.readline().decode().split()
        if words and words[0] == "file":
            yield words[1], int(words[2]), words[3]


def is_inside(name: str) -> bool:
    """Whether `name` is `name.mpy` or `folder/name.mpy`, and so stays in its folder."""
    if not name.endswith(".mpy"):
        return False
    parts = name[:-4].split("/")
    return len(parts) <= 2 and all(part and all(c in _NAME for c in part) for part in parts)


def _check_files(file: BinaryIO, path: str, size: int) -> int:
    room = 0
    last = ""
    at = 8 + size + 64
    file.seek(8)
    with open(path, "rb") as data:
        data.seek(at)
        for name, length, sha256 in entries(file, 8 + size):
            # In order, so that none is there twice.
            if not is_inside(name) or name <= last:
                raise ValueError("path {!r} is not allowed".format(name))
            last = name
            if length <= 0 or _hash(data, length).hex() != sha256:
                raise ValueError("{} does not have the manifest's SHA-256".format(name))
            at += length
            room += (length + 4095) // 4096 * 4096
    if at != os.stat(path)[6]:
        raise ValueError("{} bytes, by its manifest {}".format(os.stat(path)[6], at))
    return room
