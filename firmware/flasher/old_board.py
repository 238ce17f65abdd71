"""What is on a board before it is flashed: reads its partition table and file system.

It reads no more than it needs: a blank board costs a moment, one that ran Préau what it holds.
"""

from firmware.flasher.board_state import BoardState, KeptStates, state_in
from firmware.flasher.errors import FlashError
from firmware.flasher.filesystem import DamagedFileSystemError, read_file_system
from firmware.flasher.micropython_image import (
    TABLE_OFFSET,
    TABLE_SIZE,
    file_system_region,
    read_partitions,
)
from firmware.flasher.serial_board import SerialBoard


def read_state(board: SerialBoard, kept: KeptStates) -> BoardState | None:
    """What the board holds of a node of ours, or, where its writing was cut off, what it held then.
    `None` where it never was one.

    Raises `DamagedFileSystemError` where what it holds can't be read, `BrokenLinkError`.
    """
    before = kept.kept(board.node)
    try:
        state = _state_on(board)
    except DamagedFileSystemError as error:
        if before is not None:
            return before
        raise DamagedFileSystemError(
            f"{error}; what is in it can't be saved: --discard gives it up"
        ) from error
    # Its superblock is written last, so a file system that is there is whole, and newer.
    return before if state is None else state


def _state_on(board: SerialBoard) -> BoardState | None:
    partitions = read_partitions(board.read(TABLE_OFFSET, TABLE_SIZE))
    if not partitions:
        return None
    try:
        region = file_system_region(partitions, board.flash_size)
    except FlashError:
        return None  # A table for a larger flash: nothing can have run here.
    files = read_file_system(lambda at, size: board.read(region.offset + at, size), region.size)
    return None if files is None else state_in(files)
