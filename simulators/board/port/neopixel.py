"""`neopixel`: three bytes an LED, in the order green, red, blue, on the wire."""

import wire


class NeoPixel:
    def __init__(self, pin, n, bpp=3, timing=1):
        self.pin = pin
        pin.keep()
        self.n = n
        self.buf = bytearray(3 * n)

    def __setitem__(self, index, colour):
        red, green, blue = colour
        self.buf[3 * index : 3 * index + 3] = bytes((green, red, blue))

    def write(self):
        wire.ask("L", self.pin.id, self.buf)
