"""The host's end of the board's wire: serves the chip's modules (`soc`) and pins.

One connection is one run of the program on the chip, each interrupt of a pin has another. It knows
chips by where they are only, and nothing of processes: what the program asks of its surroundings is
kept or handed to `on_reset`.
"""

import asyncio
import os
import struct
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from simulators.board.access_point import AccessPoint
from simulators.board.chips import Chips
from simulators.board.i2c import I2cBus

_REQUEST = struct.Struct("<BBH")
_ANSWER = struct.Struct("<BH")
_INTERRUPT = ord("I")
_MODULES = ord("@")
_JOINS_KEPT = 100


@dataclass(slots=True)
class Identity:
    """What the chip is, why it started (1: power), and where the memory of its RTC lies; without
    a place it keeps nothing.
    """

    node: str = "3c71bf4a2b10"
    reset_cause: int = 1
    rtc_memory: Path = Path(os.devnull)


@dataclass(slots=True)
class Surroundings:
    """What is around the chip besides its buses; set and read it at will. `radio_on` is the
    program's doing.

    `networks` are those in the air and their passwords (None: it takes any), `joins` those that the
    board has asked for, in order. `access_point` is the one that the board itself is, if it is
    one, and `access_points` all that it has been. `ahead_ms` is how far the chip's count of
    milliseconds is put ahead, as if that time had passed; the RTC is left alone.

    `pins` are levels (written by the program, or from outside by `drive`), `analog_uv` the voltages
    at the ADC's pins, `leds` the colours of WS2812s by pin, `uart_in` what a UART without a chip
    will receive and `uart_out` what each has sent.
    """

    wifi_up: bool = True
    radio_on: bool = False
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
        self.radio_on = False
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


class Modules(Protocol):
    """The chip's modules, for one run of a program."""

    def perform(self, request: bytes) -> bytes:
        """The answer to what the program asks of them."""


class Wire:
    """Serves the wire on a free port; `on_reset(cause, sleep_ms)` is told of a reset, `modules`
    makes the chip's modules.
    """

    def __init__(
        self,
        chips: Chips,
        on_reset: Callable[[int, int], None],
        modules: Callable[["Wire"], Modules],
    ) -> None:
        self.chips = chips
        self.surroundings = Surroundings()
        self.i2c = I2cBus(chips)
        self.chip = Identity()
        self._on_reset = on_reset
        self._modules = modules
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._operations: dict[bytes, Callable[[int, bytes], Answer]] = {
            b"M": self._take_pin,
            b"G": self._pull_pin,
            b"P": self._set_pin,
            b"p": lambda pin, _: (0, bytes((self.level(pin),))),
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
        modules = self._modules(self)
        try:
            while True:
                operation, target, size = _REQUEST.unpack(await reader.readexactly(_REQUEST.size))
                data = await reader.readexactly(size)
                if operation == _INTERRUPT:
                    await self._interrupts(target, reader, writer)
                    return
                if operation == _MODULES:
                    error, answer = 0, modules.perform(data)
                else:
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

    def send_serial(self, uart: int, data: bytes, baudrate: int) -> None:
        """The program sends on a UART."""
        sent = self.surroundings.uart_out[uart]
        sent += data
        del sent[:-4096]
        if uart in self.chips.serial:
            self.chips.serial[uart].receive(data, baudrate)

    def arrived(self, uart: int) -> bytearray:
        """What a UART has received and the program not yet taken."""
        waiting = self.surroundings.uart_in[uart]
        if uart in self.chips.serial:
            waiting += self.chips.serial[uart].send()
        return waiting

    def level(self, pin: int) -> int:
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

    def start_watchdog(self, timeout_ms: int) -> None:
        """From now on it wants to be fed that often."""
        self.surroundings.watchdog_s = timeout_ms / 1000
        self.feed_watchdog()

    def feed_watchdog(self) -> None:
        """The program is alive."""
        self.surroundings.fed_at_s = time.monotonic()

    def reset(self, cause: int, sleep_ms: int) -> None:
        """The program ends here: like on the chip, no `finally` runs."""
        self._on_reset(cause, sleep_ms)
