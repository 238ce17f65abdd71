"""The clock of a scenario, which its gateway goes by: it stands still until it is moved, or goes.

It lies in eight bytes of a file, so that a gateway in a process of its own has the same.
"""

import asyncio
import mmap
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_FORM: Final = struct.Struct("<q")
_TICK_S: Final = 0.05


class ScenarioClock:
    """Unix milliseconds, moved by one process and read by any."""

    def __init__(self, file: Path, now_ms: int | None = None) -> None:
        """Make the clock at `file`, or open the one that is there if no time is given."""
        if now_ms is not None:
            file.write_bytes(_FORM.pack(now_ms))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), _FORM.size)
        self.file = file
        self.is_going = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._map.close()

    def now_ms(self) -> int:
        """What it shows."""
        (now_ms,) = _FORM.unpack_from(self._map)
        return int(now_ms)

    def now_s(self) -> float:
        """The same in seconds."""
        return self.now_ms() / 1000

    def move_to(self, now_ms: int) -> None:
        """Set it forward. `ValueError` for a time before the one it shows.

        One that is going is left alone.
        """
        if self.is_going:
            return
        if now_ms < self.now_ms():
            raise ValueError(f"now_ms = {now_ms!r}: the clock shows {self.now_ms()} already")
        self._show(now_ms)

    @asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        """It goes with the time of day inside the block, as the clocks of real nodes do."""
        loop = asyncio.get_running_loop()
        ahead_ms = self.now_ms() - loop.time() * 1000

        async def go() -> None:
            while True:
                self._show(round(loop.time() * 1000 + ahead_ms))
                await asyncio.sleep(_TICK_S)

        self.is_going = True
        task = asyncio.create_task(go(), name="clock of the scenario")
        try:
            yield
        finally:
            task.cancel()
            self.is_going = False

    def _show(self, now_ms: int) -> None:
        _FORM.pack_into(self._map, 0, now_ms)
