"""`make bench-firmware`: what the firmware takes of heap, air and flash, in real MicroPython.

The heap is bounded as a node's is (96 KiB of the 64-bit port). Times are this machine's and not an
ESP32's: only their change from one version to the next says something.
"""

import argparse
import asyncio
import contextlib
import json
import tempfile
from pathlib import Path

from firmware.flasher.bundle import build_bundle
from simulators.board.board import VirtualBoard
from simulators.board.program import Program, prepare_program
from tests.bench.figures import Figure, as_json, show
from tests.node_peer import NODE, Gateway
from tests.servers import eventually, mosquitto_server, running
from tests.unit.firmware.micropython import run_micropython
from tests.unit.firmware.sizes import loaded_together, sizes

_CYCLES = Path(__file__).with_name("firmware_cycles.py")


def measure_cycles(program: Program, folder: Path) -> list[Figure]:
    """10,000 cycles of sample, publish, receipt."""
    said = json.loads(run_micropython(program, folder, _CYCLES))
    grown = abs(said["free_100"] - said["free_10000"])
    return [
        Figure("free heap after 100 cycles", said["free_100"], "B"),
        Figure("free heap after 10,000 cycles", said["free_10000"], "B"),
        Figure("difference", grown, "B", bar=2048, at_most=True),
        Figure("on the air a reading (SenML, five a pack)", said["air"], "B"),
        Figure("written to flash a reading", said["flash"], "B"),
    ]


def measure_size(program: Program) -> list[Figure]:
    """The compiled modules."""
    return [
        Figure("compiled modules, all", sum(sizes(program).values()), "B"),
        Figure("loaded together", loaded_together(program), "B", bar=24 * 1024, at_most=True),
        Figure("bundle", len(build_bundle().encoded()), "B"),
    ]


async def measure_wakes(folder: Path) -> list[Figure]:
    """One wake of a node on batteries with the radio on."""
    with (
        running(mosquitto_server(folder)) as server,
        contextlib.closing(Gateway(server.port)) as gateway,
    ):
        board = VirtualBoard(
            NODE,
            folder / "board",
            ("127.0.0.1", server.port),
            interval_s=1,
            extra_config={"life": "battery", "wifi_every": 1},
        )
        # An SCD41 would add its 5 s a shot.
        board.chips.scd4x.connected = False
        async with board:
            asleep = await eventually(
                lambda: [p for p in gateway.presences if p.get("asleep")][2:], deadline_s=60
            )
    return [
        Figure("awake a wake, virtual board", asleep[0]["awake_ms"], "ms"),
        Figure("of that with the radio on", asleep[0]["radio_ms"], "ms"),
    ]


def main() -> int:
    """Print the table; 1 where a bar is not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here, for a machine")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = prepare_program(folder / "program")
        for part in ("cycles", "wakes"):
            (folder / part).mkdir()
        figures = measure_size(program) + measure_cycles(program, folder / "cycles")
        figures += asyncio.run(measure_wakes(folder / "wakes"))
    show(figures)
    if arguments.json:
        arguments.json.write_text(as_json(figures))
    return 1 if any(figure.holds is False for figure in figures) else 0


if __name__ == "__main__":
    raise SystemExit(main())
