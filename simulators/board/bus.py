"""The host's end of the board's wire: serves I²C, 1-Wire, UART, pins, Wi-Fi state, watchdog and
resets.

One connection is one run of the program on the chip, each interrupt of a pin has another. It knows
chips by where they are only, and nothing of processes: what the program asks of its surroundings is
kept or handed to `on_reset`.
"""

import asyncio
import errno
import json
import struct
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.board.access_point import AccessPoint, RefusedError
from simulators.board.chips import Chips
from simulators.board.i2c import I2cBus

_REQUEST = struct.Struct("<BBH")
_ANSWER = struct.Struct("<BH")
_INTERRUPT = ord("I")
_JOINS_KEPT = 100


@dataclass(slots=True)
class Surroundings:
    """What is around the chip besides its buses; set and read it at will.

    `networks` are those in the air and their passwords (None: it takes any), `joins` those that the
    board has asked for, in order. `access_point` is the one that the board itself is, if it is
    one, and `access_points` all that it has been. `ahead_ms` is how far the chip's count of
    milliseconds is put ahead, as if that time had passed; the RTC is left alone.

    `pins` are levels (written by the program, or from outside by `drive`), `analog_uv` the voltages
    at the ADC's pins, `leds` the colours of WS2812s by pin, `uart_in` what a UART without a chip
    will receive and `uart_out` what each has sent.
    """

    wifi_up: bool = True
    rssi_dbm: int = -61
    networks: dict[str, str | None] = field(default_factory=lambda: {"preau": None})
    joins: deque[str] = field(default_factory=lambda: deque(maxlen=_JOINS_KEPT))
    access_point: AccessPoint | None = None
    access_points: list[AccessPoint] = field(default_factory=list)
    ahead_ms: int = 0
    pins: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    pulls: dict[int, int] = field(default_factory=dict)
    analog_uv: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    leds: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    uart_in: dict[int, bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    uart_out: dict[int, bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    watchdog_s: float | None = None
    fed_at_s: float = 0.0
    listeners: dict[int, list[Callable[[int], None]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def restarted(self) -> None:
        """The chip begins anew: what its program had set up is gone."""
        self.watchdog_s = None
        self.access_point = None
        self.ahead_ms = 0

    def point_is(self, point: AccessPoint | None) -> None:
        """The board's access point is that from now on."""
        self.access_point = point
        if point:
            self.access_points.append(point)

    def lets_in(self, ssid: str, key: str) -> bool:
        """Whether there is this network, and takes that password."""
        return self.wifi_up and ssid in self.networks and self.networks[ssid] in (None, key)

    def level(self, pin: int) -> int:
        """Of a pin: driven, or else pulled."""
        return self.pins.get(pin, self.pulls.get(pin, 0))

    def drive(self, pin: int, level: int) -> None:
        """Put a level on a pin from outside; a change interrupts a program that asked for it."""
        changed = self.level(pin) != level
        self.pins[pin] = level
        if changed:
            for listener in list(self.listeners[pin]):
                listener(level)

    def release(self, pin: int) -> None:
        """Drive it no longer: an open contact, whose level is that of the pull."""
        self.drive(pin, self.pulls.get(pin, 0))
        del self.pins[pin]


Answer = tuple[int, bytes]
_DONE: Answer = (0, b"")


class Wire:
    """Serves the wire on a free port; `on_reset(cause, sleep_ms)` is told of a reset."""

    def __init__(self, chips: Chips, on_reset: Callable[[int, int], None]) -> None:
        self.chips = chips
        self.surroundings = Surroundings()
        self.i2c = I2cBus(chips)
        self._baudrates: dict[int, int] = {}
        self._on_reset = on_reset
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._operations: dict[bytes, Callable[[int, bytes], Answer]] = {
            b"B": self._i2c_open,
            b"W": self.i2c.write,
            b"R": lambda address, data: self.i2c.read(address, struct.unpack("<H", data)[0]),
            b"S": lambda _target, _data: (0, self.i2c.scan()),
            b"O": self._onewire,
            b"H": self._dht22,
            b"U": self._uart_open,
            b"T": self._uart_send,
            b"V": self._uart_receive,
            b"a": lambda uart, _: (0, struct.pack("<H", len(self._arrived(uart)))),
            b"M": self._take_pin,
            b"G": self._pull_pin,
            b"P": self._set_pin,
            b"p": lambda pin, _: (0, bytes((self._level(pin),))),
            b"L": self._leds,
            b"A": lambda pin, _: (0, struct.pack("<I", self.surroundings.analog_uv[pin])),
            b"N": self._network,
            b"J": self._join,
            b"Y": self._access_point,
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
                if operation == _INTERRUPT:
                    await self._interrupts(target, reader, writer)
                    return
                error, answer = self._operations[bytes((operation,))](target, data)
                writer.write(_ANSWER.pack(error, len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # The program ended; another run connects anew.
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _interrupts(
        self, pin: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Tell this connection of every change of `pin`, until it ends."""

        def tell(level: int) -> None:
            writer.write(bytes((level,)))

        self.surroundings.listeners[pin].append(tell)
        try:
            writer.write(_ANSWER.pack(0, 0))
            await reader.read()
        finally:
            self.surroundings.listeners[pin].remove(tell)

    def _i2c_open(self, _target: int, data: bytes) -> Answer:
        self.i2c.open(*struct.unpack("<IIBBB", data))
        return _DONE

    def _onewire(self, pin: int, data: bytes) -> Answer:
        wire = self.chips.wires.get(pin)
        if data[0] == 0:
            return 0, bytes((wire.reset() if wire else False,))
        if data[0] == 1:
            return 0, bytes((wire.read(data[1]) if wire else (1 << data[1]) - 1,))
        if wire:
            wire.write(data[2], data[1])
        return _DONE

    def _dht22(self, pin: int, _data: bytes) -> Answer:
        chip = self.chips.dht22.get(pin)
        answer = chip.read() if chip else None
        return (errno.ETIMEDOUT, b"") if answer is None else (0, answer)

    def _uart_open(self, uart: int, data: bytes) -> Answer:
        self._baudrates[uart] = struct.unpack("<I", data)[0]
        return _DONE

    def _uart_send(self, uart: int, data: bytes) -> Answer:
        sent = self.surroundings.uart_out[uart]
        sent += data
        del sent[:-4096]
        if uart in self.chips.serial:
            self.chips.serial[uart].receive(data, self._baudrates.get(uart, 0))
        return _DONE

    def _arrived(self, uart: int) -> bytearray:
        waiting = self.surroundings.uart_in[uart]
        if uart in self.chips.serial:
            waiting += self.chips.serial[uart].send()
        return waiting

    def _uart_receive(self, uart: int, data: bytes) -> Answer:
        waiting = self._arrived(uart)
        size = struct.unpack("<H", data)[0]
        taken = bytes(waiting[:size])
        del waiting[:size]
        return 0, taken

    def _level(self, pin: int) -> int:
        """Of a pin, which may be a bus's line."""
        if pin in self.chips.wires:
            return self.chips.wires[pin].level
        level = self.i2c.level(pin)
        return self.surroundings.level(pin) if level is None else level

    def _take_pin(self, pin: int, _data: bytes) -> Answer:
        self.i2c.take(pin)
        return _DONE

    def _pull_pin(self, pin: int, data: bytes) -> Answer:
        self.surroundings.pulls[pin] = data[0]
        return _DONE

    def _set_pin(self, pin: int, data: bytes) -> Answer:
        self.surroundings.pins[pin] = data[0]
        self.i2c.clock(pin, data[0])
        return _DONE

    def _leds(self, pin: int, data: bytes) -> Answer:
        # Green, red, blue on the wire.
        colours = [(data[at + 1], data[at], data[at + 2]) for at in range(0, len(data), 3)]
        self.surroundings.leds[pin] = colours
        return _DONE

    def _network(self, _target: int, data: bytes) -> Answer:
        ssid, _, key = data.decode().partition("\0")
        is_joined = self.surroundings.lets_in(ssid, key)
        return 0, bytes((int(is_joined), -self.surroundings.rssi_dbm))

    def _join(self, _target: int, data: bytes) -> Answer:
        self.surroundings.joins.append(data.decode().partition("\0")[0])
        return _DONE

    def _access_point(self, _target: int, data: bytes) -> Answer:
        """Asked (nothing), switched (a list) or configured (an object): on or off, or the error."""
        around = self.surroundings
        wanted = json.loads(data) if data else None
        if isinstance(wanted, list):
            around.point_is(around.access_point or AccessPoint() if wanted[0] else None)
        elif wanted is not None and around.access_point is None:
            # `esp_wifi_set_config` takes nothing for an interface that is not active.
            return 0, b"\0Wifi Invalid Mode"
        elif wanted is not None and around.access_point is not None:
            try:
                around.point_is(around.access_point.told(wanted))
            except RefusedError as error:
                return 0, b"\0" + str(error).encode()
        return 0, bytes((around.access_point is not None,))

    def _start_watchdog(self, _target: int, data: bytes) -> Answer:
        self.surroundings.watchdog_s = struct.unpack("<I", data)[0] / 1000
        return self._feed_watchdog(0, b"")

    def _feed_watchdog(self, _target: int, _data: bytes) -> Answer:
        self.surroundings.fed_at_s = time.monotonic()
        return 0, struct.pack("<I", self.surroundings.ahead_ms)

    def _reset(self, cause: int, data: bytes) -> Answer:
        self._on_reset(cause, struct.unpack("<I", data)[0])
        return _DONE
