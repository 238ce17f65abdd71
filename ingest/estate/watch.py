"""Keeps the estate of a running service: takes a valid change of its files, refuses another.

It looks at times and sizes of the files, since that works on every file system. Who listens, and
what a changed estate means for them, it must not know.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from ingest.estate.fields import DEFAULT_ZONE
from ingest.estate.load import EstateError, estate_files, load_estate
from ingest.estate.model import Estate

log = logging.getLogger(__name__)

_Stamp = tuple[tuple[str, int, int, int] | tuple[str, str], ...]


def estate_is_written(path: Path) -> bool:
    """Whether there is any file of the estate at `path`: a folder without its main file is a
    mistake, and is told as such.
    """
    return any(file.exists() for file in estate_files(path))


class EstateWatch:
    """The estate in force. Built from `path`, it loads at once: `EstateError` if that is invalid.

    Where there is no file at all, the estate is empty until there is one. `problem` tells why the
    files as they stand now are not in force, if they are not.
    """

    def __init__(self, path: Path, zone: ZoneInfo = DEFAULT_ZONE) -> None:
        self._path = path
        self._zone = zone
        self._listeners: list[Callable[[Estate], None]] = []
        self.problem: EstateError | None = None
        self._seen = self._settling = _stamp(path)
        self._has_file = estate_is_written(path)
        self.current = load_estate(path, zone) if self._has_file else Estate()

    def on_change(self, listener: Callable[[Estate], None]) -> None:
        """Have `listener` called with every later estate, from the event loop."""
        self._listeners.append(listener)

    async def watch_loop(self, interval_s: float = 2.0) -> None:
        """Take changes for ever. A file is read once it has stood unchanged for one interval, so
        that none is read half written.
        """
        while True:
            await asyncio.sleep(interval_s)
            stamp = await asyncio.to_thread(_stamp, self._path)
            if stamp != self._settling:
                self._settling = stamp
            elif stamp != self._seen:
                await self.reload()

    async def reload(self) -> bool:
        """Read the files now; whether what they say is in force."""
        stamp = await asyncio.to_thread(_stamp, self._path)
        self._seen = self._settling = stamp
        self._has_file = self._has_file or estate_is_written(self._path)
        if not self._has_file:
            return True
        try:
            estate = await asyncio.to_thread(load_estate, self._path, self._zone)
        except EstateError as error:
            self._refuse(error)
            return False
        self._take(estate)
        return True

    def _refuse(self, error: EstateError) -> None:
        self.problem = error
        log.error("%s is refused; the last valid estate stays in force", self._path)
        for problem in error.problems:
            log.error("%s", problem)

    def _take(self, estate: Estate) -> None:
        self.problem = None
        if estate == self.current:
            return
        self.current = estate
        log.info("%s is in force: %d nodes", self._path, len(estate.nodes))
        for listener in self._listeners:
            listener(estate)


def _stamp(path: Path) -> _Stamp:
    """What changes when a file of the estate is changed, added or removed."""
    stamps: list[tuple[str, int, int, int] | tuple[str, str]] = []
    for file in estate_files(path):
        try:
            stat = file.stat()
        except OSError as error:
            stamps.append((str(file), type(error).__name__))
        else:
            stamps.append((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(stamps)
