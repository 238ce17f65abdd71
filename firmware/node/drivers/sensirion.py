"""What the Sensirion I2C chips share: 16-bit words, each with its CRC-8. It must not know any
chip's commands.
"""

import asyncio
import struct

from drivers import SensorError, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C
    from node_types import Buffer


def crc8(data: Buffer, start: int, end: int) -> int:
    """Polynomial 0x31, initial 0xFF: BE EF gives 92."""
    crc = 0xFF
    for index in range(start, end):
        crc ^= data[index]
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def hundredths(raw: int) -> int:
    """T = -45 + 175 * raw / 65535, the formula of SHT3x, SHT4x and SCD4x, in 0.01 °C."""
    return (17_500 * raw + 32_767) // 65_535 - 4_500


class WordDevice:
    """Writes commands and reads checked words; every failure of the bus is a SensorError."""

    def __init__(self, i2c: I2C, chip: str, address: int, words_max: int) -> None:
        self._i2c = i2c
        self._command = bytearray(5)
        self._buffer = bytearray(3 * words_max)
        self.chip = chip
        self.address = address
        self.name = place(chip, address)

    def error(self, cause: str) -> SensorError:
        return SensorError(self.chip, self.address, cause)

    def write(self, command: Buffer) -> None:
        try:
            # A bus in software counts the bytes taken where one in hardware raises.
            if self._i2c.writeto(self.address, command) < len(command):
                raise OSError("cut short")
        except OSError as error:
            raise self.error("no acknowledgement ({})".format(error))

    def send(self, command: int, argument: int | None = None) -> None:
        """A 16-bit command and, where there is one, its argument with checksum."""
        out = self._command
        struct.pack_into(">HH", out, 0, command, argument or 0)
        out[4] = crc8(out, 2, 4)
        self.write(memoryview(out)[: 2 if argument is None else 5])

    async def ask(self, command: int, wait_ms: int, words: int) -> tuple[int, ...]:
        """The words that answer a command after its time."""
        self.send(command)
        await asyncio.sleep_ms(wait_ms)
        return self.read(words)

    def read(self, words: int) -> tuple[int, ...]:
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
