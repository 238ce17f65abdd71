"""A motion sensor (PIR, such as HC-SR501 or AM312): its pin is high while it sees someone move.

It must not know quantities' names or when to measure.
"""

import time

from micropython import const

from drivers import place
from drivers.edges import Edges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import Pin
    from node_types import Ticks

CHIP = "motion"

# HC-SR501: "initialization time about a minute, during which it may give 0 to 3 pulses".
_WARM_MS = const(60_000)
_BOUNCE_MS = const(5)


class Motion:
    def __init__(self, pin: Pin, address: str, warm_ms: int = _WARM_MS) -> None:
        self.pin = pin
        self._warm_ms = warm_ms
        self._powered_ms = time.ticks_ms()
        self.name = place(CHIP, address)
        self.edges: Edges | None = None

    async def start(self) -> None:
        """From now on the sensor warms up."""

    async def measure(self) -> list[tuple[int, Ticks]] | None:
        """[(1 motion or 0 none, ticks_ms), …], changes and last how it is now; None while the
        sensor warms up.
        """
        if self.edges is None:
            if time.ticks_diff(time.ticks_ms(), self._powered_ms) < self._warm_ms:
                return None
            self.edges = Edges(self.pin, _BOUNCE_MS)
        return self.edges.drain()
