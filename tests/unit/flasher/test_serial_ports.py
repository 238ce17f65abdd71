"""Ports that can't be used, each with its remedy; boards that come one after the other."""

import errno
import fcntl
import grp
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.flasher.commands import node_flash
from firmware.flasher.errors import FlashError
from firmware.flasher.serial_ports import Port, reason_of, require_usable


@pytest.fixture
def tty() -> Iterator[str]:
    """A serial port, as far as the system knows."""
    near, far = os.openpty()
    yield os.ttyname(far)
    os.close(near)
    os.close(far)


def test_a_port_that_is_there_and_free_may_be_used(tty):
    require_usable(tty)


def test_a_port_that_another_program_holds_is_told(tty):
    other = os.open(tty, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(FlashError, match="used by another program: close its serial monitor"):
        require_usable(tty)
    os.close(other)


def test_a_port_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FlashError, match="is the board plugged in, with a cable for data"):
        require_usable(str(tmp_path / "ttyUSB9"))
    (tmp_path / "file").write_text("")
    with pytest.raises(FlashError, match="is no serial port"):
        require_usable(str(tmp_path / "file"))


def test_without_the_right_it_names_the_group_to_join(tty):
    group = grp.getgrgid(Path(tty).stat().st_gid).gr_name
    refused = PermissionError(errno.EACCES, "Permission denied")
    assert f"sudo usermod -aG {group} $USER, then log in again" in reason_of(tty, refused)
    assert "usermod -aG dialout $USER" in reason_of("/dev/ttyUSB9", refused)


def test_one_board_is_taken_none_is_told_several_are_listed(monkeypatch):
    one, other = Port("/dev/ttyUSB0", "CP2102"), Port("/dev/ttyACM0", "USB JTAG")
    assert node_flash.chosen_port(lambda: [one]) == "/dev/ttyUSB0"
    with pytest.raises(FlashError, match="no board is plugged in"):
        node_flash.chosen_port(list)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(FlashError, match=r"--port: /dev/ttyUSB0 \(CP2102\), /dev/ttyACM0"):
        node_flash.chosen_port(lambda: [one, other])


def test_a_board_comes_once_for_each_time_that_it_is_plugged_in():
    a, b = Port("/dev/a", ""), Port("/dev/b", "")
    seen = iter([[a], [a], [a, b], [b], [a, b]])
    coming = node_flash.boards_coming(lambda: next(seen), pause_s=0)
    assert [next(coming) for _ in range(3)] == ["/dev/a", "/dev/b", "/dev/a"]
