"""Ed25519 by `cryptography`: keys made and read, manifests signed and verified.

It knows neither folders nor bundles. Loaded when it is needed: the service hardly ever does.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


def new_key() -> tuple[bytes, bytes]:
    """A new private key as PEM, and its public half, 32 bytes."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, key.public_key().public_bytes_raw()


def sign(pem: bytes, message: bytes) -> tuple[bytes, bytes]:
    """The signature by a private key, and the public half of that key. Raises `ValueError`."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ValueError("it is locked with a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("it is no Ed25519 key")  # noqa: TRY004 - what a file holds
    return key.sign(message), key.public_key().public_bytes_raw()


def verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature over `message` is of that public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True
