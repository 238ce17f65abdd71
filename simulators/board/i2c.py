"""The I²C bus of a virtual board: clock, a clock that chips stretch, and a data line that may be
held low.

It knows chips by their address only.
"""

import errno
from collections.abc import Iterable
from typing import Final

from simulators.board.sensirion import Chip, Refused

_DONE: Final = (0, b"")


class I2cBus:
    """Transfers to `chips`. Set `held_pulses` to hold the data line low for that many pulses of
    the clock: until then nothing on the bus answers.
    """

    def __init__(self, chips: Iterable[Chip]) -> None:
        self._chips = chips
        self.held_pulses = 0
        self._soft = self._lost = False
        self.scl: int | None = None
        self.sda: int | None = None
        self.frequency_hz = 0
        self.stretch_max_s = 0.0

    def open(self, frequency_hz: int, stretch_max_us: int, scl: int, sda: int, soft: int) -> None:
        """The master's side: how fast, and how long it waits for a stretched clock."""
        self._soft, self._lost = bool(soft), False
        self.frequency_hz, self.stretch_max_s = frequency_hz, stretch_max_us / 1e6
        self.scl, self.sda = scl, sda

    def take(self, pin: int) -> None:
        """The program gives a pin a mode of its own: a bus in hardware loses it until it is
        opened anew.
        """
        self._lost = self._lost or (not self._soft and pin in (self.scl, self.sda))

    def level(self, pin: int) -> int | None:
        """Of clock or data while nobody talks; None for another pin."""
        if pin == self.sda and self.held_pulses:
            return 0
        return 1 if pin in (self.scl, self.sda) else None

    def clock(self, pin: int, level: int) -> None:
        """The program moves a pin by hand."""
        if pin == self.scl and level and self.held_pulses:
            self.held_pulses -= 1

    def scan(self) -> bytes:
        """The addresses that are acknowledged."""
        if self.held_pulses or self._lost:
            return b""
        return bytes(sorted(chip.address for chip in self._chips if self._answers(chip)))

    def write(self, address: int, data: bytes) -> tuple[int, bytes]:
        """(errno or 0, nothing)."""
        try:
            self._at(address).write(data)
        except Refused:
            return errno.EIO, b""
        except OSError as error:
            return error.errno or errno.EIO, b""
        return _DONE

    def read(self, address: int, size: int) -> tuple[int, bytes]:
        """(errno or 0, the chip's bytes)."""
        try:
            return 0, self._at(address).read(size)
        except Refused:
            return errno.EIO, b""
        except OSError as error:
            return error.errno or errno.EIO, b""

    @staticmethod
    def _answers(chip: Chip) -> bool:
        return chip.connected and not getattr(chip, "starting", False)

    def _at(self, address: int) -> Chip:
        if self.held_pulses or self._lost:
            raise TimeoutError(errno.ETIMEDOUT, "data line is low, or a pin was taken")
        for chip in self._chips:
            if chip.address == address and self._answers(chip):
                break
        else:
            raise OSError(errno.ENODEV, "no acknowledgement")
        if self.frequency_hz > getattr(chip, "frequency_max_hz", 1_000_000):
            raise OSError(errno.ENODEV, "too fast for the chip")
        if getattr(chip, "stretch_s", 0.0) > self.stretch_max_s:
            raise TimeoutError(errno.ETIMEDOUT, "clock stretched too long")
        return chip
