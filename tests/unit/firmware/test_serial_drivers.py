"""MH-Z19C and SenseAir S8 in MicroPython, against chips that answer on a serial line."""

import pytest

from simulators.board.chips import Chips
from simulators.board.mhz19 import Mhz19
from simulators.board.s8 import S8
from simulators.board.serial_chips import SerialChip
from tests.unit.firmware.conftest import Drive, Timer


@pytest.fixture
def mhz19(timer: Timer) -> Mhz19:
    return Mhz19(timer=timer)


@pytest.fixture
def s8() -> S8:
    return S8()


@pytest.fixture
def chips(request: pytest.FixtureRequest, mhz19: Mhz19, s8: S8) -> Chips:
    return Chips(serial={2: s8 if "s8" in request.node.name else mhz19})


async def test_mhz19_is_silent_until_it_is_warm(drive: Drive, mhz19: Mhz19, timer: Timer) -> None:
    """What it says before is no measurement."""
    lines = await drive("mhz19", "start", "measure", "skip:89", "measure", "skip:2", "measure")
    assert (lines[1], lines[3], lines[5]) == ("None", "None", "(500,)")
    timer.ahead_s += 90
    mhz19.co2_ppm = 1234
    assert (await drive("mhz19", "start", "skip:91", "measure"))[2] == "(1234,)"


async def test_mhz19_is_told_whether_to_correct_its_baseline(drive: Drive, mhz19: Mhz19) -> None:
    assert (await drive("mhz19", "start", "get:abc"))[1] == "None"
    assert mhz19.automatic_calibration
    assert (await drive("mhz19", "abc:off", "start", "get:abc"))[2] == "False"
    assert not mhz19.automatic_calibration
    await drive("mhz19", "abc:on", "start")
    assert mhz19.automatic_calibration


async def test_mhz19_is_calibrated_to_400_after_20_minutes(
    drive: Drive, mhz19: Mhz19, timer: Timer
) -> None:
    mhz19.co2_ppm = 455
    timer.ahead_s += 90
    lines = await drive("mhz19", "start", "calibrate:420", "calibrate:400", "skip:1201")
    assert lines[1] == "SensorError mhz19@uart: calibrates to 400 ppm only: send ppm 400"
    assert lines[2].startswith("SensorError mhz19@uart: calibration wants 20 minutes")
    assert mhz19.correction_ppm == 0
    lines = await drive("mhz19", "start", "skip:1201", "calibrate:400", "measure")
    assert lines[2:] == ["None", "(400,)"]


async def test_mhz19_zero_is_no_measurement(drive: Drive, mhz19: Mhz19, timer: Timer) -> None:
    timer.ahead_s += 90
    mhz19.co2_ppm = 0
    lines = await drive("mhz19", "start", "skip:91", "measure")
    assert lines[2] == "SensorError mhz19@uart: 0 ppm is no measurement"


async def test_s8_reads_registers_after_warming_up(drive: Drive, s8: S8) -> None:
    s8.co2_ppm = 842
    lines = await drive("s8", "start", "measure", "skip:31", "measure", "get:abc")
    assert (lines[1], lines[3], lines[4]) == ("None", "(842,)", "True")


async def test_s8_baseline_correction_is_a_period_and_written_once(drive: Drive, s8: S8) -> None:
    await drive("s8", "abc:off", "start", "start")
    assert (s8.abc_hours, s8.writes) == (0, 1)
    assert (await drive("s8", "abc:on", "start", "get:abc"))[2] == "True"
    assert (s8.abc_hours, s8.writes) == (180, 2)


async def test_s8_is_calibrated_to_400_and_says_when_it_was_not(drive: Drive, s8: S8) -> None:
    s8.co2_ppm = 455
    lines = await drive("s8", "start", "calibrate:420", "calibrate:400", "skip:31", "measure")
    assert lines[1] == "SensorError s8@uart: calibrates to 400 ppm only: send ppm 400"
    assert (lines[2], lines[4]) == ("None", "(400,)")
    s8.lamp_cycle_s = 2
    s8.co2_ppm = 610
    assert (await drive("s8", "start", "calibrate:400", "skip:31", "measure"))[3] == "(400,)"
    s8.deaf = True
    assert (await drive("s8", "calibrate:400"))[0].endswith("calibration was not done")


@pytest.mark.parametrize(
    ("status", "cause"), [(1, "fatal error"), (0x20, "out of range"), (0x40, "memory")]
)
async def test_s8_status_bits_are_errors(drive: Drive, s8: S8, status: int, cause: str) -> None:
    s8.status = status
    lines = await drive("s8", "start", "skip:31", "measure")
    assert lines[2] == f"SensorError s8@uart: status 0x{status:02x}: {cause}"


@pytest.mark.parametrize("chip", ["s8", "mhz19"])
async def test_serial_faults_are_sensor_errors(drive: Drive, chips: Chips, chip: str) -> None:
    serial: SerialChip = chips.serial[2]
    where = f"SensorError {chip}@uart: "
    serial.flip = (4, 0x01)
    assert await drive(chip, "start") == [where + "checksum is wrong"]
    serial.flip = None
    serial.cut = 3
    assert (await drive(chip, "start"))[0].endswith("bytes in 500 ms")
    serial.cut = 0
    serial.mute = True
    assert (await drive(chip, "start"))[0].startswith(where + "0 of ")
    serial.mute = False
    # Another speed is noise.
    assert (await drive(f"{chip}:19200", "start"))[0].startswith(where + "0 of ")
    serial.connected = False
    assert (await drive(chip, "start"))[0].startswith(where + "0 of ")
    serial.connected = True
    assert "Error" not in (await drive(chip, "start"))[0]
