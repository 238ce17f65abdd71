"""What the chips on a serial line share: a request, and its answer within a time. It must not
know any chip's frames.
"""

import asyncio
import time

from micropython import const

from drivers import SensorError, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import UART
    from node_types import Buffer

_POLL_MS = const(10)


class Line:
    """One chip at 9600 baud on a UART of its own."""

    def __init__(self, uart: UART, chip: str, address: str, answer_max: int) -> None:
        self._uart = uart
        self._buffer = bytearray(answer_max)
        self._got = 0
        self._chip = chip
        self._address = address
        self.name = place(chip, address)

    def error(self, cause: str) -> SensorError:
        return SensorError(self._chip, self._address, cause)

    async def exchange(self, request: Buffer, size: int, timeout_ms: int) -> memoryview:
        """A view of the answer's first `size` bytes, good until the next exchange."""
        uart = self._uart
        # What arrived unasked, such as the rest of an answer that came too late.
        for _ in range(4):
            if uart.any():
                uart.read(uart.any())
        uart.write(request)
        self._got = 0
        return await self.more(size, timeout_ms)

    async def more(self, size: int, timeout_ms: int) -> memoryview:
        """The same answer as far as `size` bytes."""
        view = memoryview(self._buffer)[:size]
        due_ms = time.ticks_add(time.ticks_ms(), timeout_ms)
        while self._got < size:
            if self._uart.any():
                self._got += self._uart.readinto(view[self._got :]) or 0
            elif time.ticks_diff(due_ms, time.ticks_ms()) < 0:
                raise self.error("{} of {} bytes in {} ms".format(self._got, size, timeout_ms))
            else:
                await asyncio.sleep_ms(_POLL_MS)
        return view
