"""The host's end of the board's wire: serves I²C, UART, pins, Wi-Fi state, watchdog and resets.

One connection is one run of the program on the chip. It knows chips by their address only, and
nothing of processes: what the program asks of its surroundings is kept or handed to `on_reset`.
"""

import asyncio
import errno
import struct
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.board.chips import Chips
from simulators.board.sensirion import Refused

_REQUEST = struct.Struct("<BBH")
_ANSWER = struct.Struct("<BH")


@dataclass(slots=True)
class Surroundings:
    """What is around the chip besides the I²C bus; set and read it at will.

    `pins` are levels (written by the program or from outside), `analog_uv` the voltages at the
    ADC's pins, `uart_in` what a UART will receive and `uart_out` what it has sent.
    """

    wifi_up: bool = True
    rssi_dbm: int = -61
    pins: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    analog_uv: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    uart_in: dict[int, bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    uart_out: dict[int, bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    watchdog_s: float | None = None
    fed_at_s: float = 0.0


Answer = tuple[int, bytes]
_DONE: Answer = (0, b"")


class Wire:
    """Serves the wire on a free port; `on_reset(cause, sleep_ms)` is told of a reset."""

    def __init__(self, chips: Chips, on_reset: Callable[[int, int], None]) -> None:
        self.chips = chips
        self.surroundings = Surroundings()
        self._on_reset = on_reset
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._operations: dict[bytes, Callable[[int, bytes], Answer]] = {
            b"W": self._i2c_write,
            b"R": self._i2c_read,
            b"S": self._i2c_scan,
            b"T": self._uart_send,
            b"V": self._uart_receive,
            b"a": lambda uart, _: (0, struct.pack("<H", len(self.surroundings.uart_in[uart]))),
            b"P": self._set_pin,
            b"p": lambda pin, _: (0, bytes((self.surroundings.pins[pin],))),
            b"A": lambda pin, _: (0, struct.pack("<I", self.surroundings.analog_uv[pin])),
            b"N": self._network,
            b"D": self._start_watchdog,
            b"F": self._feed_watchdog,
            b"X": self._reset,
        }

    async def start(self) -> int:
        """Listen; the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and what is connected."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                operation, target, size = _REQUEST.unpack(await reader.readexactly(_REQUEST.size))
                data = await reader.readexactly(size)
                error, answer = self._operations[bytes((operation,))](target, data)
                writer.write(_ANSWER.pack(error, len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # The program ended; another run connects anew.
        finally:
            self._writers.discard(writer)
            writer.close()

    def _i2c_write(self, address: int, data: bytes) -> Answer:
        chip = self.chips.at(address)
        if chip is None:
            return errno.ENODEV, b""
        try:
            chip.write(data)
        except Refused:
            return errno.EIO, b""
        return _DONE

    def _i2c_read(self, address: int, data: bytes) -> Answer:
        chip = self.chips.at(address)
        if chip is None:
            return errno.ENODEV, b""
        try:
            return 0, chip.read(struct.unpack("<H", data)[0])
        except Refused:
            return errno.EIO, b""

    def _i2c_scan(self, _target: int, _data: bytes) -> Answer:
        return 0, bytes(sorted(chip.address for chip in self.chips if chip.connected))

    def _uart_send(self, uart: int, data: bytes) -> Answer:
        sent = self.surroundings.uart_out[uart]
        sent += data
        del sent[:-4096]
        return _DONE

    def _uart_receive(self, uart: int, data: bytes) -> Answer:
        waiting = self.surroundings.uart_in[uart]
        size = struct.unpack("<H", data)[0]
        taken = bytes(waiting[:size])
        del waiting[:size]
        return 0, taken

    def _set_pin(self, pin: int, data: bytes) -> Answer:
        self.surroundings.pins[pin] = data[0]
        return _DONE

    def _network(self, _target: int, _data: bytes) -> Answer:
        return 0, bytes((int(self.surroundings.wifi_up), -self.surroundings.rssi_dbm))

    def _start_watchdog(self, _target: int, data: bytes) -> Answer:
        self.surroundings.watchdog_s = struct.unpack("<I", data)[0] / 1000
        return self._feed_watchdog(0, b"")

    def _feed_watchdog(self, _target: int, _data: bytes) -> Answer:
        self.surroundings.fed_at_s = time.monotonic()
        return _DONE

    def _reset(self, cause: int, data: bytes) -> Answer:
        self._on_reset(cause, struct.unpack("<I", data)[0])
        return _DONE
