"""SCD30, CO₂, as its interface description (version 1.0) has it command by command.

It stretches the clock and bears 100 kHz at most, to which the bus holds the master. It knows
nothing of the bus; what it measures is set from outside.
"""

import struct
import time
from typing import Final

from simulators.board.sensirion import Refused, SensirionChip, Timer, decode_argument

_START: Final = 0x0010
_STOP: Final = 0x0104
_INTERVAL: Final = 0x4600
_READY: Final = 0x0202
_READ: Final = 0x0300
_ABC: Final = 0x5306
_RECALIBRATE: Final = 0x5204
_FIRMWARE: Final = 0xD100
_RESET: Final = 0xD304
_COMMAND_S: Final = 0.003
# §1.1: "boot-up time is < 2 s".
_START_S: Final = 2.0


class Scd30(SensirionChip):
    """An SCD30; set `co2_ppm`, `temperature_c`, `humidity_percent`, `stretch_s`.

    `writes` counts what was written to the memory that keeps settings; a `silent` one has no new
    values.
    """

    frequency_max_hz = 100_000

    def __init__(
        self,
        address: int = 0x61,
        *,
        co2_ppm: float = 600.0,
        temperature_c: float = 24.0,
        humidity_percent: float = 38.0,
        timer: Timer = time.monotonic,
    ) -> None:
        super().__init__(address, timer)
        self.co2_ppm = co2_ppm
        self.temperature_c = temperature_c
        self.humidity_percent = humidity_percent
        self.stretch_s = 0.15
        self.correction_ppm = 0.0
        # Self-calibration is off as delivered.
        self.kept = {_INTERVAL: 2, _ABC: 0, _RECALIBRATE: 400}
        self.writes = 0
        self.silent = False
        self._measuring = False
        self._started_s = timer()
        self._read_count = 0

    @property
    def automatic_calibration(self) -> bool:
        """Whether automatic self-calibration is on."""
        return bool(self.kept[_ABC])

    def power_cycle(self) -> None:
        """Measuring goes on by itself after power-on; what was last calibrated to is
        forgotten, the correction is not.
        """
        self.kept[_RECALIBRATE] = 400
        self._restart()
        self._start_up(_START_S)

    def _restart(self) -> None:
        self._busy(0.0)
        self._started_s, self._read_count = self._timer(), 0

    def write(self, data: bytes) -> None:
        """Take a two-byte command and its argument."""
        if not data:
            return
        if len(data) < 2:
            raise Refused
        (command,) = struct.unpack_from(">H", data)
        if command in self.kept:
            self._setting(command, data)
        elif command == _START:
            decode_argument(data)
            self._start()
        elif command == _STOP:
            self._measuring = False
            self._restart()
        elif command == _RESET:
            self.power_cycle()
        else:
            self._answer(_COMMAND_S, *self._words_of(command))

    def _start(self) -> None:
        if not self._measuring:
            self._measuring = True
            self._restart()
        self._busy(0.0)

    def _words_of(self, command: int) -> tuple[int, ...]:
        if command == _FIRMWARE:
            return (0x0342,)
        if command == _READY:
            return (int(self._fresh()),)
        if command == _READ:
            self._read_count = self._count()
            return self._measured()
        raise Refused

    def _setting(self, command: int, data: bytes) -> None:
        if len(data) == 2:
            self._answer(_COMMAND_S, self.kept[command])
            return
        value = decode_argument(data)
        if command == _RECALIBRATE:
            if not 400 <= value <= 2000:
                raise Refused
            self.correction_ppm = value - self.co2_ppm
        self.kept[command] = value
        self.writes += 1
        self._busy(0.0)

    def _count(self) -> int:
        if not self._measuring:
            return 0
        return int((self._timer() - self._started_s) / self.kept[_INTERVAL])

    def _fresh(self) -> bool:
        return self._count() > self._read_count and not self.silent

    def _measured(self) -> tuple[int, ...]:
        values = (self.co2_ppm + self.correction_ppm, self.temperature_c, self.humidity_percent)
        return struct.unpack(">HHHHHH", struct.pack(">fff", *values))
