"""The accounts of the broker: hashes in Mosquitto's password file, plain ones in a file for each.

A password is in the clear in one place only, `<user>.password`, until it has been handed to its
client, or `<user>.rotate` while it takes another's place. Two processes may not change accounts at
once. Whom an account belongs to it must not know.
"""

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Self

from gateway.atomic_file import read_private, remove_file, write_atomically
from gateway.mosquitto.passwords import hash_password, is_hash, is_password, new_password
from ingest.errors import ConfigurationError

PASSWORD_FILE: Final = "passwd"  # noqa: S105 - the name of a file
HANDED_OUT: Final = ".password"
CHANGING: Final = ".rotate"
"""How the file ends of a password that is on its way to its node: see `gateway.rotation`."""
_USER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Changes(NamedTuple):
    """Users that got an account, and users that lost theirs."""

    added: list[str]
    removed: list[str]


@dataclass(slots=True)
class Accounts:
    """Accounts as they are being changed; nothing is in force before `save`."""

    file: Path
    credentials: Path
    hashes: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def changing(cls, folder: Path, credentials: Path) -> Iterator[Self]:
        """The accounts in `folder`, which must exist, until the end held against other processes.

        `credentials` is the folder of the plain passwords. Raises `ConfigurationError`.
        """
        file = folder / PASSWORD_FILE
        with _held(folder):
            yield cls(file, credentials, _read(file))

    def sync(self, users: Iterable[str]) -> Changes:
        """Have exactly `users`: passwords that are there stay, and who is not among them goes."""
        wanted = list(dict.fromkeys(users))
        changes = Changes(
            added=[user for user in wanted if user not in self.hashes],
            removed=[user for user in self.hashes if user not in set(wanted)],
        )
        for user in changes.removed:
            del self.hashes[user]
        for user in changes.added:
            self.set_password(user, self._handed_out(user))
        return changes

    def set_password(self, user: str, password: str) -> None:
        """Let `user` in with `password` from now on, and with no other."""
        self.hashes[user] = hash_password(password)

    def save(self) -> None:
        """Write the password file; only then do those go whose account is gone."""
        lines = "".join(f"{user}:{hashed}\n" for user, hashed in self.hashes.items())
        write_atomically(self.file, lines.encode())
        for kind in (HANDED_OUT, CHANGING):
            for file in self.credentials.glob(f"*{kind}"):
                if file.stem not in self.hashes:
                    remove_file(file)

    def password_file(self, user: str) -> Path:
        """Where the plain password of `user` lies, while it does."""
        return self.credentials / f"{user}{HANDED_OUT}"

    def _handed_out(self, user: str) -> str:
        """The password that waits in the file of `user`, else a new one that is put there."""
        file = self.password_file(user)
        if not file.exists():
            password = new_password()
            write_atomically(file, f"{password}\n".encode())
            return password
        # Written before the password file was: its client may have it already.
        password = read_private(file).decode("ascii", "replace").strip()
        if not is_password(password):
            raise ConfigurationError(
                f"{file} holds no password of 32 hex digits; remove it, and a new one is made"
            )
        return password


def require_user_name(user: str) -> str:
    """`user`, if it can be the name of an account; else `ConfigurationError`."""
    if not _USER.fullmatch(user):
        raise ConfigurationError(f"account {user!r}: must be 1 to 63 small letters, digits and '-'")
    return user


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError(f"{folder} can't be used: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    hashes = {}
    text = read_private(file).decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), start=1):
        user, colon, hashed = line.partition(":")
        # The content is not shown: it may be a password that somebody wrote there in the clear.
        if not colon or not _USER.fullmatch(user) or not is_hash(hashed):
            raise ConfigurationError(
                f"{file}:{number}: is no account of ours (user:$7$…); remove the line, and the "
                "user gets a new password"
            )
        hashes[user] = hashed
    return hashes
