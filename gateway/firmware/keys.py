"""The town's two Ed25519 keys for firmware: made once, kept for the owner alone, used to sign.

Every node holds both public keys. The second is a spare: its private half belongs off the
machine, so that a town whose first key is lost or stolen can still reach its nodes.
"""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from gateway.atomic_file import PUBLIC, make_folder, read_private, write_atomically
from gateway.firmware.bundle import Bundle, signed_message
from ingest.errors import ConfigurationError

KEY: Final = "firmware.key"
SPARE: Final = "firmware-spare.key"
PUBLIC_KEYS: Final = "firmware.keys"
"""Both public keys, 32 bytes each: as they lie on a node's flash, under the same name."""
_RAW: Final = 32


@dataclass(frozen=True, slots=True)
class FirmwareKeys:
    """The folder that holds the keys."""

    folder: Path

    @property
    def exist(self) -> bool:
        """Whether they have been made."""
        return (self.folder / PUBLIC_KEYS).exists()

    def create(self) -> None:
        """Make key and spare. Raises `ConfigurationError` where there are any: nodes that hold
        the old public keys would take nothing that the new ones sign.
        """
        if self.exist or (self.folder / KEY).exists():
            raise ConfigurationError(f"{self.folder} holds firmware keys already; they are kept")
        make_folder(self.folder, is_private=True)
        pair = [_signature().new_key() for _ in range(2)]
        for name, (pem, _) in zip((KEY, SPARE), pair, strict=True):
            write_atomically(self.folder / name, pem)
        # Last: without it there are no keys, and `create` says what lies there.
        public = b"".join(public for _, public in pair)
        write_atomically(self.folder / PUBLIC_KEYS, public, mode=PUBLIC)

    def public_keys(self) -> bytes:
        """Both, as a node holds them. Raises `ConfigurationError`."""
        file = self.folder / PUBLIC_KEYS
        try:
            data = file.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"{file} can't be read: {error.strerror}; `preau firmware keys` makes the keys"
            ) from error
        if len(data) != 2 * _RAW:
            raise ConfigurationError(f"{file} has {len(data)} bytes, two keys have {2 * _RAW}")
        return data

    def sign(self, bundle: Bundle, key_file: Path | None = None) -> Bundle:
        """The bundle with the town's signature, by `key_file` where it is not the usual key.

        Raises `ConfigurationError`, also where no node would know the key.
        """
        file = key_file or self.folder / KEY
        known = self.public_keys()
        try:
            signature, public = _signature().sign(
                read_private(file), signed_message(bundle.manifest)
            )
        except ValueError as error:
            raise ConfigurationError(f"{file} holds no key that can be used: {error}") from error
        if public not in (known[:_RAW], known[_RAW:]):
            held = self.folder / PUBLIC_KEYS
            raise ConfigurationError(f"{file} is neither of the two in {held}")
        return Bundle(bundle.release, bundle.manifest, signature, bundle.files)

    def is_signed(self, bundle: Bundle) -> bool:
        """Whether one of the two keys has signed this bundle. Raises `ConfigurationError`."""
        known, message = self.public_keys(), signed_message(bundle.manifest)
        return any(
            _signature().verifies(known[at : at + _RAW], bundle.signature, message)
            for at in (0, _RAW)
        )


def _signature() -> ModuleType:
    from gateway.firmware import signature  # noqa: PLC0415 - the service hardly ever needs it

    return signature
