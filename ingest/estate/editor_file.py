"""The files of an estate while they are edited: one editor at a time, each file whole or as it was.

What stands in the files it must not know.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ingest.errors import TransientError
from ingest.estate.editor_text import EditError

_LOOK_AGAIN_S: Final = 0.05


@contextmanager
def folder_locked(folder: Path, patience_s: float) -> Iterator[None]:
    """Hold the right to edit the estate in `folder`, against every other editor of this machine.

    The lock is on the folder itself: it leaves no file behind and ends with the process. Raises
    `TransientError` where another holds it for longer than `patience_s`.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise EditError(f"{folder} can't be opened: {error.strerror}") from error
    try:
        _wait_for_lock(descriptor, folder, time.monotonic() + patience_s)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, folder: Path, deadline_s: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline_s:
                raise TransientError(
                    f"the estate in {folder} is being edited by another program; try again"
                ) from error
            time.sleep(_LOOK_AGAIN_S)
        else:
            return


def replace_file(file: Path, was: bytes, content: bytes) -> None:
    """Put `content` in the place of a file that held `was`, at once and so that it survives a power
    cut. Owner and permissions stay; a link stays a link.

    Raises `TransientError` if the file has changed since, and `EditError` if it can't be written or
    would change its owner.
    """
    file = file.resolve()
    fresh = file.with_name(f".{file.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            _take_after(file, stream.fileno())
            stream.flush()
            os.fsync(stream.fileno())
        if file.read_bytes() != was:
            raise TransientError(f"{file} was changed by another program meanwhile; try again")
        fresh.replace(file)
        _sync(file.parent)
    except OSError as error:
        raise EditError(f"{file} can't be written: {error.strerror or error}") from error
    finally:
        fresh.unlink(missing_ok=True)


def _take_after(file: Path, descriptor: int) -> None:
    was, fresh = file.stat(), os.fstat(descriptor)
    if (was.st_uid, was.st_gid) != (fresh.st_uid, fresh.st_gid):
        try:
            os.fchown(descriptor, was.st_uid, was.st_gid)
        except PermissionError as error:
            # The service might no longer be able to read it.
            raise EditError(f"{file} belongs to another user; type the command as its owner") from (
                error
            )
    os.fchmod(descriptor, was.st_mode & 0o777)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
