"""SenseAir S8, CO₂, as "Modbus on SenseAir S8" has it: registers over Modbus RTU at 9600 baud."""

import struct
import time
from typing import Final

from simulators.board.sensirion import Timer
from simulators.board.serial_chips import SerialChip

_ANY_ADDRESS: Final = 0xFE
_BACKGROUND: Final = 0x7C06
_BACKGROUND_DONE: Final = 0x20


def crc16(data: bytes) -> int:
    """Modbus; sent with its low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


class S8(SerialChip):
    """An S8; set `co2_ppm`, `status` (IR1). `abc_hours` is HR32, `lamp_cycle_s` its measurement
    interval (S8 LP: 4 s, others 2 s); `deaf` one that does not carry out a calibration.
    """

    def __init__(self, *, co2_ppm: float = 600.0, timer: Timer = time.monotonic) -> None:
        super().__init__(8, 0.02, timer)
        self.co2_ppm = co2_ppm
        self.status = 0
        self.abc_hours = 180
        self.correction_ppm = 0.0
        self.lamp_cycle_s = 4.0
        self.deaf = False
        self.writes = 0
        self._done = 0
        self._calibrates_at_s: float | None = None

    @property
    def automatic_calibration(self) -> bool:
        """Whether automatic baseline correction is on."""
        return self.abc_hours > 0

    def handle(self, request: bytes) -> bytes | None:
        """Functions 3, 4 and 6; others are exception 1, registers there are not exception 2."""
        if crc16(request[:6]) != struct.unpack_from("<H", request, 6)[0]:
            return None
        address, function, register, value = struct.unpack(">BBHH", request[:6])
        if address != _ANY_ADDRESS:
            return None
        self._calibrate_if_due()
        if function == 6:
            return request if self._write(register, value) else self._exception(function, 2)
        if function not in (3, 4):
            return self._exception(function, 1)
        registers = self._inputs() if function == 4 else self._holdings()
        wanted = range(register, register + value)
        if not wanted or any(number not in registers for number in wanted):
            return self._exception(function, 2)
        data = b"".join(struct.pack(">H", registers[number]) for number in wanted)
        return self._sealed(bytes((address, function, len(data))) + data)

    def _sealed(self, data: bytes) -> bytes:
        return data + struct.pack("<H", crc16(data))

    def _exception(self, function: int, code: int) -> bytes:
        return self._sealed(bytes((_ANY_ADDRESS, function | 0x80, code)))

    def _inputs(self) -> dict[int, int]:
        return {0: self.status, 1: 0, 2: 0, 3: round(self.co2_ppm + self.correction_ppm)}

    def _holdings(self) -> dict[int, int]:
        return {0: self._done, 1: 0, 31: self.abc_hours}

    def _write(self, register: int, value: int) -> bool:
        if register == 0:
            self._done = value
        elif register == 1:
            if value == _BACKGROUND and not self.deaf:
                self._calibrates_at_s = self._timer() + self.lamp_cycle_s
        elif register == 31:
            self.abc_hours = value
            self.writes += 1
        else:
            return False
        return True

    def _calibrate_if_due(self) -> None:
        if self._calibrates_at_s is not None and self._timer() >= self._calibrates_at_s:
            self._calibrates_at_s = None
            self.correction_ppm = 400 - self.co2_ppm
            self._done |= _BACKGROUND_DONE
