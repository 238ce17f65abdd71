"""`onewire`, with which MicroPython's ESP32 builds come: bits on the wire are the host's, the
search is the datasheet's (Maxim application note 187).
"""

import wire


class OneWireError(Exception):
    pass


class OneWire:
    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    def __init__(self, pin):
        self.pin = pin
        pin.keep()
        pin.init(pin.OPEN_DRAIN, pin.PULL_UP)

    def _ask(self, *what):
        return wire.ask("O", self.pin.id, bytes(what))

    def reset(self, required=False):
        present = bool(self._ask(0)[0])
        if required and not present:
            raise OneWireError
        return present

    def readbit(self):
        return self._ask(1, 1)[0]

    def readbyte(self):
        return self._ask(1, 8)[0]

    def readinto(self, buf):
        for index in range(len(buf)):
            buf[index] = self.readbyte()

    def writebit(self, value):
        self._ask(2, 1, value & 1)

    def writebyte(self, value):
        self._ask(2, 8, value)

    def write(self, buf):
        for byte in buf:
            self.writebyte(byte)

    def select_rom(self, rom):
        self.reset()
        self.writebyte(self.MATCH_ROM)
        self.write(rom)

    def scan(self):
        found = []
        last, rom = -1, bytearray(8)
        for _ in range(64):
            last = self._search(rom, last)
            if last is None:
                break
            found.append(bytearray(rom))
            if last < 0:
                break
        return found

    def _search(self, rom, last):
        """The next ROM, and where it last took the branch of a zero; None for no answer."""
        if not self.reset():
            return None
        self.writebyte(self.SEARCH_ROM)
        zero = -1
        for at in range(64):
            bit, inverse = self.readbit(), self.readbit()
            if bit and inverse:
                return None
            if not bit and not inverse:
                bit = 1 if at == last else rom[at // 8] >> at % 8 & 1 if at < last else 0
                if not bit:
                    zero = at
            self.writebit(bit)
            rom[at // 8] = rom[at // 8] & ~(1 << at % 8) | bit << at % 8
        return zero

    def crc8(self, data):
        crc = 0
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
        return crc
