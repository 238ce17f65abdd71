"""The virtual chips refuse what the real ones refuse."""

import pytest

from simulators.board.bme280 import Bme280, Trim, fine_temperature, pressure_pa
from simulators.board.chips import Chips
from simulators.board.i2c import I2cBus
from simulators.board.mhz19 import Mhz19
from simulators.board.onewire import Ds18b20, OneWireBus
from simulators.board.s8 import S8, crc16
from simulators.board.scd4x import Scd4x
from simulators.board.scd30 import Scd30
from simulators.board.sensirion import Refused, crc8
from simulators.board.sht3x import Sht3x
from simulators.board.sht4x import Sht4x


class Timer:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def sht4x(timer: Timer) -> Sht4x:
    return Sht4x(timer=timer)


@pytest.fixture
def scd4x(timer: Timer) -> Scd4x:
    return Scd4x(timer=timer)


def test_checksum_of_the_datasheet() -> None:
    assert crc8(b"\xbe\xef") == 0x92


@pytest.mark.parametrize(("command", "longest_s"), [(0xFD, 0.0083), (0xF6, 0.0045), (0xE0, 0.0016)])
def test_sht4x_gives_nothing_before_its_measuring_time(
    sht4x: Sht4x, timer: Timer, command: int, longest_s: float
) -> None:
    sht4x.write(bytes((command,)))
    timer.now_s += longest_s * 0.9
    with pytest.raises(Refused):
        sht4x.read(6)
    timer.now_s += longest_s * 0.2
    assert len(sht4x.read(6)) == 6


def test_sht4x_gives_a_measurement_once(sht4x: Sht4x, timer: Timer) -> None:
    sht4x.write(b"\xfd")
    timer.now_s += 0.01
    sht4x.read(6)
    with pytest.raises(Refused):
        sht4x.read(6)


def test_sht4x_words_follow_the_datasheet(sht4x: Sht4x, timer: Timer) -> None:
    sht4x.temperature_c, sht4x.humidity_percent = 25.0, 50.0
    sht4x.write(b"\xfd")
    timer.now_s += 0.01
    data = sht4x.read(6)
    assert -45 + 175 * int.from_bytes(data[:2]) / 65535 == pytest.approx(25, abs=0.002)
    assert -6 + 125 * int.from_bytes(data[3:5]) / 65535 == pytest.approx(50, abs=0.002)
    assert data[2] == crc8(data[:2])
    assert data[5] == crc8(data[3:5])


@pytest.mark.parametrize("command", [b"\x00", b"\xfd\x00"])
def test_sht4x_refuses_what_is_no_command(sht4x: Sht4x, command: bytes) -> None:
    with pytest.raises(Refused):
        sht4x.write(command)


def test_scd4x_measures_every_five_seconds(scd4x: Scd4x, timer: Timer) -> None:
    timer.now_s += 1
    scd4x.write(b"\x21\xb1")
    for seconds, ready in ((4.9, False), (0.2, True)):
        timer.now_s += seconds
        scd4x.write(b"\xe4\xb8")
        timer.now_s += 0.001
        assert bool(int.from_bytes(scd4x.read(3)[:2]) & 0x7FF) is ready


def test_scd4x_refuses_a_read_before_there_is_a_value(scd4x: Scd4x, timer: Timer) -> None:
    timer.now_s += 1
    scd4x.write(b"\x21\xb1")
    timer.now_s += 1
    scd4x.write(b"\xec\x05")
    timer.now_s += 0.002
    with pytest.raises(Refused):
        scd4x.read(9)


@pytest.mark.parametrize("command", [b"\x36\x82", b"\x21\xb1", b"\x24\x16\x00\x01\xb0"])
def test_scd4x_refuses_while_measuring_what_table_9_forbids(
    scd4x: Scd4x, timer: Timer, command: bytes
) -> None:
    timer.now_s += 1
    scd4x.write(b"\x21\xb1")
    with pytest.raises(Refused):
        scd4x.write(command)


