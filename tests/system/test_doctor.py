"""`preau doctor`, with one thing broken at a time: it finds that one, and says what to do."""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.checks import clock
from gateway.checks.finding import Level
from gateway.cli import run
from gateway.doctor import given_of
from gateway.settings import load_settings
from tests.doctor_town import ESTATE, NODE, OTHER, PLACED, DoctorTown, doctor_town
from tests.gateway import Gateway
from tests.servers import eventually, free_port, running


@pytest.fixture
def town(tmp_path, capsys, monkeypatch) -> DoctorTown:
    return doctor_town(tmp_path, capsys, monkeypatch)


def test_where_all_is_in_order_each_check_is_one_line(town):
    assert town.sick(0) == []
    assert {one["check"] for one in town.ask(0)} == {
        *("broker", "clock", "data", "estate", "nodes", "ports", "serial", "tools")
    }
    assert run(["doctor", "--settings", str(town.settings)]) == 0
    lines = town.capsys.readouterr().out.splitlines()
    assert "✔ estate: the estate is valid: 1 rooms, 1 nodes" in lines
    assert not any(line.startswith("✘") for line in lines)


def test_each_mistake_in_the_settings_is_told_with_its_line(town):
    town.sections["http"] = "port = 80800"
    [(check, level, text, _)] = town.sick()
    assert (check, level) == ("settings", "failed")
    assert "preau.toml:4: http.port = 80800: must be at most 65535" in text


def test_a_mistake_in_the_estate_is_told_with_its_line(town):
    town.declare(ESTATE + PLACED.format(NODE).replace("cp-a", "cp-b"))
    found = town.sick()
    assert found[0][:2] == ("estate", "failed")
    assert 'node[0].placement[0].room = "ferry/cp-b": there is no such room' in found[0][2]


def test_a_town_without_estate_is_told_how_to_begin(town):
    (town.folder / "estate.toml").unlink()
    assert ("estate", "warning") in [one[:2] for one in town.sick(0)]
    assert any("preau init" in one[3] for one in town.sick(0))


def test_a_port_that_another_program_has_is_told_with_how_to_find_it(town):
    with closing(socket.create_server(("127.0.0.1", town.port))):
        [(check, level, text, remedy)] = town.sick()
    assert (check, level) == ("ports", "failed")
    assert f"127.0.0.1:{town.port} for the page: Address already in use" in text
    assert f"ss -ltnp 'sport = :{town.port}'" in remedy


def test_an_address_of_another_machine_is_no_place_to_listen(town):
    town.sections["http"] += '\nhost = "192.0.2.1"'
    [(check, level, text, remedy)] = town.sick()
    assert (check, level) == ("ports", "failed")
    assert "Cannot assign requested address" in text
    assert "http.host" in remedy


async def test_a_running_gateway_is_recognised_as_ours(tmp_path):
    gateway = Gateway(tmp_path, free_port(), estate=ESTATE, embedded=True)
    with running(gateway):
        await eventually(gateway.is_well)
        found = by_process(tmp_path / "preau.toml")
    texts = {one["check"]: one["text"] for one in found if one["level"] == "good"}
    assert texts["ports"] == f"the gateway runs on 127.0.0.1:{gateway.port} and is well"
    assert texts["broker"].endswith(" answers")


async def test_a_running_gateway_that_is_not_well_says_why(tmp_path):
    gateway = Gateway(tmp_path, free_port(), estate=ESTATE)
    with running(gateway):
        await eventually(lambda: "and says: " in told_of(tmp_path, "ports"))
        assert "can't be reached" in told_of(tmp_path, "broker")


