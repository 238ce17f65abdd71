"""The token by which a command on this machine proves to the service that it may have things done.

It lies in the data folder, for its owner alone: who may read that folder may do everything anyway.
"""

import hmac
import secrets
from pathlib import Path
from typing import Final

from gateway.atomic_file import read_private, write_atomically
from ingest.errors import ConfigurationError

FILE_NAME: Final = "api.token"


def keep_token(data: Path) -> str:
    """The token of this data folder, made where there is none. Raises `ConfigurationError`."""
    file = data / FILE_NAME
    if not file.exists():
        write_atomically(file, secrets.token_urlsafe(32).encode() + b"\n")
    return read_token(data)


def read_token(data: Path) -> str:
    """The token that the running service made. Raises `ConfigurationError`."""
    token = read_private(data / FILE_NAME).decode("ascii", errors="replace").strip()
    if len(token) < 32:
        raise ConfigurationError(f"{data / FILE_NAME} holds no token; remove it and restart")
    return token


def is_bearer(header: str | None, token: str) -> bool:
    """Whether an `Authorization` header carries this token (RFC 6750)."""
    scheme, _, given = (header or "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return scheme.lower() == "bearer" and same
