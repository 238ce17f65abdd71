"""SHT4x and SCD4x in MicroPython, against chips that answer as their datasheets say."""

import ast

import pytest

from simulators.board.chips import Chips
from simulators.board.scd4x import Scd4x
from tests.unit.firmware.conftest import Drive, Timer


@pytest.mark.parametrize(
    ("temperature_c", "humidity_percent"),
    [(19.42, 45.1), (-0.05, 100), (-40, 0), (0, 33.3), (85, 7)],
)
async def test_sht4x_reads_what_the_chip_holds(
    drive: Drive, chips: Chips, temperature_c: float, humidity_percent: float
) -> None:
    chips.sht4x.temperature_c = temperature_c
    chips.sht4x.humidity_percent = humidity_percent
    _, measured = await drive("sht4x", "start", "measure")
    assert ast.literal_eval(measured) == (round(temperature_c * 100), round(humidity_percent * 10))


async def test_sht4x_keeps_humidity_within_0_and_100(drive: Drive, chips: Chips) -> None:
    chips.sht4x.humidity_percent = 118
    assert ast.literal_eval((await drive("sht4x", "start", "measure"))[1])[1] == 1000
    chips.sht4x.humidity_percent = -5
    assert ast.literal_eval((await drive("sht4x", "start", "measure"))[1])[1] == 0


@pytest.mark.parametrize(("chip", "address"), [("sht4x", "0x44"), ("scd4x", "0x62")])
async def test_a_wrong_checksum_is_a_sensor_error(
    drive: Drive, chips: Chips, chip: str, address: str
) -> None:
    getattr(chips, chip).corrupt_crc = True
    assert await drive(chip, "start") == [
        f"SensorError {chip}@{address}: checksum of word 0 is wrong"
    ]


@pytest.mark.parametrize(("chip", "address"), [("sht4x", "0x44"), ("scd4x", "0x62")])
async def test_an_absent_chip_is_a_sensor_error(
    drive: Drive, chips: Chips, chip: str, address: str
) -> None:
    getattr(chips, chip).connected = False
    (line,) = await drive(chip, "start")
    assert line.startswith(f"SensorError {chip}@{address}: no acknowledgement")


async def test_serial_numbers_are_read_whole(drive: Drive) -> None:
    assert await drive("sht4x", "start") == [str(0x0F5A_31C4)]
    assert await drive("scd4x", "start") == [str(0x3A7E_15C0_4B21)]


async def test_scd4x_gives_each_value_once_and_waits_for_the_next(
    drive: Drive, chips: Chips, timer: Timer
) -> None:
    chips.scd4x.co2_ppm, chips.scd4x.temperature_c, chips.scd4x.humidity_percent = 842, 21.5, 39.9
    assert (await drive("scd4x", "start", "measure"))[1] == "None"
    timer.ahead_s += 5
    assert await drive("scd4x", "measure", "measure") == ["(842, 2150, 399)", "None"]


async def test_scd4x_starts_again_after_a_reset_that_left_it_measuring(
    drive: Drive, timer: Timer
) -> None:
    await drive("scd4x", "start")
    await drive("scd4x", "start")
    timer.ahead_s += 5
    assert (await drive("scd4x", "measure"))[0].startswith("(600,")


async def test_scd4x_is_recalibrated_after_three_minutes(
    drive: Drive, chips: Chips, timer: Timer
) -> None:
    chips.scd4x.co2_ppm = 470
    await drive("scd4x", "start")
    timer.ahead_s += 181
    assert await drive("scd4x", "calibrate:420") == ["-50"]
    timer.ahead_s += 5
    assert (await drive("scd4x", "measure"))[0].startswith("(420,")


async def test_scd4x_says_when_recalibration_failed_and_goes_on(drive: Drive, timer: Timer) -> None:
    lines = await drive("scd4x", "start", "calibrate:420")
    assert lines[1].startswith("SensorError scd4x@0x62: recalibration failed")
    timer.ahead_s += 5
    assert (await drive("scd4x", "measure"))[0].startswith("(600,")


async def test_scd4x_sets_automatic_calibration_once_and_for_good(
    drive: Drive, chips: Chips, timer: Timer
) -> None:
    """Its memory bears 2,000 writes: only a change is written."""
    lines = await drive("scd4x", "start", "get:abc", "abc:off", "start", "get:abc")
    assert (lines[1], lines[4]) == ("True", "False")
    assert not chips.scd4x.automatic_calibration
    assert chips.scd4x.writes == 1
    await drive("scd4x", "abc:off", "start", "start")
    assert chips.scd4x.writes == 1


async def test_scd4x_that_stays_silent_is_a_sensor_error(drive: Drive, chips: Chips) -> None:
    chips.scd4x.silent = True
    lines = await drive("scd4x", "start", "skip:14", "measure", "skip:2", "measure")
    assert lines[2] == "None"
    assert lines[4] == "SensorError scd4x@0x62: no value for 15 s"


async def test_scd41_shoots_singly_and_throws_the_first_after_power_on_away(
    drive: Drive, chips: Chips
) -> None:
    lines = await drive("scd4x:single", "start", "measure", "measure")
    assert [line.split(",")[0] for line in lines[1:]] == ["(600", "(600"]
    assert chips.scd4x.shots == 3


async def test_scd41_throws_a_shot_away_after_a_failure_which_may_have_been_a_loss_of_power(
    drive: Drive, chips: Chips
) -> None:
    chips.scd4x = FlippingScd4x()
    lines = await drive("scd4x:single", "start", "measure", "measure", "measure")
    assert lines[1].startswith("(600")
    assert lines[2] == "SensorError scd4x@0x62: checksum of word 0 is wrong"
    assert lines[3].startswith("(600")
    assert chips.scd4x.shots == 2 + 1 + 2


class FlippingScd4x(Scd4x):
    """A bit is wrong on the way after the third shot, and only then."""

    def read(self, size: int) -> bytes:
        self.corrupt_crc = self.shots == 3
        return super().read(size)


async def test_scd40_knows_no_single_shot_and_says_so(
    drive: Drive, chips: Chips, timer: Timer
) -> None:
    """It must not be left measuring, which nobody would read, while its node sleeps."""
    chips.scd4x = Scd4x(scd40=True, timer=timer)
    lines = await drive("scd4x:single", "start", "measure")
    assert lines[1].startswith("SensorError scd4x@0x62: no acknowledgement")
    assert not chips.scd4x.measuring


async def test_a_single_shot_without_a_value_is_a_sensor_error(drive: Drive, chips: Chips) -> None:
    chips.scd4x.silent = True
    lines = await drive("scd4x:single", "start", "measure")
    assert lines[1] == "SensorError scd4x@0x62: a single shot gave no value"


async def test_scd41_is_recalibrated_after_three_minutes_of_single_shots(
    drive: Drive, chips: Chips, timer: Timer
) -> None:
    """§3.7.1: in the way in which it later measures, also between the wakes of a node."""
    chips.scd4x.co2_ppm = 470
    lines = await drive("scd4x:single", "start", "measure", "calibrate:420")
    assert lines[2].startswith("SensorError scd4x@0x62: recalibration failed")
    timer.ahead_s += 180
    lines = await drive("scd4x:single", "start", "measure", "calibrate:420", "measure")
    assert lines[2] == "-50"
    assert lines[3].startswith("(420,")
    assert not chips.scd4x.measuring