def by_process(settings: Path) -> list[dict[str, Any]]:
    preau = Path(sys.executable).with_name("preau")
    command = [preau, "doctor", "--json", "--settings", settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return json.loads(done.stdout)["findings"]


def told_of(folder: Path, check: str) -> str:
    found = by_process(folder / "preau.toml")
    return " ".join(one["text"] for one in found if one["check"] == check)


def test_a_clock_that_was_never_set_is_told(town):
    given = given_of(load_settings(town.settings), 946_684_800_000)
    [found] = asyncio.run(clock.check(given))
    assert found.level is Level.FAILED
    assert "2000-01-01" in found.text
    assert "timedatectl" in found.remedy


def test_a_clock_that_went_back_is_seen_by_what_was_received(town):
    town.hear(NODE, int(time.time()) + 60, received_s=int(time.time()) + 86_400)
    assert [one[0] for one in town.sick()] == ["nodes"]
    assert "the clock went back" in town.sick()[0][2]


def test_a_node_that_is_silent_is_named_with_its_room(town):
    town.declare(ESTATE + PLACED.format(NODE) + PLACED.format(OTHER))
    [(check, level, text, _)] = town.sick(0)
    assert (check, level) == ("nodes", "warning")
    assert text == f"1 of 2 nodes in a room are silent: {OTHER} (ferry/cp-a)"


def test_all_nodes_silent_at_once_is_a_failure(town):
    town.declare(ESTATE + PLACED.format(OTHER))
    found = town.sick()
    assert found[0][:2] == ("nodes", "failed")
    assert "the broker" in found[0][3]


def test_a_node_in_no_room_is_told_with_the_command_and_a_removed_one_is_not(town):
    town.hear(OTHER, int(time.time()))
    [(check, level, _, remedy)] = town.sick(0)
    assert (check, level) == ("nodes", "warning")
    assert remedy == f"preau node place {OTHER} SITE/ROOM"

    later = f'[[node]]\nid = "{OTHER}"\nremoved = 2030-01-01\n'
    town.declare(ESTATE + PLACED.format(NODE) + later)
    assert town.sick(0) == []


def test_little_room_is_a_warning(town):
    free_mib = shutil.disk_usage(town.folder).free // 2**20
    town.sections["store"] = f"min_free_mib = {min(free_mib + 1000, 1_000_000)}"
    [(check, level, text, _)] = town.sick(0)
    assert (check, level) == ("data", "warning")
    assert "less than store.min_free_mib" in text


def test_a_full_disk_is_a_failure(town):
    disk = town.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "preau", disk], check=True)
    try:
        town.sections["data"] = f'dir = "{disk / "data"}"'
        found = [one for one in town.sick() if one[0] == "data"]
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
    assert found[0][1] == "failed"
    assert "nothing is taken in" in found[0][2]


def test_a_data_folder_that_others_may_look_into_is_told_with_the_command(town):
    (town.folder / "data").chmod(0o755)
    [(check, level, _, remedy)] = town.sick(0)
    assert (check, level) == ("data", "warning")
    assert remedy == f"chmod 700 {town.folder / 'data'}"


def test_a_secret_that_others_may_read_is_told_with_the_command(town):
    file = town.folder / "data" / "credentials" / f"{NODE}.setup"
    file.parent.mkdir(mode=0o700)
    file.write_text("secret\n")
    file.chmod(0o640)
    [(check, level, _, remedy)] = town.sick()
    assert (check, level) == ("data", "failed")
    assert remedy == f"chmod 600 {file}"


def as_another_user(code: str, *arguments: str) -> list[list[str]]:
    """Level, text and remedy of the findings of `code`, run by one who owns nothing here."""
    script = (
        "import asyncio, json, os, sys\nfrom pathlib import Path\n"
        "from gateway.checks import data_folder, serial_ports\n"
        "if os.geteuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"found = {code}\nprint(json.dumps([[f.level, f.text, f.remedy] for f in found]))\n"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user of the machine reaches; pytest's own is closed to others."""
    made = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_a_data_folder_that_we_may_not_write_to_is_told_with_its_owner(open_folder):
    (open_folder / "data").mkdir()
    (open_folder / "data").chmod(0o500)
    code = "list(data_folder._permissions(Path(sys.argv[1])))"
    [[level, text, remedy]] = as_another_user(code, str(open_folder / "data"))
    assert level == "failed"
    assert text.endswith(f"may not write to {open_folder / 'data'}")
    assert "sudo -u " in remedy


def test_a_board_that_this_user_may_not_write_to_is_told_with_the_group(open_folder):
    port = open_folder / "ttyUSB0"
    port.touch()
    port.chmod(0)
    [[level, text, remedy]] = as_another_user(
        "serial_ports.ports_in(Path(sys.argv[1]))", str(open_folder)
    )
    assert level == "failed"
    assert str(port) in text
    assert remedy.startswith("sudo usermod -aG ")

    port.chmod(0o666)
    [[level, text, _]] = as_another_user(
        "serial_ports.ports_in(Path(sys.argv[1]))", str(open_folder)
    )
    assert (level, text) == ("good", f"this user may write to the board on {port}")
