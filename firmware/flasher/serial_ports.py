"""Which boards are plugged in, and why a port can't be opened. It knows no chip."""

import errno
import fcntl
import grp
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from serial.tools import list_ports

from firmware.flasher.errors import FlashError

USUAL_GROUP: Final = "dialout"


class Port(NamedTuple):
    """A serial port behind which a board may be. `text` is what its USB chip says of itself."""

    device: str
    text: str


PortLister = Callable[[], Sequence[Port]]


def usb_ports() -> list[Port]:
    """The ports of USB chips; those that are soldered to the machine have no board."""
    found = [port for port in list_ports.comports() if port.vid is not None]
    return sorted(Port(port.device, port.description or port.device) for port in found)


def require_usable(device: str) -> None:
    """Raise `FlashError` where this process can't use the port, with the remedy. An address with a
    scheme, such as `socket://`, is tried when it is used.
    """
    if "://" in device:
        return
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise FlashError(reason_of(device, error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.isatty(descriptor):
            raise FlashError(f"{device} is no serial port")
    except OSError as error:
        raise FlashError(reason_of(device, error)) from error
    finally:
        os.close(descriptor)


def reason_of(device: str, error: OSError) -> str:
    """What to tell of a port that can't be opened, and the remedy."""
    match error.errno:
        case errno.ENOENT | errno.ENXIO | errno.ENODEV:
            return f"there is no port {device}: is the board plugged in, with a cable for data?"
        case errno.EACCES | errno.EPERM:
            return (
                f"this user may not use {device}: "
                f"sudo usermod -aG {_group_of(device)} $USER, then log in again"
            )
        case errno.EBUSY | errno.EAGAIN:
            return f"{device} is used by another program: close its serial monitor, then repeat"
    return f"{device} can't be opened: {error.strerror or error}"


def _group_of(device: str) -> str:
    """The group that may use it: on Debian `dialout`, elsewhere often `uucp`."""
    try:
        return grp.getgrgid(Path(device).stat().st_gid).gr_name
    except (OSError, KeyError):
        return USUAL_GROUP
