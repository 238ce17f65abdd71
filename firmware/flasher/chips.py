"""The chips that nodes are made of, and what about them differs. It knows no board and no file."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Chip:
    """`image_id` stands in the header of every image for the chip, `image_offset` is where its ROM
    looks for the first one. `scl` and `sda` are the pins of the sensors' bus unless others are
    named.
    """

    name: str
    image_id: int
    image_offset: int
    scl: int
    sda: int

    @property
    def key(self) -> str:
        """The name as MicroPython and the settings write it: `esp32c3`."""
        return self.name.replace("-", "").lower()


# Ids: esptool's IMAGE_CHIP_ID. Pins: free on the usual boards, and none that decides how the chip
# starts.
CHIPS: Final = (
    Chip("ESP32", 0, 0x1000, scl=22, sda=21),
    Chip("ESP32-S2", 2, 0x1000, scl=9, sda=8),
    Chip("ESP32-C3", 5, 0x0, scl=5, sda=4),
    Chip("ESP32-S3", 9, 0x0, scl=9, sda=8),
    Chip("ESP32-C6", 13, 0x0, scl=7, sda=6),
)


def chip_named(name: str) -> Chip | None:
    """The chip as esptool names it; `None` for one that nodes are not made of."""
    return next((chip for chip in CHIPS if chip.name == name), None)


def chip_of_image(image_id: int) -> Chip | None:
    """The chip that an image with this id is for."""
    return next((chip for chip in CHIPS if chip.image_id == image_id), None)
