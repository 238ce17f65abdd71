"""What a user's own tests get from Préau: the fixture `preau_town`, in a pytest of their own."""

import subprocess
import sys
from pathlib import Path

from tests.servers import require, require_micropython

USERS_TEST = """
import pytest

def test_a_morning_arrives(preau_town):
    preau_town.advance(hours=10)
    node = preau_town.node_in("prevert/cp")
    assert (preau_town.now.hour, node.taken, node.held) == (9, 120, 0)
    room = next(r for r in preau_town.get("/api/v1/rooms")["rooms"] if r["ref"] == "prevert/cp")
    assert {one["quantity"] for one in room["latest"]} == {"temperature", "co2", "humidity"}

def test_a_broker_that_was_away_costs_nothing(preau_town):
    preau_town.take_away("broker")
    preau_town.advance(hours=2)
    node = preau_town.nodes[0]
    assert node.held == 24
    preau_town.bring_back("broker")
    assert node.held == 0

@pytest.mark.preau_town("frost-in-the-gym")
def test_another_town(preau_town):
    assert len(preau_town.nodes) == 2

@pytest.mark.preau_town("boards.toml")
def test_a_town_with_the_real_firmware(preau_town):
    board, other = preau_town.nodes
    while not board.receipted:
        preau_town.advance(seconds=1)
    board.cut_link()
    taken = board.taken
    while board.taken < taken + 3:
        preau_town.advance(seconds=1)
    assert board.held >= 3

@pytest.mark.preau_town("no-such-scenario")
def test_a_town_that_is_not_there(preau_town):
    pass
"""

BOARDS = """
begin = 2027-01-12T10:00:00
end = 2027-01-12T12:00:00
nodes = 2
firmware = 1
speed = 1
interval_s = 1
"""

# Without the plugins that our own tests use.
_ALONE = [
    f"-pno:{name}" for name in ("randomly", "asyncio", "hypothesispytest", "anyio", "timeout")
]


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-W", "error", *_ALONE, *options]
    return subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, timeout=100
    )


def test_a_town_whose_clock_the_test_moves(tmp_path: Path):
    require("mosquitto")
    require_micropython()
    (tmp_path / "test_town.py").write_text(USERS_TEST)
    (tmp_path / "boards.toml").write_text(BOARDS)
    ran = run_pytest(tmp_path, "--strict-markers")
    assert "4 passed, 1 error" in ran.stdout, ran.stdout + ran.stderr
    assert "neither a file nor a scenario" in ran.stdout


def test_it_costs_nothing_where_it_is_not_used(tmp_path: Path):
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n"
        "def test_light():\n"
        "    heavy = {'numpy', 'aiohttp', 'paho', 'pydantic', 'holidays'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    ran = run_pytest(tmp_path)
    assert "1 passed" in ran.stdout, ran.stdout
