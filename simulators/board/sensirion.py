"""What all I²C chips on the virtual bus have in common, and the words of Sensirion's.

A chip is a command machine with its own sense of time: it refuses (no acknowledgement) what the
real one refuses. It knows neither bus nor board.
"""

import struct
import time
from collections.abc import Callable
from typing import Protocol

Timer = Callable[[], float]


class Refused(Exception):  # noqa: N818 - the chip's plain answer, no error of ours
    """The chip does not acknowledge."""


class Chip(Protocol):
    """A chip on the bus.

    `connected` and `corrupt_crc` are faults to set: a cable that came off, and a bit that flips
    on the way in every word.
    """

    address: int
    connected: bool
    corrupt_crc: bool

    def write(self, data: bytes) -> None:
        """Take a write transfer; raise Refused where the chip does not acknowledge."""

    def read(self, size: int) -> bytes:
        """Give `size` bytes; raise Refused where the chip does not acknowledge."""

    def power_cycle(self) -> None:
        """Forget what is not kept without power."""


def crc8(word: bytes) -> int:
    """Sensirion's checksum: polynomial 0x31, initial 0xFF; BE EF gives 0x92."""
    crc = 0xFF
    for byte in word:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


class SensirionChip:
    """Words with checksums, and being busy for as long as the datasheet says.

    Subclasses decide what a command does; `_answer` hands over words that can be read once the
    command's time is over.
    """

    def __init__(self, address: int, timer: Timer = time.monotonic) -> None:
        self.address = address
        self.connected = True
        self.corrupt_crc = False
        self._timer = timer
        self._busy_until_s = self._starts_until_s = timer()
        self._words: tuple[int, ...] | None = None

    def read(self, size: int) -> bytes:
        """The words of the last command, once; refused while busy or without any."""
        if self._timer() < self._busy_until_s or self._words is None:
            raise Refused
        words, self._words = self._words, None
        data = b"".join(self._encode(word) for word in words)
        # Beyond its data the chip leaves the line high.
        return data[:size].ljust(size, b"\xff")

    @property
    def starting(self) -> bool:
        """Whether it is too early after power-on or reset for it to answer to its address."""
        return self._timer() < self._starts_until_s

    def power_cycle(self) -> None:
        """Forget what was measured."""
        self._busy(0.0)

    def _encode(self, word: int) -> bytes:
        data = struct.pack(">H", word)
        return data + bytes((crc8(data) ^ (0x10 if self.corrupt_crc else 0),))

    def _require_idle(self) -> None:
        if self._timer() < self._busy_until_s:
            raise Refused

    def _busy(self, duration_s: float) -> None:
        self._words = None
        self._busy_until_s = self._timer() + duration_s

    def _start_up(self, duration_s: float) -> None:
        self._busy(duration_s)
        self._starts_until_s = self._busy_until_s

    def _answer(self, duration_s: float, *words: int) -> None:
        self._busy(duration_s)
        self._words = words


def decode_argument(data: bytes) -> int:
    """The word after a two-byte command; refused where its checksum is wrong."""
    if len(data) != 5 or crc8(data[2:4]) != data[4]:
        raise Refused
    return int(struct.unpack_from(">H", data, 2)[0])


def clamp_word(value: float) -> int:
    """The nearest 16-bit word."""
    return max(0, min(0xFFFF, round(value)))
