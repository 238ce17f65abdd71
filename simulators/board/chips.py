"""The chips of one board. It knows them by name and by address, and nothing of the bus."""

from collections.abc import Iterator

from simulators.board.scd4x import Scd4x
from simulators.board.sensirion import Chip
from simulators.board.sht4x import Sht4x


class Chips:
    """An SHT4x and an SCD4x as a classroom's node has them.

    Pass others to replace them, or set `connected` of one to False to take it off the bus.
    """

    def __init__(self, sht4x: Sht4x | None = None, scd4x: Scd4x | None = None) -> None:
        self.sht4x = sht4x or Sht4x()
        self.scd4x = scd4x or Scd4x()

    def __iter__(self) -> Iterator[Chip]:
        return iter((self.sht4x, self.scd4x))

    def at(self, address: int) -> Chip | None:
        """The chip that answers at `address` now."""
        for chip in self:
            if chip.address == address and chip.connected:
                return chip
        return None

    def power_cycle(self) -> None:
        """Take the power from all of them and give it back."""
        for chip in self:
            chip.power_cycle()
