"""Writes the files of a checked bundle into the folder that does not run.

The manifest goes first and comes last, so a folder that has one is whole. Cut at any moment, it is
done again from the beginning.
"""

import hashlib
import os

import seldom
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_PIECE = const(512)


def install(path: str, folder: str) -> None:
    """Returns once the folder is whole. Raises ValueError where the flash gives back other bytes
    than were written, OSError where it is full.
    """
    _clear(folder)
    check = seldom.load("update_check")
    _make(folder)
    with open(path, "rb") as file:
        end = 8 + check.manifest_size(file)
        with open(path, "rb") as data:
            data.seek(end + 64)
            for name, size, sha256 in check.entries(file, end):
                if "/" in name:
                    _make(folder + "/" + name.split("/")[0])
                _copy(data, folder + "/" + name, size)
                if _hash(folder + "/" + name) != sha256:
                    raise ValueError("{} is not on flash as it was written".format(name))
        file.seek(8)
        _copy(file, folder + "/manifest.new", end - 8)
    os.rename(folder + "/manifest.new", folder + "/manifest")


def _clear(folder: str) -> None:
    """Removes the folder with what is in it, its manifest first."""
    _remove(folder + "/manifest")
    try:
        found = list(os.ilistdir(folder))
    except OSError:
        return
    for entry in found:
        name = folder + "/" + entry[0]
        if entry[1] == 0x4000:
            for inner in list(os.ilistdir(name)):
                os.remove(name + "/" + inner[0])
            os.rmdir(name)
        else:
            os.remove(name)
    os.rmdir(folder)


def held(folder: str) -> int:
    """About how many bytes of flash the folder's files take: what comes free with them."""
    try:
        entries = list(os.ilistdir(folder))
    except OSError:
        return 0
    size = 0
    for entry in entries:
        name = folder + "/" + entry[0]
        size += held(name) if entry[1] == 0x4000 else (os.stat(name)[6] + 4095) // 4096 * 4096
    return size


def _remove(name: str) -> None:
    try:
        os.remove(name)
    except OSError:
        pass  # It is not there.


def _make(folder: str) -> None:
    try:
        os.mkdir(folder)
    except OSError as error:
        if error.errno != 17:  # EEXIST
            raise


def _copy(source: BinaryIO, name: str, size: int) -> None:
    with open(name, "wb") as file:
        while size > 0:
            piece = source.read(min(_PIECE, size))
            if not piece:
                raise ValueError("the bundle ends in {}".format(name))
            file.write(piece)
            size -= len(piece)
        file.flush()


def _hash(name: str) -> str:
    sha = hashlib.sha256()
    with open(name, "rb") as file:
        piece = file.read(_PIECE)
        while piece:
            sha.update(piece)
            piece = file.read(_PIECE)
    return sha.digest().hex()  # type: ignore[no-any-return]
