"""What the Sensirion I2C chips share: 16-bit words with CRC-8, and one error that says which
chip, where and why. It must not know any chip's commands.
"""


class SensorError(Exception):
    """A chip did not do what was asked of it."""

    def __init__(self, chip: str, address: int, cause: str):
        super().__init__("{}@0x{:02x}: {}".format(chip, address, cause))
        self.chip = chip
        self.address = address
        self.cause = cause


def crc8(data, start: int, end: int) -> int:
    """Polynomial 0x31, initial 0xFF: BE EF gives 92."""
    crc = 0xFF
    for index in range(start, end):
        crc ^= data[index]
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


class WordDevice:
    """Writes commands and reads checked words; every failure of the bus is a SensorError."""

    def __init__(self, i2c, chip: str, address: int, words_max: int):
        self._i2c = i2c
        self._buffer = bytearray(3 * words_max)
        self.chip = chip
        self.address = address

    def error(self, cause: str) -> SensorError:
        return SensorError(self.chip, self.address, cause)

    def write(self, command: bytes):
        try:
            self._i2c.writeto(self.address, command)
        except OSError as error:
            raise self.error("no acknowledgement ({})".format(error))

    def read(self, words: int):
        """A tuple of `words` words."""
        view = memoryview(self._buffer)[: 3 * words]
        try:
            self._i2c.readfrom_into(self.address, view)
        except OSError as error:
            raise self.error("no answer ({})".format(error))
        for at in range(0, 3 * words, 3):
            if crc8(view, at, at + 2) != view[at + 2]:
                raise self.error("checksum of word {} is wrong".format(at // 3))
        return tuple(view[at] << 8 | view[at + 1] for at in range(0, 3 * words, 3))
