"""What a user's own tests get from Préau: the fixture `preau_town`, in a pytest of their own."""

import subprocess
import sys
from pathlib import Path

from tests.servers import require

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

@pytest.mark.preau_town("no-such-scenario")
def test_a_town_that_is_not_there(preau_town):
    pass
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
    (tmp_path / "test_town.py").write_text(USERS_TEST)
    ran = run_pytest(tmp_path, "--strict-markers")
    assert "3 passed, 1 error" in ran.stdout, ran.stdout + ran.stderr
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
