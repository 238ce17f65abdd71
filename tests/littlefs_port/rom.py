# What a chip does before the board's first module: mounts the file system of its flash as `/`. The
# host's files, among them the stand-ins for the chip's modules, are under `/host` then.
import os
import sys

import vfs


class Flash:
    def __init__(self, path):
        self._file = open(path, "r+b")
        self._blocks = self._file.seek(0, 2) // 4096

    def readblocks(self, block, buf, offset=0):
        self._file.seek(block * 4096 + offset)
        self._file.readinto(buf)

    def writeblocks(self, block, buf, offset=None):
        self._file.seek(block * 4096 + (offset or 0))
        self._file.write(buf)
        self._file.flush()

    def ioctl(self, op, arg):
        if op == 4:
            return self._blocks
        if op == 5:
            return 4096
        return 0


# As `_boot.py` of the ESP32's port does it.
flash = vfs.VfsLfs2(Flash(os.getenv("BOARD_FLASH")))
vfs.umount("/")
vfs.mount(flash, "/")
vfs.mount(vfs.VfsPosix("/"), "/host")
os.chdir("/")
os.putenv("BOARD_RTC_MEMORY", "/host" + os.getenv("BOARD_RTC_MEMORY"))
paths = [path for path in sys.path if path != os.getenv("BOARD_ROM")]
sys.path[:] = ["/host" + path if path.startswith("/") else path for path in paths]
sys.modules.pop("rom", None)
del flash, vfs, Flash, paths

import rom  # noqa: E402, F401
