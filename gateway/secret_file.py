"""Reads a secret from a file of its own. What it is for it must not know."""

from pathlib import Path

from ingest.errors import ConfigurationError


def read_secret(file: Path, key: str) -> str:
    """The first line of a file that only its owner may read.

    Raises `ConfigurationError`, which names `key`, the setting that names the file.
    """
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"{key}: {str(file)!r} can't be read: {reason}") from error
    if mode & 0o077:
        raise ConfigurationError(
            f"{key}: {str(file)!r} may be used by others (mode {mode & 0o777:04o}); "
            f"type: chmod 600 {file}"
        )
    lines = text.splitlines()
    if not lines or not lines[0]:
        raise ConfigurationError(f"{key}: the first line of {str(file)!r} is empty")
    return lines[0]
