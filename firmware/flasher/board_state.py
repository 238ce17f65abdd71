"""What a board that runs Préau holds besides its program: told from other boards, kept on disk
while the board is written, so that no cable that drops takes it along.

It knows the node's files by name and nothing of what stands in most of them.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from firmware.flasher.errors import FlashError
from gateway.atomic_file import make_folder, read_private, remove_file, write_atomically

CONFIG: Final = "config.json"
PACKS: Final = "packs/"
# What a node writes for itself. All else on its flash is program, secrets, or a step of an update
# that is over.
_ITS_OWN: Final = frozenset(
    {
        "boots",
        "lost",
        "calibrated.json",
        "commands.json",
        "diary.old",
        "diary.txt",
        "known_time",
        "settings.json",
        "settings.old",
    }
)


@dataclass(frozen=True, slots=True)
class BoardState:
    """`config` is what the board was told when it was flashed, secrets included; `files` what it
    has written since, by path.
    """

    config: Mapping[str, Any]
    files: Mapping[str, bytes]

    @property
    def password(self) -> str | None:
        """Its password at the broker, if it has one."""
        brokers = self.config.get("brokers") or [self.config.get("broker")]
        found = brokers[0].get("password") if isinstance(brokers[0], dict) else None
        return found if isinstance(found, str) else None

    @property
    def outbox(self) -> dict[str, bytes]:
        """The files of its outbox."""
        return {path: content for path, content in self.files.items() if path.startswith(PACKS)}


def state_in(files: Mapping[str, bytes]) -> BoardState | None:
    """The state that these files of a board hold; `None` where it has never run Préau."""
    own = {
        path: content
        for path, content in files.items()
        if path in _ITS_OWN or path.startswith(PACKS)
    }
    config = _config_in(files)
    if config is None and not any(path.startswith(PACKS) for path in own):
        return None
    return BoardState(config or {}, own)


class KeptStates:
    """States of boards that are being written, one file each, for their owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, node: str) -> Path:
        """Where the state of a node lies, while it does."""
        return self._folder / f"{node}.zip"

    def keep(self, node: str, state: BoardState) -> None:
        """Keep it, durably. Raises `ConfigurationError`."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(CONFIG, json.dumps(dict(state.config)))
            for path, content in state.files.items():
                archive.writestr(path, content)
        make_folder(self._folder, is_private=True)
        write_atomically(self.file(node), packed.getvalue())

    def kept(self, node: str) -> BoardState | None:
        """The state of a board whose writing was cut off. Raises `FlashError` where its file is
        damaged.
        """
        file = self.file(node)
        if not file.exists():
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(read_private(file))) as archive:
                return state_in({name: archive.read(name) for name in archive.namelist()})
        except zipfile.BadZipFile as error:
            raise FlashError(f"{file}, what the board held, is damaged: {error}") from error

    def forget(self, node: str) -> None:
        """The board holds it again. Raises `ConfigurationError`."""
        remove_file(self.file(node))


def _config_in(files: Mapping[str, bytes]) -> dict[str, Any] | None:
    """What a node of ours was told; `None` for another program's file of that name."""
    try:
        config = json.loads(files[CONFIG])
    except (KeyError, ValueError):
        return None
    ours = isinstance(config, dict) and ("broker" in config or "brokers" in config)
    return config if ours else None
