"""A file that only takes room, to be given up when the disk is full: the store can then still sort
in, ship and let go, which is how room is made.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FILE_NAME: Final = "ballast"


class Ballast:
    """`size` bytes held in `folder`; none if `size` is 0."""

    def __init__(self, folder: Path, size: int) -> None:
        self._file = folder / FILE_NAME
        self._size = size

    @property
    def owed(self) -> int:
        """How many bytes it would take to have it whole."""
        try:
            held = self._file.stat().st_size
        except FileNotFoundError:
            held = 0
        return max(0, self._size - held)

    def take(self) -> bool:
        """Hold it, if there is room; whether it is held."""
        if self.owed:
            try:
                with self._file.open("ab") as file:
                    os.posix_fallocate(file.fileno(), 0, self._size)
            except OSError:
                self.give_up()
                return False
        return True

    def give_up(self) -> None:
        """Give its room to others."""
        with suppress(FileNotFoundError):
            self._file.unlink()
