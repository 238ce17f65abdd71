"""Passwords as Mosquitto's password file keeps them: `$7$<rounds>$<salt>$<hash>`.

PBKDF2 with SHA-512 (RFC 8018 §5.2), salt and hash in base64. It knows no files.
"""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

ROUNDS: Final = 101
"""As `mosquitto_passwd` has it. More would protect words that can be guessed; 128 random bits can't
be, and a reload checks the password of every connected client again: at 210,000 rounds 100 clients
take 14 s."""
_SALT_BYTES: Final = 12
_HASH_BYTES: Final = 64
_PASSWORD: Final = re.compile(r"[0-9a-f]{32}")
_HASH: Final = re.compile(r"\$7\$([1-9][0-9]{0,8})\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)")


def new_password() -> str:
    """128 random bits as 32 hex digits, which no configuration file has to quote."""
    return secrets.token_hex(16)


def is_password(text: str) -> bool:
    """Whether `text` is one that `new_password` could have made."""
    return _PASSWORD.fullmatch(text) is not None


def hash_password(password: str) -> str:
    """The password's hash, with a salt of its own."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"$7${ROUNDS}${_base64(salt)}${_base64(_derived(password, salt, ROUNDS))}"


def is_hash(text: str) -> bool:
    """Whether `text` is a hash of this form."""
    return _HASH.fullmatch(text) is not None


def matches(password: str, hashed: str) -> bool:
    """Whether `hashed` was made of `password`; false where it is no hash of this form."""
    found = _HASH.fullmatch(hashed)
    if found is None:
        return False
    try:
        salt, expected = base64.b64decode(found[2]), base64.b64decode(found[3])
    except ValueError:
        return False
    return hmac.compare_digest(_derived(password, salt, int(found[1])), expected)


def _derived(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, _HASH_BYTES)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
