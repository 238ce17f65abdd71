"""The virtual chips refuse what the real ones refuse."""

import pytest

from simulators.board.scd4x import Scd4x
from simulators.board.sensirion import Refused, crc8
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
