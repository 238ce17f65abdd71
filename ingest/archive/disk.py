"""New files that only their owner reads, and what is said where the disk won't have them.

It knows nothing of what is written.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ingest.errors import StoreError, StoreFullError


@contextmanager
def told_errors(place: Path) -> Iterator[None]:
    """Tell what the system says of `place`: `StoreFullError` without room, else `StoreError`."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFullError(f"no room left on the disk of {place}") from error
        raise StoreError(f"{place} can't be used: {error.strerror or error}") from error


def require_room(folder: Path, needed: int, what: str) -> None:
    """Raise `StoreFullError` where `folder` has fewer than `needed` bytes free for `what`."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreFullError(
            f"no room in {folder} for {what}: {told_mb(needed)} must be free, {told_mb(free)} are"
        )


def told_mb(size: int) -> str:
    """A size for people."""
    return f"{size / 1e6:,.1f} MB"


def new_file(path: Path) -> BinaryIO:
    """Open `path`, which must not exist, for writing."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def flush_to_disk(stream: BinaryIO) -> None:
    """Return once what was written survives a power cut."""
    stream.flush()
    os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Return once the names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
