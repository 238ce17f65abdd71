"""The node's password at the broker while it is being changed. Loaded for that and dropped.

`passwords.json` holds the new one first, then those that were in force before it, under a checksum.
It is there until the gateway has answered under the new one; only then `config.json` is changed and
the file goes. So whatever is cut off when, and whichever of them the broker takes, one of them
works. None of them is ever noted or said.
"""

import binascii
import json
import os

from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from link import Link
    from node_types import Json
    from settings import Settings

FILE = "passwords.json"
_CONFIG = "config.json"
_KEPT = const(3)


def _read() -> list[str]:
    try:
        with open(FILE) as file:
            text, crc = file.read().split("\n")[:2]
        if int(crc, 16) == binascii.crc32(text.encode()):
            return json.loads(text)  # type: ignore[no-any-return]
    except (OSError, ValueError):
        pass  # None is being changed, or the file is damaged: what is configured may still work.
    return []


def _write(path: str, text: str) -> None:
    with open(path + ".new", "w") as file:
        file.write(text)
        file.flush()
    os.rename(path + ".new", path)


def known(configured: str | None) -> Sequence[str | None]:
    """The passwords to be tried, in their order; `configured` is what `config.json` has."""
    passwords = _read()
    # Another one was configured since: the file is of the past.
    return passwords if configured in passwords else [configured]


def take(link: Link, password: object) -> Json:
    """Keeps the new password beside the one in use; what the reply says besides: whether the broker
    has taken it already. Raises ValueError with why it is not taken.
    """
    if not link.broker.get("tls"):
        raise ValueError("a password is taken over TLS only")
    if not isinstance(password, str) or len(password) != 32 or password.strip("0123456789abcdef"):
        raise ValueError("password is not 32 hex digits")
    if password == link.password:
        return {"state": "in_use"}
    kept = [password, link.password]
    # A change that was begun and not ended: the broker may know that one by now.
    kept.extend(other for other in _read() if other not in kept[:2])
    text = json.dumps(kept[:_KEPT])
    try:
        _write(FILE, "{}\n{:08x}\n".format(text, binascii.crc32(text.encode())))
    except OSError as error:
        raise ValueError("flash: {}".format(error))
    return {"state": "kept"}


def settle(settings: Settings) -> None:
    """Makes the new password the only one, in `config.json` and in `settings`."""
    passwords = _read()
    with open(_CONFIG) as file:
        config = json.loads(file.read())
    _replace([config.get("broker", {})], passwords)
    _replace(config.get("brokers", ()), passwords)
    _write(_CONFIG, json.dumps(config))
    os.remove(FILE)
    _replace(settings.brokers, passwords)
    note("password: changed")


def _replace(brokers: list[Json], passwords: list[str]) -> None:
    for broker in brokers:
        if broker.get("password") in passwords:
            broker["password"] = passwords[0]
