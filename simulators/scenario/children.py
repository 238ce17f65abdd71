"""Servers that a scenario starts: Mosquitto, InfluxDB, a gateway, each a child process.

On free ports of the loopback, ended by their process id. It knows no scenario.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ingest.errors import ConfigurationError, TransientError
from simulators.scenario.weight import Weight, weight_of

_SYSTEM_PATH: Final = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
_LISTENS_WITHIN_S: Final = 30.0
_STOPS_WITHIN_S: Final = 10.0
_SHOWN_OF_LOG: Final = 600
_PORTS: Final = range(20_000, 32_000)
_TRIES: Final = 200


class ChildEndedError(TransientError):
    """A server has ended, or does not listen; the text has the end of what it said."""


def program(name: str, package: str) -> str:
    """The path of an installed program. `ConfigurationError` tells how to install it."""
    found = shutil.which(name, path=_SYSTEM_PATH)
    if found is None:
        raise ConfigurationError(f"{name} is missing: apt-get install {package}")
    return found


def has_mosquitto() -> bool:
    """Whether Mosquitto is installed."""
    return shutil.which("mosquitto", path=_SYSTEM_PATH) is not None


def free_port() -> int:
    """A port of the loopback that was free a moment ago.

    Below those that Linux gives to outgoing connections: thousands of nodes would take it at once.
    """
    for _ in range(_TRIES):
        port = secrets.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise TransientError(f"no port is free on the loopback between {_PORTS[0]} and {_PORTS[-1]}")


class Child:
    """A process that listens on `port`, to be started, killed and started again."""

    def __init__(self, command: Sequence[str | Path], port: int, log: Path) -> None:
        self.port = port
        self._command = [str(part) for part in command]
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Its process; `None` while it does not run."""
        return self._process.pid if self.is_running and self._process is not None else None

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Return once it listens. Raises `ChildEndedError`."""
        if self.is_running:
            raise RuntimeError(f"{self._command[0]} runs already")
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is for the scenario, which then ends it.
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(_LISTENS_WITHIN_S):
                while not await listens(self.port):
                    self.check()
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            await self.kill()
            raise ChildEndedError(f"{self._told()} does not listen on port {self.port}") from error

    def check(self) -> None:
        """Raises `ChildEndedError` where it has ended by itself."""
        if self._process is not None and self._process.returncode is not None:
            raise ChildEndedError(f"{self._told()} has ended with {self._process.returncode}")

    async def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        await self._signal(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL to what does not heed it."""
        await self._signal(signal.SIGTERM)

    def weight(self) -> Weight:
        """Its memory; none while it does not run."""
        return Weight() if self.pid is None else weight_of(self.pid)

    async def _signal(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(number)
        try:
            async with asyncio.timeout(_STOPS_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _told(self) -> str:
        said = self._log.read_bytes()[-_SHOWN_OF_LOG:].decode(errors="replace").strip()
        return f"{Path(self._command[0]).name} ({said})" if said else Path(self._command[0]).name


async def listens(port: int) -> bool:
    """Whether something takes connections on that port of the loopback."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def mosquitto(folder: Path) -> Child:
    """A Mosquitto that keeps nothing on disk: started again, its memory is gone."""
    port = free_port()
    settings = folder / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        "max_inflight_messages 5000\nmax_queued_messages 100000\nset_tcp_nodelay true\n"
        "log_type error\nlog_type warning\n",
        encoding="utf-8",
    )
    command: list[str | Path] = [program("mosquitto", "mosquitto"), "-c", settings]
    return Child(command, port, folder / "mosquitto.log")


def influxdb(folder: Path) -> Child:
    """Debian's InfluxDB 1.6, its data in `folder`: they outlive a restart."""
    port = free_port()
    settings = folder / "influxdb.conf"
    settings.write_text(
        "reporting-disabled = true\n"
        f'bind-address = "127.0.0.1:{free_port()}"\n'
        f'[meta]\ndir = "{folder}/influx-meta"\n'
        f'[data]\ndir = "{folder}/influx-data"\nwal-dir = "{folder}/influx-wal"\n'
        'index-version = "inmem"\nquery-log-enabled = false\n'
        f'[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n'
        "[monitor]\nstore-enabled = false\n"
        '[logging]\nlevel = "warn"\n',
        encoding="utf-8",
    )
    command: list[str | Path] = [program("influxd", "influxdb"), "-config", settings]
    return Child(command, port, folder / "influxdb.log")
