"""Winsen MH-Z19C (and B), CO2 (user's manual MH-Z19C, version 1.0): 9600 baud, frames of 9 bytes.

It knows frames and their checksum. It must not know quantities' names or when to measure.
"""

import asyncio
import time

from micropython import const

from drivers.uart_line import Line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import UART
    from node_types import Buffer

CHIP = "mhz19"

_READ = const(0x86)
_ZERO = const(0x87)
_ABC = const(0x79)
_ANSWER_MS = const(500)
_SETTLE_MS = const(100)
# The manual's preheat time is a minute; chips of today say 500 ppm for some 75 s.
_WARM_MS = const(90_000)
_SETTLED_MS = const(1_200_000)
_ZERO_PPM = const(400)


def checksum(frame: Buffer) -> int:
    """(0xFF - sum of bytes 1 to 7) + 1."""
    return -sum(frame[1:8]) & 0xFF


def frame(command: int, argument: int = 0) -> bytearray:
    """A request; `argument` is its byte 3."""
    out = bytearray((0xFF, 0x01, command, argument, 0, 0, 0, 0, 0))
    out[8] = checksum(out)
    return out


class Mhz19:
    def __init__(self, uart: UART, address: str = "uart") -> None:
        self._line = Line(uart, CHIP, address, 9)
        self._read = frame(_READ)
        self._powered_ms = time.ticks_ms()
        self._warm = False
        self.name = self._line.name
        self.wanted_abc: bool | None = None
        # The chip does not tell: this is what it was told.
        self.abc: bool | None = None

    async def start(self) -> None:
        """Reads a frame, which proves that the chip is there, and sets automatic baseline
        correction, which it does not answer.
        """
        await self._ask()
        if self.wanted_abc is not None:
            await self._tell(_ABC, 0xA0 if self.wanted_abc else 0)
            self.abc = self.wanted_abc
        self._powered_ms = time.ticks_ms()
        self._warm = False

    async def _ask(self) -> int:
        answer = await self._line.exchange(self._read, 9, _ANSWER_MS)
        if checksum(answer) != answer[8]:
            raise self._line.error("checksum is wrong")
        if answer[0] != 0xFF or answer[1] != _READ:
            raise self._line.error("answer to another question")
        return answer[2] << 8 | answer[3]

    async def _tell(self, command: int, argument: int) -> None:
        await self._line.exchange(frame(command, argument), 0, 0)
        await asyncio.sleep_ms(_SETTLE_MS)

    async def measure(self) -> tuple[int] | None:
        """(CO2 in ppm,), or None while the chip warms up."""
        co2_ppm = await self._ask()
        if not self._warm:
            if time.ticks_diff(time.ticks_ms(), self._powered_ms) < _WARM_MS:
                return None
            self._warm = True
        if not co2_ppm:
            raise self._line.error("0 ppm is no measurement")
        return (co2_ppm,)

    async def calibrate(self, target_ppm: int) -> None:
        """Takes the air there is for 400 ppm, after 20 minutes in it (manual, "zero point
        calibration"). The chip knows no other target and does not tell the correction.
        """
        if target_ppm != _ZERO_PPM:
            raise self._line.error("calibrates to 400 ppm only: send ppm 400")
        if time.ticks_diff(time.ticks_ms(), self._powered_ms) < _SETTLED_MS:
            raise self._line.error("calibration wants 20 minutes of measuring before")
        await self._tell(_ZERO, 0)
        await self._ask()
