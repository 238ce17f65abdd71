"""A contact at a door or window: a reed switch between a pin and ground, closed by its magnet.

It must not know quantities' names or when to measure.
"""

from micropython import const

from drivers import place
from drivers.edges import Edges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import Pin
    from node_types import Ticks

CHIP = "contact"

# Reed switches bounce for some milliseconds; a door that is opened and shut takes longer.
_BOUNCE_MS = const(50)


class Contact:
    """`pin` has its pull-up. With `inverted` the switch is closed while the door is open."""

    def __init__(self, pin: Pin, address: str, inverted: bool = False) -> None:
        self.pin = pin
        self._inverted = inverted
        self.name = place(CHIP, address)
        self.edges: Edges | None = None

    async def start(self) -> None:
        """From now on changes are seen."""
        if self.edges is None:
            self.edges = Edges(self.pin, _BOUNCE_MS)

    async def measure(self) -> list[tuple[int, Ticks]]:
        """[(1 open or 0 shut, ticks_ms), …], changes and last how it is now."""
        edges = self.edges
        return (
            [(level ^ self._inverted, moment) for level, moment in edges.drain()] if edges else []
        )
