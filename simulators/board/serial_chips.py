"""What chips on a serial line have in common: frames in, answers out after a while, and the faults
of the line.

It knows neither UARTs nor boards.
"""

import time
from abc import ABC, abstractmethod
from typing import Final

from simulators.board.sensirion import Timer

_IDLE_S: Final = 0.02


class SerialChip(ABC):
    """Subclasses answer in `handle`.

    `connected` False is a wire that came off, `mute` a chip that hangs, `flip` (byte, bits) of the
    answers are wrong on the way, `cut` bytes of them are missing at the end.
    """

    baudrate = 9600

    def __init__(self, request_size: int, delay_s: float, timer: Timer = time.monotonic) -> None:
        self.connected = True
        self.mute = False
        self.flip: tuple[int, int] | None = None
        self.cut = 0
        self._request_size = request_size
        self._delay_s = delay_s
        self._timer = timer
        self._powered_at_s = timer()
        self._heard_at_s = timer()
        self._in = bytearray()
        self._out: list[tuple[float, bytes]] = []

    @abstractmethod
    def handle(self, request: bytes) -> bytes | None:
        """The answer to one frame, or None."""

    def power_cycle(self) -> None:
        """Forget what is not kept without power."""
        self._powered_at_s = self._timer()
        self._in.clear()
        self._out.clear()

    @property
    def powered_for_s(self) -> float:
        """Since power-on."""
        return self._timer() - self._powered_at_s

    def receive(self, data: bytes, baudrate: int) -> None:
        """What the master sends; at another speed it is noise."""
        if not self.connected or baudrate != self.baudrate:
            return
        if self._timer() > self._heard_at_s + _IDLE_S:
            # Half a request, and then silence: the next byte begins another.
            self._in.clear()
        self._heard_at_s = self._timer()
        self._in += data
        while len(self._in) >= self._request_size:
            request = bytes(self._in[: self._request_size])
            del self._in[: self._request_size]
            answer = None if self.mute else self.handle(request)
            if answer:
                self._out.append((self._timer() + self._delay_s, self._damaged(answer)))

    def send(self) -> bytes:
        """What has come out since."""
        now_s = self._timer()
        due = b"".join(data for due_s, data in self._out if due_s <= now_s)
        self._out = [waiting for waiting in self._out if waiting[0] > now_s]
        return due if self.connected else b""

    def _damaged(self, answer: bytes) -> bytes:
        data = bytearray(answer[: len(answer) - self.cut])
        if self.flip is not None and self.flip[0] < len(data):
            data[self.flip[0]] ^= self.flip[1]
        return bytes(data)
