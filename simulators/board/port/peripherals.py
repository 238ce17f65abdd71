"""The parts of `machine` that the first firmware does not use."""

import struct

import wire


class UART:
    def __init__(self, id, baudrate=115200, **options):
        if id not in (1, 2):
            raise ValueError("UART({}) is the console or doesn't exist".format(id))
        self._id = id

    def write(self, buf):
        wire.ask("T", self._id, buf)
        return len(buf)

    def any(self):
        return struct.unpack("<H", wire.ask("a", self._id))[0]

    def read(self, nbytes=256):
        return wire.ask("V", self._id, struct.pack("<H", nbytes)) or None


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten=ATTN_11DB):
        id = pin.id if hasattr(pin, "id") else pin
        if not 32 <= id <= 39:
            raise ValueError("ADC2 does not work beside Wi-Fi")
        self._id = id

    def read_uv(self):
        return struct.unpack("<I", wire.ask("A", self._id))[0]
