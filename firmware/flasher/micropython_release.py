"""Finds MicroPython's image for a chip: a file that is given, or the one that the settings pin by
its SHA-256, fetched once where they name an address.

It knows files and the network, and of images only that each is for a chip.
"""

import hashlib
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from firmware.flasher.chips import Chip
from firmware.flasher.errors import FlashError
from firmware.flasher.micropython_image import MicroPythonImage, read_image
from gateway.atomic_file import PUBLIC, make_folder, write_atomically
from gateway.settings_nodes import MicroPythonSettings

_LARGEST: Final = 16 * 1024 * 1024
_TIMEOUT_S: Final = 30
_PIECE: Final = 64 * 1024

Told = Callable[[int, int], None]


def find_image(
    chip: Chip, given: Sequence[Path], pinned: Sequence[MicroPythonSettings], told: Told
) -> MicroPythonImage:
    """The image for this chip. `told` gets bytes fetched and, if known, bytes in all.

    Raises `FlashError` where there is none, where it is for another chip or not what it should be.
    """
    if given:
        images = [read_image(_content(file), str(file)) for file in given]
        fitting = [image for image in images if image.chip is chip]
        if not fitting:
            found = ", ".join(
                f"{file} is for {image.chip.name}"
                for file, image in zip(given, images, strict=True)
            )
            raise FlashError(f"the board has an {chip.name}, and {found}")
        return fitting[0]
    for pin in pinned:
        if pin.chip == chip.key:
            image = read_image(_pinned_content(pin, told), str(pin.file))
            if image.chip is not chip:
                raise FlashError(f"{pin.file} is for {image.chip.name}, not for {chip.name}")
            return image
    raise FlashError(
        f"no MicroPython for {chip.name} is at hand: fetch its .bin from "
        "https://micropython.org/download and give it as --micropython FILE, or pin it under "
        "[[micropython]] in preau.toml"
    )


def _pinned_content(pin: MicroPythonSettings, told: Told) -> bytes:
    if pin.file.exists():
        content = _content(pin.file)
        _require_hash(content, pin, str(pin.file))
        return content
    if pin.url is None:
        raise FlashError(f"there is no {pin.file}, and [[micropython]] has no url to fetch it from")
    content = _fetched(pin.url, told)
    _require_hash(content, pin, pin.url)
    make_folder(pin.file.parent, is_private=False)
    write_atomically(pin.file, content, mode=PUBLIC)
    return content


def _require_hash(content: bytes, pin: MicroPythonSettings, name: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != pin.sha256:
        raise FlashError(
            f"{name} has SHA-256 {found}, and the settings want {pin.sha256}: nothing was written"
        )


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > _LARGEST:
            raise FlashError(f"{file} is no image: it has more than {_LARGEST} bytes")
        return file.read_bytes()
    except OSError as error:
        raise FlashError(f"{file} can't be read: {error.strerror}") from error


def _fetched(url: str, told: Told) -> bytes:
    content = b""
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as response:  # noqa: S310 - the settings allow http(s) only
            total = int(response.headers.get("Content-Length", 0))
            while piece := response.read(_PIECE):
                content += piece
                told(len(content), total)
                if len(content) > _LARGEST:
                    raise FlashError(f"{url} is no image: it has more than {_LARGEST} bytes")
    except (OSError, HTTPException, ValueError) as error:
        raise FlashError(
            f"{url} can't be fetched ({error}): without network give --micropython FILE"
        ) from error
    if total and len(content) != total:
        raise FlashError(f"{url} broke off after {len(content)} of {total} bytes; repeat")
    return content
