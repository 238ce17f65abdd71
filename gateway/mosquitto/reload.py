"""Has a running Mosquitto read its files again. What stands in them it must not know."""

import os
import signal
from pathlib import Path

from ingest.errors import ConfigurationError

_PROGRAM = "mosquitto"


def reload_broker(pid_file: Path) -> None:
    """Send SIGHUP to the Mosquitto whose process id stands in `pid_file`.

    Raises `ConfigurationError` where there is none, and then signals nobody.
    """
    try:
        text = pid_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(
            f"{pid_file} can't be read: {reason}; is Mosquitto running?"
        ) from error
    if not text.isdecimal() or not 1 < int(text) <= 2**22:
        raise ConfigurationError(f"{pid_file} holds no process id: {text[:20]!r}")
    pid = int(text)
    # A file left behind may name a process that came later.
    if (name := _name_of(pid)) != _PROGRAM:
        found = f"process {pid} is {name!r}" if name else f"there is no process {pid}"
        raise ConfigurationError(f"{pid_file}: {found}, not Mosquitto; is it running?")
    try:
        os.kill(pid, signal.SIGHUP)
    except OSError as error:
        raise ConfigurationError(
            f"Mosquitto (process {pid}) can't be told to reload: {error.strerror}; "
            "type: sudo systemctl reload mosquitto"
        ) from error


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
