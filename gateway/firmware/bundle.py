"""The form of a firmware bundle: made, taken apart, checked. Bytes only: no files, no keys.

A bundle is `PRB1`, the manifest's length (u32, little-endian), the manifest, an Ed25519 signature
(64 bytes, zero before it is signed), and the files in the manifest's order. `docs/firmware.md`
tells what the lines of a manifest mean; `firmware/node/update_check.py` reads the same bytes.
"""

import hashlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingest.errors import PermanentError

SUFFIX: Final = ".bundle"
SIGNATURE_SIZE: Final = 64
UNSIGNED: Final = bytes(SIGNATURE_SIZE)
MANIFEST_MAX: Final = 16_384
SIZE_MAX: Final = 1_048_576
"""What a node takes; see `_SIZE_MAX` of its `update`."""

_MAGIC: Final = b"PRB1"
_HEAD: Final = struct.Struct("<4sI")
_CONTEXT: Final = b"preau firmware manifest 1\x00"
_PATH: Final = re.compile(r"(?:[a-z0-9_]+/)?[a-z0-9_]+\.mpy")
_VERSION: Final = re.compile(r"(?:0|[1-9]\d{0,4})(?:\.(?:0|[1-9]\d{0,4})){2}")
_FAMILY: Final = re.compile(r"[a-z0-9_]{1,16}")


class BundleError(PermanentError):
    """What is given is no firmware bundle, or can't become one; the text says why."""


class Formats(NamedTuple):
    """Of something on a node's flash: the oldest format that is read, and the one written."""

    oldest: int
    written: int


@dataclass(frozen=True, slots=True)
class Release:
    """What a manifest says besides its files. `mpy` is the version of the byte code."""

    version: str
    family: str
    mpy: int
    outbox: Formats
    settings: Formats
    force: bool = False
    """Whether nodes with a newer version take it."""

    def __post_init__(self) -> None:
        if not _VERSION.fullmatch(self.version):
            raise BundleError(f"version {self.version!r} is not three numbers such as 1.4.0")
        if not _FAMILY.fullmatch(self.family):
            raise BundleError(f"family {self.family!r} is not 1 to 16 of a-z, 0-9 and _")

    @property
    def number(self) -> tuple[int, ...]:
        """The version to be compared with others."""
        return tuple(map(int, self.version.split(".")))

    @property
    def name(self) -> str:
        """What its bundle's file is called."""
        return f"preau-{self.family}-{self.version}{'-force' if self.force else ''}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle taken apart; what its manifest says of the files holds."""

    release: Release
    manifest: bytes
    signature: bytes
    files: Mapping[str, bytes]

    @property
    def is_signed(self) -> bool:
        """Whether there is a signature; whose is not looked at."""
        return self.signature != UNSIGNED

    def encoded(self) -> bytes:
        """The bundle's bytes."""
        head = _HEAD.pack(_MAGIC, len(self.manifest))
        return b"".join((head, self.manifest, self.signature, *self.files.values()))


def signed_message(manifest: bytes) -> bytes:
    """What the key signs: a constant, so that nothing else can pass for a manifest, and SHA-256."""
    return _CONTEXT + hashlib.sha256(manifest).digest()


def make_bundle(release: Release, files: Mapping[str, bytes]) -> Bundle:
    """An unsigned bundle of these files, the same bytes whenever they are the same.

    Raises `BundleError` for a path that a node would refuse, and for what is too big.
    """
    ordered = {name: files[name] for name in sorted(files)}
    for name, content in ordered.items():
        _check_file(name, content)
    manifest = "\n".join([*_lines(release), *_file_lines(ordered)]) + "\n"
    bundle = Bundle(release, manifest.encode(), UNSIGNED, ordered)
    size = len(bundle.encoded())
    if len(bundle.manifest) > MANIFEST_MAX or size > SIZE_MAX:
        raise BundleError(f"{size} bytes, nodes take {SIZE_MAX}")
    return bundle


def read_bundle(data: bytes) -> Bundle:
    """Take a bundle apart. Raises `BundleError` where manifest and files don't agree."""
    if len(data) < _HEAD.size:
        raise BundleError("no firmware bundle: too short")
    magic, size = _HEAD.unpack_from(data)
    start = _HEAD.size + size + SIGNATURE_SIZE
    if magic != _MAGIC or size > MANIFEST_MAX or len(data) < start:
        raise BundleError("no firmware bundle")
    manifest = data[_HEAD.size : _HEAD.size + size]
    try:
        facts, entries = _parsed(manifest)
        release = _release(facts)
    except (ValueError, KeyError, IndexError) as error:
        raise BundleError(f"the manifest can't be read: {error!r}") from error
    files = {}
    for name, length, sha256 in entries:
        content = data[start : start + length]
        start += length
        _check_file(name, content)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BundleError(f"{name} does not have the SHA-256 of the manifest")
        files[name] = content
    if start != len(data) or list(files) != sorted(files) or len(files) != len(entries):
        raise BundleError("the files are not those of the manifest")
    signature = data[_HEAD.size + size : _HEAD.size + size + SIGNATURE_SIZE]
    return Bundle(release, manifest, signature, files)


def _check_file(name: str, content: bytes) -> None:
    if not _PATH.fullmatch(name):
        raise BundleError(f"path {name!r}: nodes take name.mpy and folder/name.mpy only")
    if not content:
        raise BundleError(f"{name} is empty")


def _lines(release: Release) -> list[str]:
    return [
        "preau-firmware 1",
        f"version {release.version}",
        f"family {release.family}",
        f"mpy {release.mpy}",
        f"outbox {release.outbox.oldest} {release.outbox.written}",
        f"settings {release.settings.oldest} {release.settings.written}",
        *(["force yes"] if release.force else []),
    ]


def _file_lines(files: Mapping[str, bytes]) -> list[str]:
    return [
        f"file {name} {len(content)} {hashlib.sha256(content).hexdigest()}"
        for name, content in files.items()
    ]


def _parsed(manifest: bytes) -> tuple[dict[str, list[str]], list[tuple[str, int, str]]]:
    facts: dict[str, list[str]] = {}
    entries = []
    for line in manifest.decode("ascii").splitlines():
        key, *words = line.split(" ")
        if key == "file":
            name, length, sha256 = words
            entries.append((name, int(length), sha256))
        else:
            facts[key] = words
    return facts, entries


def _release(facts: Mapping[str, list[str]]) -> Release:
    if facts["preau-firmware"] != ["1"]:
        raise ValueError("a manifest of another kind")
    return Release(
        version=facts["version"][0],
        family=facts["family"][0],
        mpy=int(facts["mpy"][0]),
        outbox=Formats(*map(int, facts["outbox"])),
        settings=Formats(*map(int, facts["settings"])),
        force=facts.get("force") == ["yes"],
    )
