"""A board at the other end of a serial line, through esptool: what chip it is, its flash.

It knows addresses and bytes, and nothing of what they mean. esptool says what it does on standard
output; here that becomes progress, and what goes wrong a `FlashError` of one line.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Self

from esp_pylib.logger import EspLog, EspLogBase
from esptool import cmds
from esptool.loader import ESPLoader
from esptool.util import FatalError, flash_size_bytes
from serial import SerialException

from firmware.flasher.chips import CHIPS, Chip, chip_named
from firmware.flasher.errors import BrokenLinkError, FlashError
from firmware.flasher.micropython_image import Region
from firmware.flasher.serial_ports import require_usable
from firmware.flasher.socket_port import SCHEME, SocketPort

FAST_BAUD: Final = 460_800
"""What every USB chip of the usual boards can do."""

# What is read is acknowledged sector by sector; over a slow network no more get through in time.
_PIECE: Final = 4096

Progress = Callable[[int, int], None]
"""Told bytes done and bytes in all."""


class Part(NamedTuple):
    """Bytes, and where in the flash they go."""

    offset: int
    content: bytes


class SerialBoard:
    """A board whose chip answers. Made by `connected`."""

    def __init__(self, port: str, esp: ESPLoader, said: "_Quiet") -> None:
        self.port = port
        self._esp = esp
        self._said = said
        self.chip = _chip_of(esp)
        _require_open(esp)
        self.node = bytes(esp.read_mac()).hex()
        size = flash_size_bytes(cmds.detect_flash_size(esp))
        if size is None:
            raise FlashError(f"the flash of the board on {port} does not say how large it is")
        self.flash_size: int = size

    @classmethod
    @contextmanager
    def connected(cls, port: str) -> Iterator[Self]:
        """The board on `port`, held in its loader until the end of the block; `restart` lets it
        go. Raises `FlashError` for what is no board of ours, `BrokenLinkError` where nothing
        answers.
        """
        require_usable(port)
        said = _Quiet()
        EspLog.set_logger(said)
        with _told(port, f"no board answers on {port}: hold its BOOT button while you repeat"):
            esp = _detected(port)
        try:
            with _told(port, f"the board on {port} stopped answering: plug it in anew, repeat"):
                board = cls(port, _prepared(esp, port), said)
            yield board
        finally:
            esp._port.close()  # noqa: SLF001 - esptool has no other way to let a port go

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the flash. Raises `BrokenLinkError`."""
        with _told(self.port, f"the board on {self.port} stopped answering: plug it in anew"):
            pieces = [
                self._esp.read_flash(at, min(_PIECE, offset + size - at))
                for at in range(offset, offset + size, _PIECE)
            ]
        return b"".join(pieces)

    def write(
        self,
        parts: Sequence[Part],
        progress: Progress,
        lost: Callable[[], None],
        *,
        erased: Region | None = None,
    ) -> None:
        """Erase a region, then write the parts in this order, each compared by its MD5 with what
        the chip then reads.

        `lost` is called where the connection breaks: what comes back within some seconds is
        written on. Raises `BrokenLinkError` where it does not: the flash holds some of it then.
        """
        self._said.begin([len(part.content) for part in parts], progress, lost)
        with _told(self.port, f"the connection to {self.port} broke while writing"):
            if erased is not None:
                cmds.erase_region(self._esp, erased.offset, erased.size)
            # All in one call, within which a connection may be replaced.
            cmds.write_flash(self._esp, [(part.offset, part.content) for part in parts])

    def restart(self) -> None:
        """Let the chip start what lies on its flash. Raises `BrokenLinkError`."""
        with _told(self.port, f"the board on {self.port} did not restart: press its EN button"):
            cmds.reset_chip(self._esp, "hard-reset")


def _detected(port: str) -> ESPLoader:
    if not port.startswith(SCHEME):
        return cmds.detect_chip(port)
    # Over a socket esptool takes the open port as well as its name.
    opened = SocketPort(port)
    try:
        return cmds.detect_chip(opened)
    except BaseException:
        opened.close()
        raise


def _prepared(esp: ESPLoader, port: str) -> ESPLoader:
    """With esptool's own loader in its memory, at full speed, its flash attached."""
    _chip_of(esp)
    _require_open(esp)
    esp = cmds.run_stub(esp)
    if "://" not in port:
        esp.change_baud(FAST_BAUD)
    cmds.attach_flash(esp)
    return esp


def _chip_of(esp: ESPLoader) -> Chip:
    chip = chip_named(esp.CHIP_NAME)
    if chip is None:
        known = ", ".join(chip.name for chip in CHIPS)
        raise FlashError(f"the board has an {esp.CHIP_NAME}; nodes are made of {known}")
    return chip


def _require_open(esp: ESPLoader) -> None:
    """Refuse a chip whose fuses are set against us: what is written would never start."""
    for is_set, what in (
        (esp.secure_download_mode, "secure download mode"),
        (esp.get_flash_encryption_enabled(), "flash encryption"),
        (esp.get_secure_boot_enabled(), "secure boot"),
    ):
        if is_set:
            raise FlashError(
                f"this board's chip has {what} burnt into it: it would not start what is written "
                "here, and that can't be undone; take another board"
            )


@contextmanager
def _told(port: str, what: str) -> Iterator[None]:
    """What esptool and the port raise, as a `BrokenLinkError` of one line, `what` first."""
    try:
        yield
    except (FatalError, SerialException, OSError) as error:
        reason = " ".join(str(error).split()).removeprefix(f"Could not open {port}, ")
        raise BrokenLinkError(f"{what} ({reason})") from error


class _Quiet(EspLogBase):
    """Says nothing; of what esptool would say it passes on how far writing is, and that it has to
    begin a part again.
    """

    def __init__(self) -> None:
        self._sizes: Sequence[int] = ()
        self._finished = 0
        self._progress: Progress | None = None
        self._lost: Callable[[], None] | None = None

    def begin(self, sizes: Sequence[int], progress: Progress, lost: Callable[[], None]) -> None:
        """Parts of these sizes are about to be written."""
        self._sizes, self._finished = sizes, 0
        self._progress, self._lost = progress, lost

    def progress_bar(
        self,
        cur_iter: int,
        total_iters: int,
        prefix: str = "",
        suffix: str = "",
        bar_length: int = 30,
    ) -> None:
        """What esptool would draw for one part."""
        del prefix, suffix, bar_length
        if self._progress is None or not total_iters or self._finished == len(self._sizes):
            return
        before = sum(self._sizes[: self._finished])
        done = self._sizes[self._finished] * cur_iter // total_iters
        self._progress(before + done, sum(self._sizes))
        self._finished += cur_iter == total_iters

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Nothing, but that the connection was lost."""
        del kwargs
        if self._lost is not None and "Lost connection" in " ".join(map(str, args)):
            self._lost()

    def err(self, *args: Any, suggestion: str | None = None) -> None:
        """Nothing: what matters is raised besides."""

    warn = err

    def note(self, *args: Any) -> None:
        """Nothing."""

    hint = debug = note

    def set_verbosity(self, mode: int | str) -> None:
        """It has none."""
