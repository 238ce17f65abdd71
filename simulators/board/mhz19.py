"""MH-Z19C, CO₂, as its user's manual (version 1.0) has it: frames of nine bytes at 9600 baud."""

import time
from typing import Final

from simulators.board.sensirion import Timer
from simulators.board.serial_chips import SerialChip

_READ: Final = 0x86
_ZERO: Final = 0x87
_ABC: Final = 0x79
# The manual says a minute; chips were seen to say 500 ppm for some 75 s.
_PREHEAT_S: Final = 75.0
_PREHEAT_PPM: Final = 500


def checksum(frame: bytes) -> int:
    """(0xFF - sum of bytes 1 to 7) + 1, in eight bits."""
    return (0xFF - sum(frame[1:8]) + 1) & 0xFF


class Mhz19(SerialChip):
    """An MH-Z19C; set `co2_ppm`. While it preheats it says 500 ppm."""

    def __init__(self, *, co2_ppm: float = 600.0, timer: Timer = time.monotonic) -> None:
        super().__init__(9, 0.01, timer)
        self.co2_ppm = co2_ppm
        self.automatic_calibration = True
        self.correction_ppm = 0.0

    def handle(self, request: bytes) -> bytes | None:
        """Commands 0x86, 0x87 and 0x79; only the first is answered."""
        if request[:2] != b"\xff\x01" or checksum(request) != request[8]:
            return None
        command = request[2]
        if command == _ABC:
            self.automatic_calibration = request[3] == 0xA0
        elif command == _ZERO:
            self.correction_ppm = 400 - self.co2_ppm
        elif command == _READ:
            warm = self.powered_for_s >= _PREHEAT_S
            co2_ppm = round(self.co2_ppm + self.correction_ppm) if warm else _PREHEAT_PPM
            answer = bytes((0xFF, _READ)) + co2_ppm.to_bytes(2, "big") + bytes((0x40, 0, 0, 0))
            return answer + bytes((checksum(answer),))
        return None
