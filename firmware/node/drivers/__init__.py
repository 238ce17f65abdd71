"""One chip, one file. A driver is handed its bus and raises only `SensorError`.

A driver has `name` ("sht4x@0x44"), `start()`, which proves that the chip is there and sets it up,
and `measure()`, which gives a tuple of values in the smallest step of their quantities, or None
where the chip has none yet. A CO2 driver besides has `wanted_abc` (automatic baseline correction:
True, False, or None for "as it is"), `abc` (what the chip has, where it tells) and `calibrate`.
"""


def place(chip: str, address: int | str) -> str:
    """How a sensor is called: the chip, and its address as a number of the bus or as text."""
    if isinstance(address, int):
        address = "0x{:02x}".format(address)
    return "{}@{}".format(chip, address)


class SensorError(Exception):
    """A chip did not do what was asked of it: which, where, and why."""

    def __init__(self, chip: str, address: int | str, cause: str) -> None:
        super().__init__("{}: {}".format(place(chip, address), cause))
        self.address = address
