"""Flash in RAM for LittleFS, which loses power in the middle of the Nth write or erase."""

EIO = 5


class Flash:
    BLOCK = 4096

    def __init__(self, blocks, image=None):
        self.data = bytearray(image) if image else bytearray(b"\xff" * (blocks * self.BLOCK))
        self.changes = 0
        self.cut_after = None

    @property
    def off(self):
        return self.cut_after is not None and self.changes > self.cut_after

    def _change(self, at, new):
        """Writes `new`, or half of it when this is the change that power fails in."""
        self.changes += 1
        if not self.off:
            self.data[at : at + len(new)] = new
        elif self.changes == self.cut_after + 1:
            half = len(new) // 2
            self.data[at : at + half] = new[:half]

    def readblocks(self, block, buf, offset=0):
        if self.off:
            return -EIO
        at = block * self.BLOCK + offset
        buf[:] = memoryview(self.data)[at : at + len(buf)]

    def writeblocks(self, block, buf, offset=0):
        self._change(block * self.BLOCK + offset, buf)
        if self.off:
            return -EIO

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.data) // self.BLOCK
        if operation == 5:
            return self.BLOCK
        if operation == 6:
            self._change(argument * self.BLOCK, b"\xff" * self.BLOCK)
            return -EIO if self.off else 0
