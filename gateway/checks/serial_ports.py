"""May this user write to a board that is plugged in?"""

import grp
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.checks.finding import Finding, Given, failed, good, warning

_BOARDS: Final = ("ttyUSB*", "ttyACM*")
_GROUP: Final = "dialout"


async def check(given: Given) -> Sequence[Finding]:
    """The ports of USB boards, else the group that they will belong to."""
    del given
    return ports_in(Path("/dev"))


def ports_in(devices: Path) -> Sequence[Finding]:
    """What there is to say of the serial ports in a folder of devices."""
    found = sorted(file for pattern in _BOARDS for file in devices.glob(pattern))
    if found:
        return [_port(file) for file in found]
    if os.geteuid() == 0 or _GROUP in _my_groups():
        return [good("no board is plugged in; this user may write to one")]
    return [warning("no board is plugged in, and this user could not write to one", _join(_GROUP))]


def _port(file: Path) -> Finding:
    if os.access(file, os.R_OK | os.W_OK):
        return good(f"this user may write to the board on {file}")
    group = _name_of(file.stat().st_gid)
    return failed(f"this user may not write to the board on {file}", _join(group))


def _my_groups() -> set[str]:
    return {_name_of(number) for number in (os.getegid(), *os.getgroups())}


def _name_of(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


def _join(group: str) -> str:
    return f"sudo usermod -aG {group} $USER, then log in again"
