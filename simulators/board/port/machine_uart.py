"""`machine.UART`, without timeout: a read gives what has arrived."""

import struct

import wire


class UART:
    def __init__(self, id, baudrate=115200, tx=None, rx=None):
        if id not in (1, 2):
            raise ValueError("UART({}) is the console or doesn't exist".format(id))
        self._id = id
        wire.ask("U", id, struct.pack("<I", baudrate))

    def write(self, buf):
        wire.ask("T", self._id, buf)
        return len(buf)

    def any(self):
        return struct.unpack("<H", wire.ask("a", self._id))[0]

    def read(self, nbytes=256):
        return wire.ask("V", self._id, struct.pack("<H", nbytes)) or None

    def readinto(self, buf):
        data = wire.ask("V", self._id, struct.pack("<H", len(buf)))
        buf[: len(data)] = data
        return len(data) or None
