"""An outbox as a node leaves it on its flash, made by the node's own code in real MicroPython."""

import os
import subprocess
from pathlib import Path

from simulators.board.program import SOURCES
from tests.servers import require_micropython

_TAKE = """
import os, sys
sys.path.insert(0, {sources!r})
import pack
from outbox import Outbox
outbox = Outbox("packs", 524288, lambda: 0x5f3a9c01)
for number in range({packs}):
    outbox.take(pack.encode_head(1763800000 + 60 * number) + pack.encode_reading(0, 1942 + number))
for _ in range({settled}):
    outbox.settle(outbox.fetch())
if {settled}:
    outbox.save()
"""
LOG = "5f3a9c01"


def outbox_with(folder: Path, *, packs: int, settled: int = 0) -> dict[str, bytes]:
    """The files of an outbox that took so many packs (19.42 °C, then 19.43 …, a minute apart from
    1763800000 on) and got receipts for the first few.
    """
    flash = folder / "node"
    flash.mkdir()
    run(flash, _TAKE.format(sources=str(SOURCES), packs=packs, settled=settled))
    return {f"packs/{file.name}": file.read_bytes() for file in (flash / "packs").iterdir()}


def run(flash: Path, script: str) -> str:
    """What the script prints that runs on this flash."""
    done = subprocess.run(
        [require_micropython(), "-X", "heapsize=1m", "-c", script],
        cwd=flash,
        env=os.environ | {"MICROPYPATH": ".frozen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
