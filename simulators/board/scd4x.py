"""SCD41, CO₂, as its datasheet (version 1.3) describes it command by command.

It knows nothing of the bus; what it measures is set from outside. Idle, it takes all commands;
measuring, only those that table 9 allows.
"""

import struct
import time
from collections.abc import Callable
from typing import Final

from simulators.board.sensirion import Refused, SensirionChip, Timer, clamp_word, decode_argument

_CADENCE_S: Final = 5.0
_LOW_POWER_CADENCE_S: Final = 30.0
_COMMAND_S: Final = 0.001
_STOP_S: Final = 0.5
_RECALIBRATE_S: Final = 0.4
_PERSIST_S: Final = 0.8
_REINIT_S: Final = 0.03
_SINGLE_SHOT_S: Final = 5.0
# §3.7.1: forced recalibration wants three minutes of measuring before it, in either way.
_SETTLED_S: Final = 180.0


class Scd4x(SensirionChip):
    """An SCD41; set `co2_ppm`, `temperature_c` and `humidity_percent`. With `scd40` it is one,
    which knows no single shot. `writes` counts what was written to its memory; a `silent` one has
    no new values.
    """

    def __init__(
        self,
        address: int = 0x62,
        *,
        co2_ppm: float = 600.0,
        temperature_c: float = 22.0,
        humidity_percent: float = 42.0,
        serial: int = 0x3A7E_15C0_4B21,
        scd40: bool = False,
        timer: Timer = time.monotonic,
    ) -> None:
        super().__init__(address, timer)
        self.co2_ppm = co2_ppm
        self.temperature_c = temperature_c
        self.humidity_percent = humidity_percent
        self.automatic_calibration = True
        self.correction_ppm = 0
        self.writes = 0
        self.silent = False
        self.shots = 0
        self._shot_at_s: float | None = None
        self._serial = serial
        self._cadence_s: float | None = None
        self._started_s = 0.0
        self._measured_for_s = 0.0
        self._first_shot_at_s: float | None = None
        self._read_count = 0
        self._idle: dict[int, Callable[[bytes], None]] = {
            0x21B1: lambda _: self._start(_CADENCE_S),
            0x21AC: lambda _: self._start(_LOW_POWER_CADENCE_S),
            0x3682: lambda _: self._answer(_COMMAND_S, *struct.unpack(">HHH", self._serial_bytes)),
            0x362F: self._recalibrate,
            0x2416: self._set_automatic,
            0x2313: lambda _: self._answer(_COMMAND_S, int(self.automatic_calibration)),
            0x3615: lambda _: self._persist(),
            0x3646: lambda _: self._busy(_REINIT_S),
            0x3F86: lambda _: self._stop(),
            0xE4B8: lambda _: self._answer(_COMMAND_S, 0x8006 if self._shot() else 0x8000),
            0xEC05: lambda _: self._read_shot(),
        }
        if not scd40:
            self._idle[0x219D] = lambda _: self._shoot()
        self._measuring: dict[int, Callable[[bytes], None]] = {
            0xEC05: lambda _: self._read_measurement(),
            0xE4B8: lambda _: self._answer(_COMMAND_S, 0x8006 if self._fresh() else 0x8000),
            0x3F86: lambda _: self._stop(),
        }

    @property
    def _serial_bytes(self) -> bytes:
        return self._serial.to_bytes(6, "big")

    @property
    def measuring(self) -> bool:
        """Whether it measures periodically."""
        return self._cadence_s is not None

    @property
    def measured_for_s(self) -> float:
        """How long it has measured without a loss of power, or did before it was stopped."""
        if self._cadence_s is None:
            return self._measured_for_s
        return self._timer() - self._started_s

    def write(self, data: bytes) -> None:
        """Take a two-byte command and its argument; refused while busy or not allowed now."""
        self._require_idle()
        if not data:
            return
        if len(data) < 2:
            raise Refused
        commands = self._idle if self._cadence_s is None else self._measuring
        handler = commands.get(struct.unpack_from(">H", data)[0])
        if handler is None:
            raise Refused
        handler(data)

    def power_cycle(self) -> None:
        """Forget everything but what is saved: idle, nothing measured."""
        self._cadence_s = None
        self._shot_at_s = self._first_shot_at_s = None
        self.shots = 0
        self._measured_for_s = 0.0
        self._busy(_REINIT_S)

    def _start(self, cadence_s: float) -> None:
        self._busy(0.0)
        self._cadence_s = cadence_s
        self._started_s = self._timer()
        self._read_count = 0

    def _stop(self) -> None:
        self._measured_for_s = self.measured_for_s
        self._cadence_s = None
        self._busy(_STOP_S)

    def _count(self) -> int:
        """How many measurements have ended since the start."""
        return int((self._timer() - self._started_s) / (self._cadence_s or _CADENCE_S))

    def _fresh(self) -> bool:
        return self._count() > self._read_count and not self.silent

    def _read_measurement(self) -> None:
        if not self._fresh():
            # The buffer is emptied by reading: the read that follows gets no acknowledgement.
            self._busy(_COMMAND_S)
            return
        self._read_count = self._count()
        self._answer_values(self.co2_ppm + self.correction_ppm)

    def _answer_values(self, co2_ppm: float) -> None:
        self._answer(
            _COMMAND_S,
            clamp_word(co2_ppm),
            clamp_word((self.temperature_c + 45) * 65535 / 175),
            clamp_word(self.humidity_percent * 65535 / 100),
        )

    def _shoot(self) -> None:
        self._busy(_SINGLE_SHOT_S)
        self._shot_at_s = self._busy_until_s
        if self._first_shot_at_s is None:
            self._first_shot_at_s = self._timer()
        self._measured_for_s = self._shot_at_s - self._first_shot_at_s
        self.shots += 1

    def _shot(self) -> bool:
        shot = self._shot_at_s is not None and self._timer() >= self._shot_at_s
        return shot and not self.silent

    def _read_shot(self) -> None:
        if not self._shot():
            self._busy(_COMMAND_S)
            return
        self._shot_at_s = None
        # §3.10: the first after power-on is to be thrown away; here one sees it.
        co2_ppm = self.co2_ppm + self.correction_ppm
        self._answer_values(co2_ppm if self.shots > 1 else 0xFFFF)

    def _persist(self) -> None:
        self.writes += 1
        self._busy(_PERSIST_S)

    def _recalibrate(self, data: bytes) -> None:
        target_ppm = decode_argument(data)
        if self._measured_for_s < _SETTLED_S:
            self._answer(_RECALIBRATE_S, 0xFFFF)
            return
        change_ppm = target_ppm - round(self.co2_ppm + self.correction_ppm)
        self.correction_ppm += change_ppm
        self._answer(_RECALIBRATE_S, 0x8000 + change_ppm)

    def _set_automatic(self, data: bytes) -> None:
        self.automatic_calibration = bool(decode_argument(data))
        self._busy(_COMMAND_S)
