"""From a board to a node: the order in which it is looked at, emptied, written and let go.

Whatever breaks off in between loses nothing: what the board held is on disk from before it is
touched until it is verified, and the same command again goes on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from firmware.flasher.account import Account, TownAccounts
from firmware.flasher.board_state import BoardState, KeptStates
from firmware.flasher.errors import BrokenLinkError, FlashError
from firmware.flasher.estate_entry import EstateEntry
from firmware.flasher.filesystem import SUPERBLOCKS, make_file_system
from firmware.flasher.handover import Handover
from firmware.flasher.micropython_image import MicroPythonImage, Region
from firmware.flasher.micropython_release import find_image
from firmware.flasher.node_files import Surroundings, all_files, config_of
from firmware.flasher.old_board import read_state
from firmware.flasher.old_outbox import OldOutbox
from firmware.flasher.serial_board import Part, SerialBoard
from firmware.flasher.telling import Teller
from gateway.labels.setup_code import make_setup_code, read_setup_code, setup_code_file
from gateway.mqtt.address import BrokerAddress
from gateway.settings_nodes import MicroPythonSettings

SMALLEST_FILE_SYSTEM: Final = 1024 * 1024
"""Program twice, for updates, and an outbox of 512 KiB: with less it would soon be full."""


@dataclass(frozen=True, slots=True)
class Flashed:
    """A board that is a node now, or again."""

    node: str
    port: str
    chip: str
    flash_bytes: int
    micropython: str
    is_new: bool
    """It had no account before."""
    handed_over: int
    """Packs of its old outbox."""
    estate: str


@dataclass(frozen=True, slots=True)
class Flasher:
    """All that boards are made nodes with. `program` is what lies on every node's flash; `accounts`
    is `None` where one account serves all, the one in `broker`.
    """

    program: Mapping[str, bytes]
    wishes: Mapping[str, Any]
    town: Surroundings
    broker: BrokerAddress
    """As it is found from here."""
    accounts: TownAccounts | None
    entry: EstateEntry
    kept: KeptStates
    credentials: Path
    """The folder of set-up codes."""
    images: Sequence[Path]
    pinned: Sequence[MicroPythonSettings]
    discard: bool
    teller: Teller

    def flash(self, board: SerialBoard) -> Flashed:
        """Make the board a node; it stays in its loader. Raises `FlashError`,
        `ConfigurationError` and what the editor of the estate raises.
        """
        self.teller.say(f"{board.chip.name} on {board.port}: node {board.node}")
        self.entry.require_possible(board.node)
        image = find_image(board.chip, self.images, self.pinned, self.teller.bar("fetching"))
        region = _room_for(image, board.flash_size)
        state = self._old_state(board)
        account = self._account(board.node, state)
        state, given = self._handed_over(board.node, account, state)
        system = self._file_system(board, region, account, state)
        self._write(board, image, region, system, state)
        if self.accounts is not None:
            self.accounts.handed_over(board.node)
        estate = self.entry.write(board.node, board.chip.name)
        return Flashed(
            node=board.node,
            port=board.port,
            chip=board.chip.name,
            flash_bytes=board.flash_size,
            micropython=image.version,
            is_new=account.is_new,
            handed_over=given,
            estate=estate,
        )

    def _old_state(self, board: SerialBoard) -> BoardState | None:
        self.teller.say("looking at what it holds")
        try:
            return read_state(board, self.kept)
        except BrokenLinkError:
            raise
        except FlashError:
            if not self.discard:
                raise
            return None

    def _account(self, node: str, state: BoardState | None) -> Account:
        if self.accounts is None:
            return Account(self.broker.username, self.broker.password, is_new=state is None)
        account = self.accounts.of(node, None if state is None else state.password)
        if account.is_new and self.accounts.pid_file is None:
            self.teller.say(
                "have Mosquitto reload now, it has a new account: systemctl reload mosquitto, or "
                "docker compose kill -s HUP mosquitto"
            )
        return account

    def _handed_over(
        self, node: str, account: Account, state: BoardState | None
    ) -> tuple[BoardState | None, int]:
        """The state with an outbox in which nothing waits, and how many packs were given away."""
        if state is None or not state.outbox:
            return state, 0
        if self.discard:
            own = {path: file for path, file in state.files.items() if path not in state.outbox}
            return replace(state, files=own), 0
        with OldOutbox(node, state) as outbox:
            packs = outbox.waiting()
            if packs:
                self.teller.say(f"it holds {len(packs)} packs of readings, for the gateway")
                broker = replace(self.broker, username=account.user, password=account.password)
                Handover(node, broker).give(packs, self.teller.bar("handing over"))
                outbox.settle({(pack.log, pack.seq) for pack in packs})
            return replace(state, files={**state.files, **outbox.files()}), len(packs)

    def _file_system(
        self, board: SerialBoard, region: Region, account: Account, state: BoardState | None
    ) -> bytes:
        code = self._setup_code(board.node)
        config = config_of(board.chip, self.town, account, code, self.wishes)
        own = {} if state is None else state.files
        return make_file_system(
            all_files(self.program, config, self.town.authorities, own), region.size
        )

    def _setup_code(self, node: str) -> str:
        if setup_code_file(self.credentials, node).exists():
            return read_setup_code(self.credentials, node)
        return make_setup_code(self.credentials, node)

    def _write(
        self,
        board: SerialBoard,
        image: MicroPythonImage,
        region: Region,
        system: bytes,
        state: BoardState | None,
    ) -> None:
        if state is not None:
            self.kept.keep(board.node, state)
        # Erased first and written last: in between there is no file system that could be taken for
        # a whole one.
        superblocks = Region(region.offset, SUPERBLOCKS)
        parts = [
            Part(board.chip.image_offset, image.content),
            Part(region.offset + SUPERBLOCKS, system[SUPERBLOCKS:]),
            Part(region.offset, system[:SUPERBLOCKS]),
        ]
        try:
            board.write(parts, self.teller.bar("writing"), self._lost, erased=superblocks)
        except BrokenLinkError as error:
            raise BrokenLinkError(
                f"{error}: {board.node} does not work until it is written whole; plug it in anew "
                f"and repeat the command{self._safe_in(board.node)}"
            ) from error
        self.kept.forget(board.node)
        self.teller.say("written, and read back by the chip the same")

    def _lost(self) -> None:
        self.teller.say("the connection broke: plug the board in again, and it goes on by itself")

    def _safe_in(self, node: str) -> str:
        file = self.kept.file(node)
        return f". What it held is safe in {file}" if file.exists() else ""


def _room_for(image: MicroPythonImage, flash_size: int) -> Region:
    region = image.file_system(flash_size)
    if image.chip.image_offset + len(image.content) > region.offset:
        raise FlashError("the image of MicroPython reaches into the file system: it is no image")
    if region.offset + region.size > flash_size or region.size < SMALLEST_FILE_SYSTEM:
        left = max(0, flash_size - region.offset)
        raise FlashError(
            f"a flash of {flash_size // 1024} KiB leaves {left // 1024} KiB beside MicroPython, "
            f"and a node needs {SMALLEST_FILE_SYSTEM // 1024}: take a board with 4 MiB"
        )
    return region