def test_scd4x_is_deaf_for_half_a_second_after_a_stop(scd4x: Scd4x, timer: Timer) -> None:
    timer.now_s += 1
    scd4x.write(b"\x3f\x86")
    timer.now_s += 0.4
    with pytest.raises(Refused):
        scd4x.write(b"\x36\x82")
    timer.now_s += 0.2
    scd4x.write(b"\x36\x82")


def test_scd4x_checks_the_checksum_of_an_argument(scd4x: Scd4x, timer: Timer) -> None:
    timer.now_s += 1
    with pytest.raises(Refused):
        scd4x.write(b"\x24\x16\x00\x00\x00")
    scd4x.write(b"\x24\x16\x00\x00\x81")
    assert not scd4x.automatic_calibration


def test_scd4x_words_are_the_datasheets_examples(timer: Timer) -> None:
    """§3.5.2: 500 ppm, 25 °C, 37 %; §3.7.1: recalibrated to 480 ppm by −50."""
    temperature_c, humidity_percent = 175 * 0x6667 / 65535 - 45, 100 * 0x5EB9 / 65535
    assert (round(temperature_c), round(humidity_percent)) == (25, 37)
    chip = Scd4x(
        co2_ppm=500, temperature_c=temperature_c, humidity_percent=humidity_percent, timer=timer
    )
    timer.now_s += 1
    chip.write(b"\x21\xb1")
    timer.now_s += 181
    chip.write(b"\xec\x05")
    timer.now_s += 0.001
    assert chip.read(9) == bytes.fromhex("01f4336667a25eb93c")
    chip.write(b"\x3f\x86")
    timer.now_s += 0.5
    chip.co2_ppm = 530
    chip.write(bytes.fromhex("362f01e0b4"))
    timer.now_s += 0.4
    assert chip.read(3) == bytes.fromhex("7fce7b")


def test_scd30_is_not_on_the_bus_while_it_starts(timer: Timer) -> None:
    """§1.1: up to two seconds, and self-calibration is off as delivered."""
    chip = Scd30(timer=timer)
    assert not chip.automatic_calibration
    chips = Chips(others=[chip])
    bus = I2cBus(chips)
    bus.open(50_000, 200_000, 22, 21, soft=1)
    chip.power_cycle()
    assert bus.scan() == b"\x44\x62"
    assert bus.write(0x61, b"\xd1\x00")[0] != 0
    timer.now_s += 2
    assert bus.scan() == b"\x44\x61\x62"
    assert bus.write(0x61, b"\xd1\x00")[0] == 0


def test_scd30_forgets_what_it_was_calibrated_to_and_not_the_correction(timer: Timer) -> None:
    chip = Scd30(co2_ppm=470, timer=timer)
    chip.write(bytes.fromhex("0010000081"))
    chip.write(b"\x52\x04\x01\xa4" + bytes((crc8(b"\x01\xa4"),)))
    chip.power_cycle()
    timer.now_s += 2
    chip.write(b"\x52\x04")
    timer.now_s += 0.003
    assert int.from_bytes(chip.read(3)[:2]) == 400
    assert chip.correction_ppm == -50


def test_sht3x_gives_nothing_before_its_measuring_time(timer: Timer) -> None:
    chip = Sht3x(timer=timer)
    chip.write(b"\x24\x00")
    timer.now_s += 0.014
    with pytest.raises(Refused):
        chip.read(6)
    timer.now_s += 0.002
    assert len(chip.read(6)) == 6


def test_scd30_words_are_the_interface_descriptions_example(timer: Timer) -> None:
    chip = Scd30(
        co2_ppm=439.09515, temperature_c=27.238279, humidity_percent=48.806744, timer=timer
    )
    chip.write(b"\x00\x10\x00\x00\x81")
    timer.now_s += 2
    chip.write(b"\x03\x00")
    timer.now_s += 0.003
    assert chip.read(18) == bytes.fromhex("43dbcb8c2e8f41d970e7fff54243bf3a1b74")


