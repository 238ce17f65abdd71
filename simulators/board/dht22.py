"""DHT22 (AM2302) on a pin of its own, after its datasheet. It knows nothing of pins."""

import time

from simulators.board.sensirion import Timer

_PERIOD_S = 2.0


class Dht22:
    """A DHT22; set `temperature_c` and `humidity_percent`; `flip` is (byte, bits) wrong on the
    way, `held_low` a line that gives zeros.
    """

    def __init__(
        self,
        temperature_c: float = 20.0,
        humidity_percent: float = 45.0,
        *,
        timer: Timer = time.monotonic,
    ) -> None:
        self.temperature_c = temperature_c
        self.humidity_percent = humidity_percent
        self.connected = True
        self.held_low = False
        self.flip: tuple[int, int] | None = None
        self._timer = timer
        self._asked_at_s = timer()
        self._measured = (temperature_c, humidity_percent)

    def power_cycle(self) -> None:
        """It needs two seconds before it answers."""
        self._asked_at_s = self._timer()

    def read(self) -> bytes | None:
        """The five bytes, of the measurement before this one; None within 2 s of the last."""
        if not self.connected or self._timer() < self._asked_at_s + _PERIOD_S:
            return None
        self._asked_at_s = self._timer()
        if self.held_low:
            return bytes(5)
        measured, self._measured = self._measured, (self.temperature_c, self.humidity_percent)
        tenths = round(abs(measured[0]) * 10) | (0x8000 if measured[0] < 0 else 0)
        data = bytearray(round(measured[1] * 10).to_bytes(2, "big") + tenths.to_bytes(2, "big"))
        data.append(sum(data) & 0xFF)
        if self.flip is not None:
            data[self.flip[0]] ^= self.flip[1]
        return bytes(data)
