"""`machine.ADC`, of the converter that works beside Wi-Fi; it saturates as at 11 dB."""

import struct

import wire


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten=0):
        id = pin.id if hasattr(pin, "id") else pin
        if not 32 <= id <= 39:
            raise ValueError("ADC2 does not work beside Wi-Fi")
        self._id = id
        self._full_uv = 3_100_000 if atten == self.ATTN_11DB else 950_000

    def read_uv(self):
        return min(self._full_uv, struct.unpack("<I", wire.ask("A", self._id))[0])
