"""The outbox of a board that is flashed anew: what waits in it, and that it was receipted.

Reading it is the business of the node's own code, which runs beside this one: see `node_outbox`.
"""

import json
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, Self

from firmware.flasher import node_outbox
from firmware.flasher.board_state import PACKS, BoardState
from firmware.flasher.bundle import SOURCES, release_of
from firmware.flasher.errors import FlashError

_OUTBOX_BYTES: Final = 512 * 1024
_PATIENCE_S: Final = 120
# The first bytes of a segment, by which a format is known: see `firmware/node/outbox.py`.
_SEGMENT: Final = b"PRO"


class WaitingPack(NamedTuple):
    """A pack that has no receipt yet, and its payload as the node would send it."""

    log: str
    seq: int
    payload: bytes


class OldOutbox:
    """A copy of a board's outbox, in a folder of its own until the end of the block."""

    def __init__(self, node: str, state: BoardState) -> None:
        self._node = node
        self._size = state.config.get("outbox_bytes", _OUTBOX_BYTES)
        self._before = state.outbox
        self._scratch = TemporaryDirectory(prefix="preau-outbox-")

    def __enter__(self) -> Self:
        self._packs.mkdir()
        for path, content in self._before.items():
            (Path(self._scratch.name) / path).write_bytes(content)
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()

    def waiting(self) -> list[WaitingPack]:
        """Every pack without receipt, in the order in which the node would send them.

        Raises `FlashError` where the outbox can't be read.
        """
        self._require_format()
        lines = self._run("waiting").splitlines()
        return [_pack(json.loads(line)) for line in lines]

    def settle(self, receipted: Collection[tuple[str, int]]) -> None:
        """Note what has been receipted (log, number), as the node would."""
        self._run("settle", json.dumps(sorted(receipted)))

    def files(self) -> dict[str, bytes]:
        """The outbox as it is now, by path."""
        return {f"{PACKS}{file.name}": file.read_bytes() for file in sorted(self._packs.iterdir())}

    @property
    def _packs(self) -> Path:
        return Path(self._scratch.name) / PACKS.rstrip("/")

    def _require_format(self) -> None:
        """The node's own code would refuse them too, in its own words."""
        oldest, written = release_of(SOURCES).outbox
        for path, content in self._before.items():
            is_segment = path.removeprefix(PACKS).isdecimal() and content.startswith(_SEGMENT)
            # A format is a digit after that.
            found = content[len(_SEGMENT)] - ord("0") if len(content) > len(_SEGMENT) else oldest
            if is_segment and not oldest <= found <= written:
                raise FlashError(
                    f"the board's outbox has format {found}, this version reads {oldest} to "
                    f"{written}: flash it with the version of Préau that wrote it, or give "
                    "--discard"
                )

    def _run(self, verb: str, given: str = "") -> str:
        program = Path(node_outbox.__file__)
        command: list[str | Path] = [sys.executable, "-I", program, SOURCES]
        command += [self._node, str(self._size), verb]
        try:
            done = subprocess.run(  # noqa: S603 - our program, our files
                command,
                cwd=self._scratch.name,
                input=given,
                capture_output=True,
                text=True,
                timeout=_PATIENCE_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            reason = said.strip().rpartition("\n")[2]
            raise FlashError(
                f"the board's outbox can't be read ({reason}); --discard gives up what is in it"
            ) from error
        return str(done.stdout)


def _pack(found: Mapping[str, Any]) -> WaitingPack:
    return WaitingPack(found["log"], found["seq"], found["pack"].encode())
