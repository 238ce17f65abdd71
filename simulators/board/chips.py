"""The chips of one board: on I²C, on 1-Wire lines, on pins of their own and on UARTs. It knows
where they are, and nothing of the bus.
"""

from collections.abc import Iterator, Mapping, Sequence

from simulators.board.dht22 import Dht22
from simulators.board.onewire import OneWireBus
from simulators.board.scd4x import Scd4x
from simulators.board.sensirion import Chip
from simulators.board.serial_chips import SerialChip
from simulators.board.sht4x import Sht4x


class Chips:
    """An SHT4x and an SCD4x as a classroom's node has them, and what is given besides: `others` on
    I²C, `wires` and `dht22` by pin, `serial` by UART.

    Pass others to replace them, or set `connected` of one to False to take it off its bus.
    """

    def __init__(
        self,
        sht4x: Sht4x | None = None,
        scd4x: Scd4x | None = None,
        *,
        others: Sequence[Chip] = (),
        wires: Mapping[int, OneWireBus] | None = None,
        dht22: Mapping[int, Dht22] | None = None,
        serial: Mapping[int, SerialChip] | None = None,
    ) -> None:
        self.sht4x = sht4x or Sht4x()
        self.scd4x = scd4x or Scd4x()
        self.others = list(others)
        self.wires = dict(wires or {})
        self.dht22 = dict(dht22 or {})
        self.serial = dict(serial or {})

    def __iter__(self) -> Iterator[Chip]:
        """Those on I²C."""
        return iter((self.sht4x, self.scd4x, *self.others))

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
        for wire in self.wires.values():
            for device in wire.devices:
                device.power_cycle()
        for sensor in self.dht22.values():
            sensor.power_cycle()
        for serial in self.serial.values():
            serial.power_cycle()
