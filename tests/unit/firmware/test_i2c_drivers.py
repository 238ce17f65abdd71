"""SHT3x, BME280 and SCD30 in MicroPython, against chips that answer as their datasheets say."""

import ast

import pytest

from simulators.board.bme280 import Bme280
from simulators.board.bus import Wire
from simulators.board.chips import Chips
from simulators.board.scd4x import Scd4x
from simulators.board.scd30 import Scd30
from simulators.board.sht3x import Sht3x
from tests.unit.firmware.conftest import Drive, Timer


@pytest.fixture
def sht3x() -> Sht3x:
    return Sht3x(0x45)


@pytest.fixture
def bme280() -> Bme280:
    return Bme280()


@pytest.fixture
def scd30(timer: Timer) -> Scd30:
    return Scd30(timer=timer)


@pytest.fixture
def chips(sht3x: Sht3x, bme280: Bme280, scd30: Scd30, timer: Timer) -> Chips:
    return Chips(scd4x=Scd4x(timer=timer), others=[sht3x, bme280, scd30])


# -- SHT3x -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("temperature_c", "humidity_percent"), [(19.42, 45.1), (-0.05, 100), (-40, 0), (125, 33.3)]
)
async def test_sht3x_reads_what_the_chip_holds(
    drive: Drive, chips: Chips, sht3x: Sht3x, temperature_c: float, humidity_percent: float
) -> None:
    chips.sht4x.connected = False
    sht3x.address = 0x44
    sht3x.temperature_c, sht3x.humidity_percent = temperature_c, humidity_percent
    lines = await drive("sht3x", "start", "measure")
    assert ast.literal_eval(lines[1]) == (
        round(temperature_c * 100),
        round(humidity_percent * 10),
    )


async def test_sht3x_and_sht4x_do_not_take_one_for_the_other(
    drive: Drive, chips: Chips, sht3x: Sht3x
) -> None:
    """They share the address 0x44: what one answers, the other refuses."""
    assert (await drive("sht3x", "start"))[0].startswith("SensorError sht3x@0x44")
    chips.sht4x.connected = False
    sht3x.address = 0x44
    assert (await drive("sht4x", "start"))[0].startswith("SensorError sht4x@0x44")


async def test_sht3x_checksum_and_absence(drive: Drive, chips: Chips, sht3x: Sht3x) -> None:
    chips.sht4x.connected = False
    sht3x.address = 0x44
    sht3x.corrupt_crc = True
    wrong = "SensorError sht3x@0x44: checksum of word 0 is wrong"
    assert await drive("sht3x", "start", "measure") == [wrong, wrong]
    sht3x.connected = False
    (line,) = await drive("sht3x", "measure")
    assert line.startswith("SensorError sht3x@0x44: no acknowledgement")


# -- BME280 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("temperature_c", "humidity_percent", "pressure_hpa"),
    [(21.37, 45.1, 1013.25), (-12.5, 88.2, 941.07), (0, 10, 870), (60, 95, 1084)],
)
async def test_bme280_gives_what_the_floating_point_formulas_give(
    drive: Drive,
    bme280: Bme280,
    temperature_c: float,
    humidity_percent: float,
    pressure_hpa: float,
) -> None:
    bme280.temperature_c, bme280.humidity_percent = temperature_c, humidity_percent
    bme280.pressure_hpa = pressure_hpa
    lines = await drive("bme280", "start", "measure")
    temperature, humidity, pressure = ast.literal_eval(lines[1])
    assert temperature / 100 == pytest.approx(temperature_c, abs=0.011)
    assert humidity / 10 == pytest.approx(humidity_percent, abs=0.11)
    assert pressure / 100 == pytest.approx(pressure_hpa, abs=0.03)


async def test_bme280_sleeps_between_measurements(drive: Drive, bme280: Bme280) -> None:
    await drive("bme280", "start", "measure")
    assert bme280.sleeping


