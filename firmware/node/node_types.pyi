# Types that several modules of the node share. For mypy alone: no node gets this file.

from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeAlias, overload

from _mpy_shed.time_mp import _TicksMs
from app import App
from machine import Pin
from outbox import Outbox
from safe import SafeApp, _NoOutbox, _NoSender
from sender import Sender

# The node as it is, and what is left of it in safe mode.
AnyApp: TypeAlias = App | SafeApp
AnyOutbox: TypeAlias = Outbox | _NoOutbox
AnySender: TypeAlias = Sender | _NoSender

Buffer: TypeAlias = bytes | bytearray | memoryview

# An object as it came: whoever reads a value of it looks first what it is.
Json: TypeAlias = dict[str, Any]

# What `ticks_ms` gives: it wraps, so only `ticks_diff` and `ticks_add` make sense of it.
Ticks: TypeAlias = _TicksMs

# Topic, payload.
Will: TypeAlias = tuple[str, str]

# A command's reply, and what is to be done once it is sent.
Answer: TypeAlias = tuple[Json, Coroutine[Any, Any, None] | None]

# Position, the number expected there.
Cursor: TypeAlias = list[int]

# Position, number, next position, payload.
Record: TypeAlias = tuple[int, int, int, bytes]

# An anchor: epoch, RTC seconds, Unix seconds, milliseconds, newest outbox segment then.
Entry: TypeAlias = tuple[int, int, int, int, int]

# Quantity number, channel.
Output: TypeAlias = tuple[int, str | None]

# Quantity number, value in its smallest step, channel, offset in milliseconds.
Reading: TypeAlias = tuple[int, int] | tuple[int, int, str | None, int]

# What `measure` gives: one value a quantity; (level, ticks_ms) of each change; none yet.
Values: TypeAlias = tuple[int, ...] | list[tuple[int, Ticks]] | None

# SSID, BSSID, the addresses that DHCP gave.
Network: TypeAlias = tuple[str, bytes, Sequence[str]]

# The code, how many wrong ones were sent, what ends it early: see `portal`.
SetupState: TypeAlias = list[Any]

class Memory(Protocol):
    # `RTC().memory`.

    @overload
    def __call__(self) -> bytes: ...
    @overload
    def __call__(self, data: bytes, /) -> None: ...

class Driver(Protocol):
    # What every chip's driver has: see `drivers`.

    name: str

    async def start(self) -> object: ...
    async def measure(self) -> Values: ...

class OneWire(Protocol):
    # `onewire.OneWire`, for which the stubs have no types.

    SKIP_ROM: int
    pin: Pin

    def reset(self) -> bool: ...
    def writebyte(self, value: int, /) -> None: ...
    def readinto(self, buf: bytearray, /) -> None: ...
    def select_rom(self, rom: bytes, /) -> None: ...
    def scan(self) -> list[bytearray]: ...
    def crc8(self, data: Buffer, /) -> int: ...
