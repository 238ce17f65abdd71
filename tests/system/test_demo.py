"""`preau demo` as a newcomer types it: a full page soon, and a clean end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from ingest.store.database import FILE_NAME
from ingest.store.reader import StoreReader
from simulators.demonstration import BOARD_ROOM
from simulators.town import demo_town
from tests.servers import eventually, free_port, require_micropython

FIRST_PAGE_CPU_S = 20
DAY_MS = 86_400_000


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A demo of its own; its process and the port of its page."""
    http = free_port()
    command = [
        *(str(Path(sys.executable).with_name("preau")), "demo", "--data-dir", str(folder)),
        *("--http", f"127.0.0.1:{http}", "--mqtt", f"127.0.0.1:{free_port()}", *options),
    ]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder.parent,
        env=environment,
    )
    try:
        yield process, http
    finally:
        process.kill()
        process.communicate()


def page(port: int) -> str | None:
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
            return answer.read().decode()
    except (URLError, OSError):
        return None


async def first_page(process: subprocess.Popen[str], port: int) -> str:
    """The page, as soon as it answers."""
    found = await eventually(
        lambda: process.poll() is not None or page(port), deadline_s=60, what="no page"
    )
    assert process.poll() is None, process.communicate()[0]
    return found


def cpu_s(process: subprocess.Popen[str]) -> float:
    """What it has used of a processor, which does not depend on who else uses it."""
    of_process = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    # proc(5): utime, stime, and those of children that have ended.
    return sum(int(ticks) for ticks in of_process[11:15]) / os.sysconf("SC_CLK_TCK")


def interrupted(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C and return what it had said by its end."""
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=15)
    return said


def measured_since(folder: Path, since_ms: int) -> dict[str, set[str]]:
    """The quantities that each node has measured since a time."""
    found = defaultdict(set)
    with StoreReader(folder) as store:
        for series, point in store.latest():
            if point.measured_at_ms >= since_ms:
                found[series.node].add(series.quantity)
    return found


async def test_the_first_page_is_full_and_all_rooms_go_on_measuring(tmp_path):
    require_micropython()
    folder = tmp_path / "demo"
    with demo(folder) as (process, port):
        html = await first_page(process, port)
        assert cpu_s(process) < FIRST_PAGE_CPU_S
        started_ms = time.time_ns() // 1_000_000
        town = demo_town()
        assert all(room.name in html for room in town.rooms)
        await eventually(
            lambda: len(measured_since(folder, started_ms)) == 12,
            deadline_s=40,
            what="not every node measured",
        )
        said = interrupted(process)
    assert process.returncode == 0, said
    assert said.rstrip().endswith("stopped")
    assert "Traceback" not in said
    with StoreReader(folder) as store:
        series = next(s for s in store.series(quantity="co2") if s.node == town.rooms[3].node)
        past = store.points(series, started_ms - 14 * DAY_MS, started_ms, limit=10_000)
        assert len(past) >= 4000
        assert [log.missing() for log in store.logs()] == [[] for _ in store.logs()]
        assert store.dead_letter_counts() == {}
        board = next(room.node for room in town.rooms if room.ref == BOARD_ROOM)
        assert len([log for log in store.logs() if log.node == board]) == 2


async def test_started_again_it_goes_on_with_the_same_folder(tmp_path):
    folder = tmp_path / "demo"
    for _ in range(2):
        with demo(folder, "--days", "0.05") as (process, port):
            await first_page(process, port)
            said = interrupted(process)
            assert process.returncode == 0, said
    with StoreReader(folder) as store:
        assert store.dead_letter_counts() == {}
        assert len(store.nodes()) == 12


@pytest.mark.parametrize("option", ["--http", "--mqtt"])
def test_a_taken_port_gets_one_line_with_port_and_option(tmp_path, option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo(tmp_path / "demo", option, f"127.0.0.1:{port}") as (process, _):
            said, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert len(said.splitlines()) == 1
    assert str(port) in said
    assert option in said


def test_the_data_of_a_real_gateway_are_not_touched(tmp_path):
    folder = tmp_path / "town"
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(b"")
    with demo(folder) as (process, _):
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "--data-dir" in said
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


def test_without_its_packages_it_says_in_one_line_which_extra_brings_them():
    program = (
        "import sys; sys.modules['numpy'] = None;"
        "from gateway.cli import run; sys.exit(run(['demo']))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert process.returncode == 2
    assert (
        process.stderr == "preau: the package numpy is missing: pip install 'preau[simulators]'\n"
    )