@pytest.mark.parametrize(
    ("fault", "value", "cause"),
    [
        ("identity", 0x58, "is no BME280: id 0x58"),
        ("untrimmed", True, "trimming values are empty"),
        ("connected", False, "no answer"),
    ],
)
async def test_bme280_that_can_not_start_is_a_sensor_error(
    drive: Drive, bme280: Bme280, fault: str, value: object, cause: str
) -> None:
    setattr(bme280, fault, value)
    (line,) = await drive("bme280", "start")
    assert line.startswith(f"SensorError bme280@0x76: {cause}")


@pytest.mark.parametrize(
    ("fault", "value", "cause"),
    [
        ("stays_busy", True, "measurement does not end"),
        ("skips", True, "did not measure"),
        ("forgets", True, "does not keep what is written"),
        ("raw", (519_888, 0, 30_000), "(2508, "),
    ],
)
async def test_bme280_that_does_not_measure_is_a_sensor_error(
    drive: Drive, bme280: Bme280, fault: str, value: object, cause: str
) -> None:
    setattr(bme280, fault, value)
    _, line = await drive("bme280", "start", "measure")
    assert line.startswith(f"SensorError bme280@0x76: {cause}")


# -- SCD30 -----------------------------------------------------------------------------------


async def test_scd30_gives_each_value_once(drive: Drive, scd30: Scd30, timer: Timer) -> None:
    scd30.co2_ppm, scd30.temperature_c, scd30.humidity_percent = 842.4, -1.25, 39.96
    assert (await drive("scd30:soft", "start", "measure"))[1] == "None"
    timer.ahead_s += 2
    assert await drive("scd30:soft", "measure", "measure") == ["(842, -125, 400)", "None"]


async def test_scd30_needs_a_bus_that_waits_for_a_stretched_clock(
    drive: Drive, scd30: Scd30, wire: Wire
) -> None:
    (line,) = await drive("scd30", "start")
    assert line.startswith("SensorError scd30@0x61: no acknowledgement")
    assert "ETIMEDOUT" in line
    assert wire.i2c.stretch_max_s < 0.015 < scd30.stretch_s


async def test_scd30_refuses_a_fast_bus(drive: Drive, scd30: Scd30) -> None:
    scd30.stretch_s = 0
    assert (await drive("scd30:100000", "start"))[0] == str(0x0342)
    assert (await drive("scd30:400000", "start"))[0].startswith("SensorError scd30@0x61")


async def test_scd30_writes_its_memory_only_for_a_change(drive: Drive, scd30: Scd30) -> None:
    lines = await drive("scd30:soft", "abc:on", "start", "get:abc", "start")
    assert lines[2] == "True"
    assert scd30.automatic_calibration
    assert scd30.writes == 1


async def test_scd30_is_calibrated_after_two_minutes(
    drive: Drive, scd30: Scd30, timer: Timer
) -> None:
    scd30.co2_ppm = 470
    lines = await drive("scd30:soft", "start", "skip:119", "calibrate:420")
    assert lines[2].startswith("SensorError scd30@0x61: recalibration wants 2 minutes")
    assert (await drive("scd30:soft", "start", "skip:121", "calibrate:420"))[2] == "None"
    timer.ahead_s += 5
    assert (await drive("scd30:soft", "measure"))[0].startswith("(420,")


async def test_scd30_has_no_first_value_of_zero_and_no_nonsense(
    drive: Drive, scd30: Scd30, timer: Timer
) -> None:
    await drive("scd30:soft", "start")
    for value, said in ((0.0, "None"), (float("nan"), "SensorError"), (1e9, "SensorError")):
        scd30.co2_ppm = value
        timer.ahead_s += 2
        assert (await drive("scd30:soft", "measure"))[0].startswith(said)


async def test_scd30_checksum_and_silence(drive: Drive, scd30: Scd30) -> None:
    scd30.silent = True
    lines = await drive("scd30:soft", "start", "skip:14", "measure", "skip:2", "measure")
    assert lines[2] == "None"
    assert lines[4] == "SensorError scd30@0x61: no value for 15 s"
    scd30.corrupt_crc = True
    (line,) = await drive("scd30:soft", "start")
    assert line == "SensorError scd30@0x61: checksum of word 0 is wrong"
