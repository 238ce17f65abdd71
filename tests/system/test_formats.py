"""A version that brings new formats on flash: it writes the old ones until it is confirmed, and
what it wrote while on trial is read by the version before. Over TLS, with the real command.

The version to come is made of this one's sources: outbox 3 stores payloads turned by a bit pattern,
settings 2 are a list. Neither can be read by this version.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware.flasher.bundle import build_bundle, flash_files
from gateway.firmware.shelf import Shelf
from simulators.board.board import VirtualBoard
from tests.firmware_versions import sources_of
from tests.secure_town import NODE, SecureTown, secure_town
from tests.servers import eventually

FORMATS = {"outbox": (2, 3), "settings": (1, 2)}
OUTBOX = """

def _turned(payload):
    return bytes(byte ^ 0x55 for byte in payload)


_Before = Outbox


class Outbox(_Before):
    def _append(self, payload):
        return _Before._append(self, _turned(payload) if self.format == 3 else payload)

    def _peek(self, position, mend=False):
        found = _Before._peek(self, position, mend)
        if not found:
            return found
        with open(self._path(position // SEGMENT_SIZE), "rb") as file:
            is_new = file.read(4) == b"PRO3"
        return found[:3] + (_turned(found[3]),) if is_new else found
"""
SETTINGS = """

_encode_before = _encode
_read_before = _read_saved


def _encode(known):
    if seldom.run("formats", "written", "settings") == 1:
        return _encode_before(known)
    text = json.dumps([known])
    return "{}\\n{:08x}\\n2\\n".format(text, _crc(text, "2"))


def _read_saved(path):
    with open(path) as file:
        text, crc, form = file.read().split("\\n")[:3]
    if form != "2":
        return _read_before(path)
    if int(crc, 16) != _crc(text, form):
        raise ValueError("is damaged")
    return check(json.loads(text)[0])
"""

# What would be a receipt brings new settings, for which a trial leaves no other time.
SETS_INSTEAD = """

def _set(self, data):
    if self._settings.health_every != 7:
        self._settings.update({"version": self._settings.version + 1, "health_every": 7})


Session._receipt = _set
"""


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[SecureTown]:
    async with secure_town(tmp_path) as town:
        await town.preau("firmware", "keys")
        yield town


@pytest.fixture
async def board(town: SecureTown, tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    files = flash_files(build_bundle(), Shelf(town.gateway.data).keys.public_keys())
    async with town.board(tmp_path / "board", flashed=files) as board:
        await eventually(town.is_online, what="the board is not online")
        yield board
    print("\n".join(board.output))


async def offer(town: SecureTown, folder: Path, status: int, trial_s: int, **appended: str) -> str:
    """Builds 1.0.1 with its new formats, offers it, and tells how that went."""
    code = {"outbox": OUTBOX, "settings_load": SETTINGS} | appended
    sources = sources_of(folder, "1.0.1", FORMATS, **code)
    await town.preau("firmware", "build", "--sources", str(sources))
    return await town.preau("node", "update", NODE, "--trial", str(trial_s), status=status)


def state(board: VirtualBoard) -> dict:
    return json.loads((board.flash / "slot.json").read_text())


def segments(board: VirtualBoard) -> set[bytes]:
    """The first bytes of each, by which a format is known."""
    files = [file for file in (board.flash / "packs").iterdir() if file.name.isdecimal()]
    return {file.read_bytes()[:4] for file in files}


def saved(board: VirtualBoard) -> list[str]:
    """The lines of its settings: text, checksum, format."""
    return (board.flash / "settings.json").read_text().splitlines()


def want(town: SecureTown, interval_s: int) -> None:
    text = f'[[node]]\nid = "{NODE}"\ncadence_s = 60\ninterval_s = {interval_s}\n'
    (town.broker.folder / "estate.toml").write_text(text)


async def has_set(board: VirtualBoard, name: str, value: int) -> None:
    def is_saved() -> bool:
        file = board.flash / "settings.json"
        return file.exists() and f'"{name}": {value}' in saved(board)[0]

    await eventually(is_saved, what=f"{name} {value} is not saved")


async def test_what_a_version_on_trial_wrote_is_read_by_the_one_that_comes_back(
    town: SecureTown, board: VirtualBoard, tmp_path: Path
) -> None:
    """It takes no receipt, so all that it measures waits on flash when it is given up."""
    want(town, 2)
    await has_set(board, "interval_s", 2)
    told = await offer(town, tmp_path, 1, 8, session=SETS_INSTEAD)
    assert "rolled_back, no receipt in 8 s of session" in told, told
    assert any("firmware 1.0.1" in line for line in board.output)
    assert segments(board) == {b"PRO2"}
    # The gateway may have said its own again since: what it does not say stays.
    await has_set(board, "health_every", 7)
    assert saved(board)[2] == "1"
    await eventually(town.is_online)
    await town.misses_nothing()
    assert state(board)["run"] == "a"
    assert not any("is of format" in line for line in board.output)
    await board.kill()
    assert await town.holds_each_pack_once(board) > 10


async def test_a_version_that_is_confirmed_changes_over_and_reads_what_was_before(
    town: SecureTown, board: VirtualBoard, tmp_path: Path
) -> None:
    want(town, 2)
    await has_set(board, "interval_s", 2)
    assert "confirmed" in await offer(town, tmp_path, 0, 600)
    await eventually(lambda: b"PRO3" in segments(board))
    # Nobody who can't read it may come back.
    assert state(board)["back"] is None
    want(town, 1)
    await has_set(board, "interval_s", 1)
    assert saved(board)[2] == "2"
    for _ in range(2):
        await board.kill()
        await board.start()
        await town.misses_nothing()
    await board.kill()
    assert await town.holds_each_pack_once() > 10
    assert not any("is damaged" in line or "is of format" in line for line in board.output)
