"""The town's two Ed25519 keys for firmware: made once, kept for the owner alone, used to sign.

Every node holds both public keys. The second is a spare: its private half belongs off the
machine, so that a town whose first key is lost or stolen can still reach its nodes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

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
        pair = (Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())
        for name, key in zip((KEY, SPARE), pair, strict=True):
            write_atomically(self.folder / name, _pem(key))
        # Last: without it there are no keys, and `create` says what lies there.
        public = b"".join(_raw(key.public_key()) for key in pair)
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
        key = _load(key_file or self.folder / KEY)
        known = self.public_keys()
        if _raw(key.public_key()) not in (known[:_RAW], known[_RAW:]):
            held = self.folder / PUBLIC_KEYS
            raise ConfigurationError(f"{key_file or KEY} is neither of the two in {held}")
        signature = key.sign(signed_message(bundle.manifest))
        return Bundle(bundle.release, bundle.manifest, signature, bundle.files)

    def is_signed(self, bundle: Bundle) -> bool:
        """Whether one of the two keys has signed this bundle. Raises `ConfigurationError`."""
        known = self.public_keys()
        return any(_verifies(known[at : at + _RAW], bundle) for at in (0, _RAW))


def _verifies(public: bytes, bundle: Bundle) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            bundle.signature, signed_message(bundle.manifest)
        )
    except InvalidSignature:
        return False
    return True


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _load(file: Path) -> Ed25519PrivateKey:
    pem = read_private(file)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{file} holds no private key that can be read") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{file} holds no Ed25519 key")
    return key
