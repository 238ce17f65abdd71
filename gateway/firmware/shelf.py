"""The bundles that lie in the data folder: what is built and signed, what nodes may fetch."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.atomic_file import PUBLIC, make_folder, write_atomically
from gateway.firmware.bundle import SIZE_MAX, SUFFIX, Bundle, BundleError, read_bundle
from gateway.firmware.keys import FirmwareKeys
from ingest.errors import ConfigurationError

_NAME: Final = re.compile(rf"[a-z0-9_.-]{{1,80}}{re.escape(SUFFIX)}")


@dataclass(frozen=True, slots=True)
class Offer:
    """A bundle as the command `update` names it to a node."""

    name: str
    version: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """`firmware/` of the data folder; bundles lie in it, keys in `keys/` beside it."""

    data: Path

    @property
    def folder(self) -> Path:
        """Where the bundles lie."""
        return self.data / "firmware"

    @property
    def keys(self) -> FirmwareKeys:
        """The keys of this town."""
        return FirmwareKeys(self.data / "keys")

    def put(self, bundle: Bundle) -> Path:
        """Lay a bundle there under its name; where. Raises `ConfigurationError`."""
        make_folder(self.folder, is_private=True)
        file = self.folder / bundle.release.name
        write_atomically(file, bundle.encoded(), mode=PUBLIC)
        return file

    def names(self) -> list[str]:
        """The bundles that are there, signed or not."""
        if not self.folder.is_dir():
            return []
        return sorted(file.name for file in self.folder.iterdir() if self.file(file.name))

    def file(self, name: str) -> Path | None:
        """The file of that name, if there is one: a name, never a path."""
        if not _NAME.fullmatch(name):
            return None
        file = self.folder / name
        return file if file.is_file() and not file.is_symlink() else None

    def read(self, name: str) -> Bundle:
        """The bundle of that name. Raises `ConfigurationError` and `BundleError`."""
        return read_bundle(self._content(name))

    def offer(self, name: str) -> Offer:
        """The bundle of that name for a node, which would refuse what is not signed.

        Raises `ConfigurationError` and `BundleError`.
        """
        content = self._content(name)
        bundle = read_bundle(content)
        if not self.keys.is_signed(bundle):
            raise BundleError(f"{name} is not signed by this town: preau firmware sign {name}")
        sha256 = hashlib.sha256(content).hexdigest()
        return Offer(name, bundle.release.version, len(content), sha256)

    def _content(self, name: str) -> bytes:
        file = self.file(name)
        if file is None:
            there = ", ".join(self.names()) or "none"
            raise ConfigurationError(f"no bundle {name!r} in {self.folder}; there: {there}")
        if file.stat().st_size > SIZE_MAX:
            raise BundleError(f"{name}: {file.stat().st_size} bytes, nodes take {SIZE_MAX}")
        return file.read_bytes()
