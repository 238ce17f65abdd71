"""The data folder: can we write there, can nobody else read there, and is there room?"""

import os
import pwd
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gateway.checks.finding import Finding, Given, failed, good, warning

_MIB: Final = 1 << 20
_STOP_MIB: Final = 32
"""Below it nothing is taken in; see docs/operations.md."""


async def check(given: Given) -> Sequence[Finding]:
    """Permissions, private files, room."""
    folder = given.settings.data.dir
    return [*_permissions(folder), *_private_files(folder), _room(given)]


def _permissions(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        parent = _nearest(folder)
        if not os.access(parent, os.W_OK | os.X_OK):
            told = f"{folder} is not there, and {_me()} may not make it in {parent}"
            yield failed(told, _as_owner(parent))
        return
    if not folder.is_dir():
        yield failed(f"{folder} is no folder", "move it away, or set data.dir")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield failed(f"{_me()} may not write to {folder}", _as_owner(folder))
    elif stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield warning(f"others on this machine may look into {folder}", f"chmod 700 {folder}")


def _private_files(folder: Path) -> Iterator[Finding]:
    """Files with secrets in them."""
    credentials = folder / "credentials"
    if not os.access(credentials, os.R_OK | os.X_OK):
        return
    for file in sorted(credentials.iterdir()):
        if file.stat().st_mode & 0o077:
            yield failed(f"{file} holds a secret and may be read by others", f"chmod 600 {file}")


def _room(given: Given) -> Finding:
    folder, keep = given.settings.data.dir, given.settings.store.min_free_mib
    free = shutil.disk_usage(_nearest(folder)).free // _MIB
    told = f"{free:,} MiB are free on the disk of {folder}"
    if free < min(_STOP_MIB, keep // 2):
        return failed(f"{told}: nothing is taken in", "make room; nodes keep what they measure")
    if free < keep:
        return warning(f"{told}, less than store.min_free_mib = {keep}", "make room")
    return good(told)


def _nearest(folder: Path) -> Path:
    """The folder, or what of its path there is."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def _as_owner(place: Path) -> str:
    try:
        owner = pwd.getpwuid(place.stat().st_uid).pw_name
    except KeyError:
        owner = str(place.stat().st_uid)
    return f"type it as the owner of {place}: sudo -u {owner} preau …; or set data.dir"


def _me() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"
