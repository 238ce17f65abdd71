"""Scenarios whose nodes run the real firmware: what is lost by it, they find."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gateway.cli import run
from simulators.board.program import SOURCES
from simulators.scenario import boards
from simulators.scenario.load import SHIPPED, load_scenario
from simulators.scenario.perform import Outcome, perform
from tests.servers import require, require_micropython

FORGETS_ON_PUBACK = (
    "session.py",
    '                await client.publish(self._base + "readings", pack)\n',
    """                await client.drained()
                for position in list(self._outbox.open):
                    self._outbox.settle(position)
                self._outbox.save()
""",
)
DROPS_ITS_OUTBOX_ON_RESTART = (
    "app.py",
    "    def __init__(self) -> None:\n",
    """        if "packs" in os.listdir():
            for name in os.listdir("packs"):
                os.remove("packs/" + name)
""",
)
TAKES_NOTHING_WITHOUT_A_LINK = (
    "app.py",
    "    def _take(self, stamp: bytes, readings: list[Reading]) -> None:\n",
    """        if not self.link.client:
            return
""",
)
DATES_WRONG = ("known_time.py", "    offset = unix_s - rtc_s\n", "    offset -= 100\n")
SOON = """
begin = 2027-01-12T10:00:00
end = 2027-01-12T10:00:14
nodes = 3
firmware = 2
speed = 1
interval_s = 1

[[fault]]
what = "disconnected"
room = "prevert/cp"
chip = "scd41"
since = 2027-01-12T10:00:00

[[fault]]
what = "power_on_value"
room = "prevert/ce1"
chip = "sht4x"
share = 1.0
since = 2027-01-12T10:00:05

[[fault]]
what = "power_cut"
rooms = ["prevert/ce1", "prevert/ce2"]
since = 2027-01-12T10:00:06
until = 2027-01-12T10:00:08

[[expect]]
what = "nothing_missing"

[[expect]]
what = "nothing_twice"

[[expect]]
what = "co2"
room = "prevert/cp"
at_least = 400

[[expect]]
what = "temperature"
room = "prevert/cp"
at_least = 0

[[expect]]
what = "quality"
room = "prevert/ce1"
quantity = "temperature"
quality = "bad"
at_least = 1
"""


def firmware(folder: Path, module: str, line: str, added: str) -> Path:
    """The firmware, broken by what is added after a line."""
    sources = folder / "firmware"
    shutil.copytree(SOURCES, sources)
    text = (sources / module).read_text()
    assert text.count(line) == 1
    (sources / module).write_text(text.replace(line, line + added))
    return sources


async def outage(folder: Path, until: str, sources: Path) -> Outcome:
    """The begin of `firmware-outage`, with two nodes."""
    require("mosquitto")
    require_micropython()
    text = (SHIPPED / "firmware-outage.toml").read_text()
    shorter = {"10:00:36": until, "nodes = 3": "nodes = 2", ', "prevert/ce2"]': "]"}
    for old, new in shorter.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / "firmware-outage.toml"
    file.write_text(text)
    return await perform(load_scenario(file, short=True), firmware=sources)


@pytest.mark.parametrize(
    ("broken", "until", "fails", "says"),
    [
        (FORGETS_ON_PUBACK, "10:00:25", "nothing_missing", "readings are missing"),
        (DROPS_ITS_OUTBOX_ON_RESTART, "10:00:13", "nothing_missing", "readings are missing"),
        (TAKES_NOTHING_WITHOUT_A_LINK, "10:00:13", "nothing_missing", "asked its sht4x"),
        (DATES_WRONG, "10:00:05", "nothing_twice", "packs wrong, the first by -1"),
    ],
    ids=["puback", "restart", "offline", "dates"],
)
async def test_a_firmware_that_loses_readings_or_dates_them_wrong_is_found_out(
    broken: tuple[str, str, str], until: str, fails: str, says: str, tmp_path: Path
):
    outcome = await outage(tmp_path, until, firmware(tmp_path, *broken))
    assert outcome.broke is None
    failed = {verdict.name: verdict.found for verdict in outcome.verdicts if not verdict.holds}
    assert set(failed) == {fails}, outcome
    assert says in failed[fails]
    assert "firmware" in failed[fails]


@pytest.mark.parametrize(
    ("module", "says"), [("main.py", "has ended: "), ("release.py", "nothing was taken after 2 s")]
)
async def test_a_firmware_that_does_not_start_ends_the_run_with_its_words(
    module: str, says: str, tmp_path: Path
):
    """In `main.py` for good; in any other part it starts again and again."""
    sources = firmware(tmp_path, "release.py", "FIRMWARE = ", "")
    (sources / module).write_text("raise RuntimeError('not today')\n")
    file = tmp_path / "soon.toml"
    file.write_text(SOON.replace("interval_s = 1", "interval_s = 1\npatience_s = 2"))
    outcome = await perform(load_scenario(file), firmware=sources)
    assert outcome.broke is not None
    assert says in outcome.broke
    assert "not today" in outcome.broke


def test_firmware_and_virtual_nodes_share_a_town_its_chips_and_its_faults(tmp_path: Path, capsys):
    require("mosquitto")
    require_micropython()
    file, junit = tmp_path / "soon.toml", tmp_path / "junit.xml"
    file.write_text(SOON)
    status = run(["simulate", str(file), "--json", "--report", str(junit)])
    said = json.loads(capsys.readouterr().out)
    found = {one["name"]: (one["holds"], one["found"]) for one in said["expectations"]}
    nothing = "nothing was measured in prevert/cp then"
    assert found.pop("co2 at least 400 prevert/cp") == (False, nothing)
    assert all(holds for holds, _ in found.values()), found
    assert status == 1
    rooms = [one["room"] for one in said["firmware"]]
    assert (said["nodes"], rooms) == (3, ["prevert/cp", "prevert/ce1"])
    suite = ET.fromstring(junit.read_text())  # noqa: S314 - our own
    named = [one.attrib["value"] for one in suite.iter("property")]
    assert named == [f"{one['node']} {one['room']}" for one in said["firmware"]]


def test_without_micropython_nothing_is_started(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(boards, "find_micropython", lambda: None)
    assert run(["simulate", "firmware-outage", "--short"]) == 2
    said = capsys.readouterr().err
    assert "MicroPython is missing" in said
    assert "pip install 'preau[firmware]'" in said


def test_more_boards_than_the_memory_holds_are_refused(tmp_path: Path, monkeypatch, capsys):
    require_micropython()
    free = tmp_path / "meminfo"
    free.write_text("MemTotal: 8000000 kB\nMemAvailable:   204800 kB\n")
    monkeypatch.setattr(boards, "_MEMORY", free)
    file = tmp_path / "many.toml"
    file.write_text(SOON.replace("nodes = 3\nfirmware = 2", 'nodes = 30\nfirmware = "all"'))
    assert run(["simulate", str(file)]) == 2
    said = capsys.readouterr().err
    assert "30 boards take about 240 MiB of memory and 200 MiB are free: at most 25" in said
