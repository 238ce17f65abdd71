"""SHT4x, temperature and humidity, as its datasheet (version 6) describes it command by command.

It knows nothing of the bus; what it measures is set from outside.
"""

import time
from typing import Final

from simulators.board.sensirion import Refused, SensirionChip, Timer, clamp_word

# The longest a measurement takes, by command.
_MEASURE_S: Final = {0xFD: 0.0083, 0xF6: 0.0045, 0xE0: 0.0016}
# Heater pulses of 1 s and 0.1 s at three powers; a measurement at the highest precision follows.
_HEATER_S: Final = {0x39: 1.1, 0x32: 0.11, 0x2F: 1.1, 0x24: 0.11, 0x1E: 1.1, 0x15: 0.11}
_SERIAL: Final = 0x89
_RESET: Final = 0x94
_RESET_S: Final = 0.001


class Sht4x(SensirionChip):
    """An SHT4x; set `temperature_c` and `humidity_percent`. `shots` counts measurements."""

    def __init__(
        self,
        address: int = 0x44,
        *,
        temperature_c: float = 20.0,
        humidity_percent: float = 45.0,
        serial: int = 0x0F5A_31C4,
        timer: Timer = time.monotonic,
    ) -> None:
        super().__init__(address, timer)
        self.temperature_c = temperature_c
        self.humidity_percent = humidity_percent
        self.shots = 0
        self._serial = serial

    def write(self, data: bytes) -> None:
        """Take one command byte; refused while measuring, save the reset."""
        if len(data) != 1:
            if data:
                raise Refused
            return
        command = data[0]
        if command == _RESET:
            self._busy(_RESET_S)
            return
        self._require_idle()
        if command == _SERIAL:
            self._answer(0.0, self._serial >> 16, self._serial & 0xFFFF)
        elif command in _MEASURE_S or command in _HEATER_S:
            self.shots += 1
            self._answer(_MEASURE_S.get(command) or _HEATER_S[command], *self._measured())
        else:
            raise Refused

    def _measured(self) -> tuple[int, int]:
        return (
            clamp_word((self.temperature_c + 45) * 65535 / 175),
            clamp_word((self.humidity_percent + 6) * 65535 / 125),
        )
