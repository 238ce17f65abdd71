"""A virtual board that runs from the bytes of its flash: MicroPython mounts them as LittleFS, as
the chip does, and starts what lies there.
"""

import shutil
from pathlib import Path
from typing import Any

from simulators.board.board import VirtualBoard
from simulators.board.program import Program

_ROM = Path(__file__).parent / "littlefs_port"


class FlashedBoard(VirtualBoard):
    """`image` is the file system's partition; it lies in `directory` and changes as the node
    writes. Nothing is put on it here.
    """

    def __init__(self, node: str, directory: Path, image: bytes, *, tls: bool = True) -> None:
        # Only whether there is TLS matters here, for the heap: the rest stands in the image.
        told: dict[str, Any] = {"broker": {"tls": tls}}
        super().__init__(node, directory, ("", 0), extra_config=told)
        directory.mkdir(parents=True, exist_ok=True)
        self.image = directory.absolute() / "flash.bin"
        self.image.write_bytes(image)

    def _environment(self, program: Program, powered_s: float) -> dict[str, str]:
        environment = super()._environment(program, powered_s)
        environment["MICROPYPATH"] = f"{_ROM}:{program.stand_ins}:.frozen"
        environment["BOARD_FLASH"] = str(self.image)
        environment["BOARD_ROM"] = str(_ROM)
        return environment


def forget(directory: Path) -> None:
    """The board is gone."""
    shutil.rmtree(directory)
