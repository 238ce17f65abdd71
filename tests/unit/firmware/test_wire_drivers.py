"""DS18B20 and DHT22 in MicroPython, against chips that answer bit by bit."""

import pytest

from simulators.board.chips import Chips
from simulators.board.dht22 import Dht22
from simulators.board.onewire import Ds18b20, OneWireBus, crc8
from tests.unit.firmware.conftest import Drive


@pytest.fixture
def probe() -> Ds18b20:
    return Ds18b20(0x0000_0724_31A5)


@pytest.fixture
def line(probe: Ds18b20) -> OneWireBus:
    return OneWireBus(probe)


@pytest.fixture
def dht22() -> Dht22:
    return Dht22()


@pytest.fixture
def chips(line: OneWireBus, dht22: Dht22) -> Chips:
    return Chips(wires={4: line}, dht22={15: dht22})


def test_checksum_of_the_datasheet() -> None:
    assert crc8(bytes.fromhex("021cb801000000")) == 0xA2


@pytest.mark.parametrize(
    ("temperature_c", "hundredths"),
    [
        (125, 12500),
        (25.0625, 2506),
        (10.125, 1013),
        (0.5, 50),
        (0, 0),
        (-0.5, -50),
        (-10.125, -1012),
        (-25.0625, -2506),
        (-55, -5500),
    ],
)
async def test_ds18b20_gives_the_values_of_table_1(
    drive: Drive, probe: Ds18b20, temperature_c: float, hundredths: int
) -> None:
    probe.temperature_c = temperature_c
    assert (await drive("ds18b20:4", "start", "measure"))[1] == f"({hundredths},)"


async def test_ds18b20_of_coarse_resolution_has_no_false_bits(
    drive: Drive, chips: Chips, line: OneWireBus
) -> None:
    line.devices = [Ds18b20(7, 21.4375, bits=9)]
    assert (await drive("ds18b20:4", "measure")) == ["(2100,)"]


async def test_ds18b20_power_on_value_is_an_error_and_not_a_temperature(
    drive: Drive, probe: Ds18b20
) -> None:
    probe.unpowered = True
    (said,) = await drive("ds18b20:4", "measure")
    assert said.startswith("SensorError ds18b20@28-0000072431a5: 85.0 °C, the value at power-on")


async def test_ds18b20_next_to_the_power_on_value_is_a_temperature(
    drive: Drive, probe: Ds18b20
) -> None:
    probe.temperature_c = 85.0625
    assert await drive("ds18b20:4", "measure") == ["(8506,)"]


async def test_ds18b20_that_says_nothing_is_an_error_and_not_minus_127(
    drive: Drive, probe: Ds18b20
) -> None:
    probe.silent = True
    assert (
        await drive("ds18b20:4", "start", "measure")
        == ["SensorError ds18b20@28-0000072431a5: no answer"] * 2
    )


async def test_ds18b20_out_of_its_range_is_an_error(drive: Drive, probe: Ds18b20) -> None:
    """-127 °C may also come in so many words, from chips that are none of Maxim's."""
    probe.temperature_c = -127
    (said,) = await drive("ds18b20:4", "measure")
    assert said.endswith("-127 °C is out of range")


@pytest.mark.parametrize("byte", range(9))
async def test_ds18b20_answer_with_a_damaged_byte_is_refused(
    drive: Drive, probe: Ds18b20, byte: int
) -> None:
    probe.flip = (byte, 0x10)
    assert await drive("ds18b20:4", "start") == [
        "SensorError ds18b20@28-0000072431a5: checksum is wrong"
    ]


async def test_ds18b20_line_that_is_held_low_is_an_error(drive: Drive, line: OneWireBus) -> None:
    line.held_low = True
    assert await drive("ds18b20:4", "start") == ["SensorError ds18b20@pin4: the line is held low"]


# -- DHT22 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("temperature_c", "humidity_percent", "said"),
    # The datasheet's examples: 35.1 °C at 65.2 %, and -10.1 °C.
    [(35.1, 65.2, "(3510, 652)"), (-10.1, 65.2, "(-1010, 652)"), (0.0, 99.9, "(0, 999)")],
)
async def test_dht22_gives_what_the_chip_holds(
    drive: Drive, dht22: Dht22, temperature_c: float, humidity_percent: float, said: str
) -> None:
    dht22.temperature_c, dht22.humidity_percent = temperature_c, humidity_percent
    assert (await drive("dht22:15", "start", "measure"))[1] == said


async def test_dht22_faults_are_sensor_errors(drive: Drive, dht22: Dht22) -> None:
    dht22.flip = (1, 0x04)
    assert await drive("dht22:15", "measure") == ["SensorError dht22@pin15: checksum is wrong"]
    dht22.held_low = True
    dht22.flip = None
    (said,) = await drive("dht22:15", "measure")
    assert said == "SensorError dht22@pin15: 0, 0 tenths are out of range"
    dht22.connected = False
    (said,) = await drive("dht22:15", "measure")
    assert said.startswith("SensorError dht22@pin15: no answer")


async def test_every_chip_on_a_wire_is_found_and_read(
    run: Drive, line: OneWireBus, chips: Chips
) -> None:
    """By ROM search: serial numbers that differ in their first, last and middle bits."""
    serials = [
        1,
        2,
        3,
        1 << 47,
        (1 << 47) + 1,
        0x5555_5555_5555,
        0xAAAA_AAAA_AAAA,
        0xFFFF_FFFF_FFFF,
    ]
    line.devices = [Ds18b20(serial, 10 + at) for at, serial in enumerate(serials)]
    found = await run("search.py", "4")
    assert sorted(found) == sorted(device.rom.hex() for device in line.devices)


async def test_a_chip_of_another_family_is_left_alone(run: Drive, line: OneWireBus) -> None:
    stranger = Ds18b20(9)
    body = b"\x10" + stranger.rom[1:7]
    stranger.rom = body + bytes((crc8(body),))
    damaged = Ds18b20(10)
    damaged.rom = damaged.rom[:7] + bytes((damaged.rom[7] ^ 1,))
    line.devices += [stranger, damaged]
    assert await run("search.py", "4") == [line.devices[0].rom.hex()]