def test_bme280_formulas_give_bosch_worked_example() -> None:
    fine = fine_temperature(Trim(), 519_888)
    assert fine / 5120 == pytest.approx(25.08, abs=0.005)
    assert pressure_pa(Trim(), 415_148, fine) == pytest.approx(100_653.27, abs=0.02)


def test_bme280_humidity_control_counts_with_the_next_control(timer: Timer) -> None:
    """§5.4.3: without it, humidity is not measured."""
    chip = Bme280(timer=timer)
    timer.now_s += 0.01
    for writes, measured in (((0xF4, 0x25), False), ((0xF2, 0x01), False), ((0xF4, 0x25), True)):
        chip.write(bytes(writes))
        timer.now_s += 0.01
        chip.write(b"\xfd")
        assert (chip.read(2) != b"\x80\x00") is measured


def test_bme280_is_busy_while_it_measures(timer: Timer) -> None:
    chip = Bme280(timer=timer)
    timer.now_s += 0.01
    chip.write(b"\xf4\x25")
    for elapsed_s, busy in ((0.009, True), (0.001, False)):
        timer.now_s += elapsed_s
        chip.write(b"\xf3")
        assert bool(chip.read(1)[0] & 8) is busy


def test_ds18b20_holds_the_line_low_while_it_converts(timer: Timer) -> None:
    chip = Ds18b20(7, 21.5, timer=timer)
    bus = OneWireBus(chip)
    assert bus.reset()
    bus.write(0xCC, 8)
    bus.write(0x44, 8)
    timer.now_s += 0.74
    assert bus.read(1) == 0
    timer.now_s += 0.02
    assert bus.read(1) == 1
    assert chip.register == 21.5 * 16


def test_ds18b20_that_is_not_meant_keeps_silent() -> None:
    one, other = Ds18b20(1), Ds18b20(2)
    bus = OneWireBus(one, other)
    bus.reset()
    bus.write(0x55, 8)
    for byte in other.rom:
        bus.write(byte, 8)
    other.register = 0x0123
    bus.write(0xBE, 8)
    assert bus.read(16) == 0x0123


def test_s8_answers_what_it_does_not_know_with_an_exception(timer: Timer) -> None:
    chip = S8(timer=timer)
    for request, code in (("fe0500000001", 1), ("fe0400200001", 2), ("fe0600500001", 2)):
        frame = bytes.fromhex(request)
        frame += crc16(frame).to_bytes(2, "little")
        chip.receive(frame, 9600)
        timer.now_s += 0.05
        answer = chip.send()
        assert answer[1] == frame[1] | 0x80
        assert answer[2] == code
        timer.now_s += 1


def test_serial_chips_ignore_a_wrong_checksum_and_another_speed(timer: Timer) -> None:
    chip = Mhz19(timer=timer)
    for frame, baudrate, answers in (
        ("ff0186000000000078", 9600, False),
        ("ff0186000000000079", 19_200, False),
        ("ff0186000000000079", 9600, True),
    ):
        chip.receive(bytes.fromhex(frame), baudrate)
        timer.now_s += 0.05
        assert bool(chip.send()) is answers


def test_a_held_data_line_silences_the_bus_until_nine_pulses() -> None:
    bus = I2cBus(Chips())
    bus.open(100_000, 13_107, 22, 21, soft=0)
    bus.held_pulses = 9
    assert bus.level(21) == 0
    assert bus.scan() == b""
    for _ in range(9):
        assert bus.write(0x44, b"\xfd")[0] != 0
        bus.clock(22, 0)
        bus.clock(22, 1)
    assert bus.level(21) == 1
    assert bus.scan() == b"\x44\x62"


def test_a_bus_in_hardware_loses_a_pin_that_gets_a_mode() -> None:
    bus = I2cBus(Chips())
    bus.open(100_000, 13_107, 22, 21, soft=0)
    bus.take(21)
    assert bus.write(0x44, b"\xfd")[0] != 0
    bus.open(100_000, 13_107, 22, 21, soft=1)
    bus.take(21)
    assert bus.write(0x44, b"\xfd")[0] == 0
