"""SHT3x, temperature and humidity, as its datasheet (SHT3x-DIS, version 5) describes it.

It knows nothing of the bus; what it measures is set from outside.
"""

import struct
import time
from typing import Final

from simulators.board.sensirion import Refused, SensirionChip, Timer, clamp_word

# Table 9: single shots without clock stretching, by command.
_MEASURE_S: Final = {0x2400: 0.0155, 0x240B: 0.0065, 0x2416: 0.0045}
_RESET: Final = 0x30A2
_CLEAR: Final = 0x3041
_STATUS: Final = 0xF32D
_RESET_S: Final = 0.0015
_AFTER_RESET: Final = 0x8010


class Sht3x(SensirionChip):
    """An SHT3x; set `temperature_c` and `humidity_percent`."""

    def __init__(
        self,
        address: int = 0x44,
        *,
        temperature_c: float = 20.0,
        humidity_percent: float = 45.0,
        timer: Timer = time.monotonic,
    ) -> None:
        super().__init__(address, timer)
        self.temperature_c = temperature_c
        self.humidity_percent = humidity_percent
        self._status = _AFTER_RESET

    def write(self, data: bytes) -> None:
        """Take a two-byte command; refused while busy."""
        self._require_idle()
        if not data:
            return
        if len(data) != 2:
            self._busy(0.0)
            raise Refused
        command = struct.unpack(">H", data)[0]
        if command == _RESET:
            self._status = _AFTER_RESET
            self._busy(_RESET_S)
        elif command == _CLEAR:
            self._status = 0
            self._busy(0.0)
        elif command == _STATUS:
            self._answer(0.0, self._status)
        elif command in _MEASURE_S:
            self._answer(
                _MEASURE_S[command],
                clamp_word((self.temperature_c + 45) * 65535 / 175),
                clamp_word(self.humidity_percent * 65535 / 100),
            )
        else:
            raise Refused
