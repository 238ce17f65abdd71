"""Files that are there whole or not at all, also after a power cut.

What they hold it must not know.
"""

import os
import stat
from pathlib import Path

from ingest.archive.disk import flush_to_disk, new_file, sync_folder
from ingest.errors import ConfigurationError

PRIVATE = 0o600
PUBLIC = 0o644


def make_folder(folder: Path, *, is_private: bool) -> None:
    """Make `folder`, for its owner alone or to be looked into by others; one that exists stays as
    it is. Raises `ConfigurationError`.
    """
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
            if not is_private:
                # Whatever the umask: who is to read a file in it must get there.
                folder.chmod(0o755)
    except OSError as error:
        raise ConfigurationError(_told(folder, error)) from error


def write_atomically(file: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Put `content` in the place of `file`. Nobody else ever sees it with wider rights than `mode`.

    The owner of a file that is replaced is kept where we may. Raises `ConfigurationError`.
    """
    fresh = file.with_name(f".{file.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        with new_file(fresh) as stream:
            stream.write(content)
            _keep_owner(file, stream.fileno())
            os.fchmod(stream.fileno(), mode)
            flush_to_disk(stream)
        fresh.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise ConfigurationError(_told(file, error)) from error


def remove_file(file: Path) -> None:
    """Have `file` gone. Raises `ConfigurationError`."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(_told(file, error)) from error


def read_private(file: Path) -> bytes:
    """What stands in a file that only its owner may use.

    Raises `ConfigurationError`, also where others may use it, with the remedy.
    """
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigurationError(
            f"{file} may be used by others (mode {mode:04o}); type: chmod 600 {file}"
        )
    return content


def _keep_owner(file: Path, descriptor: int) -> None:
    if os.geteuid() == 0 and file.exists():
        was = file.stat()
        os.fchown(descriptor, was.st_uid, was.st_gid)


def _told(place: Path, error: OSError) -> str:
    return f"{place} can't be written: {error.strerror or error}"
