"""Writes the files of a stack and keeps book of it: what was written, what stayed as it was.

There are two kinds: those that are ours, written anew each time, and those that belong to whoever
runs the stack, or are secrets, which are written once and never replaced.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.atomic_file import PRIVATE, PUBLIC, make_folder, write_atomically
from ingest.errors import ConfigurationError

_SECRET_BYTES: Final = 32
OWNER_FOR_ROOT: Final = 10001
"""Whom the files are given to where root writes them for nobody: the user of our image."""


@dataclass(slots=True)
class StackFiles:
    """The folder of a stack, while it is being written. Paths are relative to it."""

    folder: Path
    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def ours(self, path: str, content: bytes, *, mode: int = PUBLIC) -> None:
        """Write `content`, in the place of an older one."""
        file = self.folder / path
        if file.exists() and file.read_bytes() == content:
            return
        make_folder(file.parent, is_private=True)
        write_atomically(file, content, mode=mode)
        self.written.append(path)

    def tree(self, under: str, content: Mapping[str, bytes]) -> None:
        """Write every file of `content` into the folder `under`."""
        for path, data in content.items():
            self.ours(f"{under}/{path}", data)

    def once(self, path: str, text: str, *, mode: int = PUBLIC) -> None:
        """Write `text`, unless something is there."""
        file = self.folder / path
        if file.exists():
            self.kept.append(path)
            return
        make_folder(file.parent, is_private=True)
        write_atomically(file, text.encode(), mode=mode)
        self.written.append(path)

    def secret(self, path: str) -> None:
        """Draw a secret, unless there is one."""
        self.once(path, f"{secrets.token_urlsafe(_SECRET_BYTES)}\n", mode=PRIVATE)

    def move(self, source: Path, path: str) -> None:
        """Bring a file from elsewhere, if it is there, in the place of an older one."""
        if source.exists():
            make_folder((self.folder / path).parent, is_private=True)
            try:
                source.replace(self.folder / path)
            except OSError as error:
                raise ConfigurationError(
                    f"{source} can't be moved to {path}: {error.strerror}"
                ) from error
            self.written.append(path)


def owner_of(folder: Path) -> tuple[int, int]:
    """User and group that own a stack in `folder`: those of its `.env`, else ours.

    Root's own it must not be: then those who called sudo, else a number that nobody has.
    """
    if (folder / ".env").exists():
        status = (folder / ".env").stat()
        return status.st_uid, status.st_gid
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    user = int(os.environ.get("SUDO_UID") or 0) or OWNER_FOR_ROOT
    return user, int(os.environ.get("SUDO_GID") or 0) or user


def give(folder: Path, owner: tuple[int, int], *, not_below: Path) -> None:
    """Hand `folder` to `owner`, all but what lies in `not_below`. Only root has to, and may."""
    if os.geteuid() != 0:
        return
    try:
        for path in (folder, *folder.rglob("*")):
            if path != not_below and not_below not in path.parents:
                os.chown(path, *owner, follow_symlinks=False)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} can't be given to user {owner[0]}: {error.strerror}"
        ) from error
