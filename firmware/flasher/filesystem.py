"""A node's file system: LittleFS 2 as MicroPython has it, written and read on the host.

It knows files by path and blocks by number, and nothing of what the files mean.
"""

from collections.abc import Callable, Mapping
from typing import Final

from littlefs import LFSConfig, LFSStat, LittleFS, LittleFSError, UserContext

from firmware.flasher.errors import FlashError
from firmware.flasher.micropython_image import BLOCK

SUPERBLOCKS: Final = 2 * BLOCK
"""Without its first two blocks a file system is none."""

# MicroPython's `VfsLfs2`, as it is made at the first start of an ESP32: caches of 4 times what is
# programmed at once. A file that is kept within the metadata must fit into that cache.
_READ: Final = 32
_CACHE: Final = 128
# Read by every MicroPython; a newer one makes 2.1 of it as soon as it writes.
_OLDEST_VERSION: Final = 0x0002_0000
_ANY_VERSION: Final = 0
_MAGIC: Final = b"littlefs"
_MAGIC_AT: Final = 8

Read = Callable[[int, int], bytes]
"""Bytes of the partition: offset, size."""


class DamagedFileSystemError(FlashError):
    """There is a file system, and it can't be read as a whole."""


def make_file_system(files: Mapping[str, bytes], size: int) -> bytes:
    """The partition of `size` bytes with these files in it. Raises `FlashError` if it is full."""
    memory = _Memory(size)
    system = _system(memory, size, _OLDEST_VERSION)
    system.format()
    system.mount()
    try:
        for path, content in files.items():
            folder = path.rpartition("/")[0]
            if folder:
                system.makedirs(folder, exist_ok=True)
            with system.open(path, "wb") as file:
                file.write(content)
    except LittleFSError as error:
        used = sum(len(content) for content in files.values())
        raise FlashError(
            f"the file system of {size // 1024} KiB can't hold {len(files)} files of "
            f"{used // 1024} KiB in all: {error}"
        ) from error
    system.unmount()
    return bytes(memory.buffer)


def read_file_system(read: Read, size: int) -> dict[str, bytes] | None:
    """Every file of the partition by its path; `None` where there is no file system.

    `read` is asked for what is needed and no more. Raises `DamagedFileSystemError`, and whatever
    `read` raises.
    """
    if not _has_superblock(read):
        return None
    context = _Partition(read, size)
    system = _system(context, size, _ANY_VERSION)
    try:
        system.mount()
        files = _files_in(system)
    except LittleFSError as error:
        context.raise_failure()
        raise DamagedFileSystemError(f"the board's file system is damaged: {error}") from error
    context.raise_failure()
    return files


def _system(context: UserContext, size: int, disk_version: int) -> LittleFS:
    """Not mounted yet; its blocks are where `context` has them."""
    return LittleFS(
        context,
        mount=False,
        block_size=BLOCK,
        block_count=size // BLOCK,
        read_size=_READ,
        prog_size=_READ,
        cache_size=_CACHE,
        lookahead_size=_READ,
        disk_version=disk_version,
    )


def _has_superblock(read: Read) -> bool:
    heads = (read(at + _MAGIC_AT, len(_MAGIC)) for at in (0, BLOCK))
    return any(head == _MAGIC for head in heads)


def _files_in(system: LittleFS) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for folder, _, names in system.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            if system.stat(path).type == LFSStat.TYPE_REG:
                with system.open(path, "rb") as file:
                    found[path.lstrip("/")] = file.read()
    return found


class _Memory(UserContext):
    """Blocks in memory. The library's own tells its log what it writes, secrets included."""

    def __init__(self, size: int) -> None:
        super().__init__(buffsize=size)

    def read(self, cfg: LFSConfig, block: int, off: int, size: int) -> bytearray:
        del cfg
        at = block * BLOCK + off
        return self.buffer[at : at + size]

    def prog(self, cfg: LFSConfig, block: int, off: int, data: bytes) -> int:
        del cfg
        at = block * BLOCK + off
        self.buffer[at : at + len(data)] = data
        return 0

    def erase(self, cfg: LFSConfig, block: int) -> int:
        del cfg
        self.buffer[block * BLOCK : (block + 1) * BLOCK] = b"\xff" * BLOCK
        return 0


class _Partition(UserContext):
    """Blocks that are read once, when they are asked for, and never written. Whoever has used it
    calls `raise_failure`.
    """

    def __init__(self, read: Read, size: int) -> None:
        super().__init__(buffer=bytearray())
        self.in_size = size
        self._failure: Exception | None = None
        self._read = read
        self._blocks: dict[int, bytes] = {}

    def read(self, cfg: LFSConfig, block: int, off: int, size: int) -> bytearray:
        del cfg
        if block not in self._blocks:
            self._blocks[block] = self._asked_for(block)
        return bytearray(self._blocks[block][off : off + size])

    def _asked_for(self, block: int) -> bytes:
        if self._failure is None:
            try:
                return self._read(block * BLOCK, BLOCK)
            except Exception as error:  # noqa: BLE001 - it can't pass through the C library
                self._failure = error
        return b"\xff" * BLOCK

    def raise_failure(self) -> None:
        """Raise what reading a block raised: what was read since is nothing."""
        if self._failure is not None:
            raise self._failure

    def prog(self, cfg: LFSConfig, block: int, off: int, data: bytes) -> int:
        del cfg, block, off, data
        return LittleFSError.Error.LFS_ERR_IO

    def erase(self, cfg: LFSConfig, block: int) -> int:
        del cfg, block
        return LittleFSError.Error.LFS_ERR_IO
