"""SenseAir S8, CO2 ("Modbus on SenseAir S8", revision P01): Modbus RTU at 9600 baud, address 0xFE,
to which every S8 answers.

It knows registers and their checksum. It must not know quantities' names or when to measure.
"""

import asyncio
import struct
import time

from micropython import const

from drivers.uart_line import Line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import UART
    from node_types import Buffer

CHIP = "s8"

_READ_HOLDING = const(3)
_READ_INPUT = const(4)
_WRITE = const(6)
# Addresses of registers, one below their number: IR1 status … IR4 CO2; HR1 acknowledgement,
# HR2 special command, HR32 period of automatic baseline correction in hours.
_STATUS = const(0)
_DONE = const(0)
_COMMAND = const(1)
_ABC_PERIOD = const(31)
_BACKGROUND = const(0x7C06)
_BACKGROUND_DONE = const(0x20)
_ABC_HOURS = const(180)
_ANSWER_MS = const(500)
# Done at the next lamp cycle, of 2 or 4 s by the kind ("measurement interval").
_CALIBRATE_TRIES = const(8)
_WARM_MS = const(30_000)
_ZERO_PPM = const(400)
# IR1, bit 0 upwards.
_FAULTS = const(
    "fatal error|offset regulation|algorithm|output|self-diagnostics|out of range|memory"
)


def crc16(data: Buffer, end: int) -> int:
    """Modbus: polynomial 0xA001 reflected, initial 0xFFFF; FE 04 00 03 00 01 gives C5D5, sent as
    D5 C5.
    """
    crc = 0xFFFF
    for index in range(end):
        crc ^= data[index]
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


class S8:
    def __init__(self, uart: UART, address: str = "uart") -> None:
        self._line = Line(uart, CHIP, address, 13)
        self._request = bytearray(8)
        self._powered_ms = time.ticks_ms()
        self.name = self._line.name
        self.wanted_abc: bool | None = None
        self.abc: bool | None = None

    async def _ask(self, function: int, register: int, value: int) -> tuple[int, ...]:
        """Registers of a read (`value` is how many), or the echo of a write."""
        request = self._request
        struct.pack_into(">BBHH", request, 0, 0xFE, function, register, value)
        struct.pack_into("<H", request, 6, crc16(request, 6))
        size = 8 if function == _WRITE else 5 + 2 * value
        # An exception is five bytes, whatever was asked.
        answer = await self._line.exchange(request, 5, _ANSWER_MS)
        if answer[1] == function | 0x80 and crc16(answer, 3) == answer[3] | answer[4] << 8:
            raise self._line.error("refused, Modbus exception {}".format(answer[2]))
        answer = await self._line.more(size, _ANSWER_MS)
        if crc16(answer, size - 2) != answer[size - 2] | answer[size - 1] << 8:
            raise self._line.error("checksum is wrong")
        if answer[0] != 0xFE or answer[1] != function:
            raise self._line.error("answer to another question")
        if function == _WRITE:
            if answer[:6] != request[:6]:
                raise self._line.error("did not take what was written")
            return ()
        if answer[2] != 2 * value:
            raise self._line.error("answer to another question")
        return struct.unpack_from(">{}H".format(value), answer, 3)

    async def start(self) -> None:
        """Reads the period of automatic baseline correction, which proves that the chip is
        there, and changes it where it is not as wanted.
        """
        (hours,) = await self._ask(_READ_HOLDING, _ABC_PERIOD, 1)
        if self.wanted_abc is not None and self.wanted_abc != bool(hours):
            hours = _ABC_HOURS if self.wanted_abc else 0
            await self._ask(_WRITE, _ABC_PERIOD, hours)
        self.abc = bool(hours)
        self._powered_ms = time.ticks_ms()

    async def measure(self) -> tuple[int] | None:
        """(CO2 in ppm,), or None while the chip warms up."""
        status, _, _, co2_ppm = await self._ask(_READ_INPUT, _STATUS, 4)
        if time.ticks_diff(time.ticks_ms(), self._powered_ms) < _WARM_MS:
            return None
        for bit, fault in enumerate(_FAULTS.split("|")):
            if status >> bit & 1:
                raise self._line.error("status 0x{:02x}: {}".format(status, fault))
        return (co2_ppm,)

    async def calibrate(self, target_ppm: int) -> None:
        """Background calibration: takes the air there is for 400 ppm. The chip knows no other
        target and does not tell the correction.
        """
        if target_ppm != _ZERO_PPM:
            raise self._line.error("calibrates to 400 ppm only: send ppm 400")
        await self._ask(_WRITE, _DONE, 0)
        await self._ask(_WRITE, _COMMAND, _BACKGROUND)
        for _ in range(_CALIBRATE_TRIES):
            await asyncio.sleep_ms(1_000)
            (done,) = await self._ask(_READ_HOLDING, _DONE, 1)
            if done & _BACKGROUND_DONE:
                return
        raise self._line.error("calibration was not done")
