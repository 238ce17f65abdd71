"""What a board has taken is read from its flash, by code that is not the firmware's own.

The firmware's modules write in real MicroPython.
"""

import os
import subprocess
from pathlib import Path

import pytest

from ingest.readings import Reading
from simulators.board.program import SOURCES
from simulators.board.taken import FlashError, Taken
from tests.servers import require_micropython

BEGIN = """
import os, sys
sys.path.insert(0, {sources!r})
import pack
from clock import Anchors
from outbox import Outbox
def opened():
    return Outbox("packs", 524288, lambda: {log})
def take(outbox, numbers):
    for number in numbers:
        outbox.take(pack.encode_head(1763800000 + number) + pack.encode_reading(0, -1942 + number))
outbox = opened()
"""


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    folder = tmp_path / "flash"
    folder.mkdir()
    return folder


@pytest.fixture
def taken(flash: Path):
    found = Taken(flash)
    yield found
    found.close()


def run(flash: Path, script: str, log: int = 0x5F3A9C01) -> str:
    done = subprocess.run(
        [
            require_micropython(),
            *("-X", "heapsize=1m", "-c"),
            BEGIN.format(sources=str(SOURCES), log=log) + script,
        ],
        cwd=flash,
        env=os.environ | {"MICROPYPATH": ".frozen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def numbers(taken: Taken) -> list[tuple[str, int]]:
    return [(pack.log, pack.seq) for pack in taken.packs]


def held(taken: Taken) -> list[int]:
    return [pack.seq for pack in taken.held()]


def test_values_channels_offsets_and_times_are_those_that_were_taken(flash: Path, taken: Taken):
    run(
        flash,
        "outbox.take(pack.encode_head(1763800000, 7) + pack.encode_reading(0, -321)"
        " + pack.encode_reading(7, 1, 'door', -2500) + pack.encode_reading(10, 3702))\n"
        "outbox.take(pack.encode_head(40, 0, 99) + pack.encode_reading(2, 842))\n"
        "outbox.take(pack.encode_head(41, 5, 98) + pack.encode_reading(2, 843))\n"
        "Anchors('packs/anchors', outbox).add(99, 100, 1763800100, 3)\n",
    )
    taken.look()
    assert list(taken.readings()) == [
        Reading("temperature", "main", 1763800000_007, -3.21),
        Reading("opening", "door", 1763799997_507, 1.0),
        Reading("battery", "main", 1763800000_007, 3.702),
        Reading("co2", "main", 1763800040_003, 842.0),
        # Of a power-on that never knew the time.
        Reading("co2", "main", 41_005, 843.0),
    ]


def test_what_waits_for_its_receipt_is_what_the_outbox_says(flash: Path, taken: Taken):
    run(flash, "take(outbox, range(40))")
    taken.look()
    assert held(taken) == list(range(1, 41))
    # Of five that were sent two are settled, and what comes later is fetched in turn with the rest.
    said = run(
        flash,
        "places = [outbox.fetch() for _ in range(5)]\n"
        "outbox.settle(places[0])\noutbox.settle(places[3])\n"
        "outbox.split()\ntake(outbox, range(40, 44))\n"
        "places = [outbox.fetch() for _ in range(4)]\n"
        "for place in places:\n    outbox.settle(place)\n"
        "outbox.save()\n"
        "print(outbox.held)",
    )
    taken.look()
    assert len(held(taken)) == int(said) == 38
    assert {1, 4, 41}.isdisjoint(held(taken))


def test_segments_that_are_deleted_are_read_all_the_same(flash: Path, taken: Taken):
    run(flash, "take(outbox, range(150))")
    taken.look()
    assert len(list((flash / "packs").iterdir())) == 1
    run(
        flash,
        "take(outbox, range(150, 320))\n"
        "for _ in range(320):\n    outbox.settle(outbox.fetch())\n"
        "outbox.save()",
    )
    assert not (flash / "packs" / "00000001").exists()
    taken.look()
    assert numbers(taken) == [("5f3a9c01", seq) for seq in range(1, 321)]
    assert held(taken) == []


def test_a_segment_that_came_and_went_between_two_looks_is_told(flash: Path, taken: Taken):
    run(flash, "take(outbox, range(10))")
    taken.look()
    run(
        flash,
        "take(outbox, range(10, 800))\n"
        "for _ in range(800):\n    outbox.settle(outbox.fetch())\n"
        "outbox.save()",
    )
    with pytest.raises(FlashError, match="came and went unseen"):
        taken.look()


@pytest.mark.parametrize("before", [100, 250])
def test_an_outbox_that_is_thrown_away_is_not_forgotten(flash: Path, taken: Taken, before: int):
    """What was taken since the last look included: its file is still open."""
    run(flash, f"take(outbox, range({before}))")
    taken.look()
    run(flash, f"take(outbox, range({before}, {before + 10}))")
    for file in (flash / "packs").iterdir():
        file.unlink()
    run(flash, "take(outbox, range(3))", log=7)
    taken.look()
    assert len(taken.packs) == before + 13
    assert [seq for log, seq in numbers(taken) if log == "00000007"] == [1, 2, 3]
    assert held(taken) == [1, 2, 3]


def test_a_torn_record_is_not_taken_and_ends_its_log(flash: Path, taken: Taken):
    run(flash, "take(outbox, range(3))")
    segment = flash / "packs" / "00000001"
    segment.write_bytes(segment.read_bytes()[:-4])
    run(flash, "take(outbox, range(3, 5))", log=7)
    taken.look()
    assert numbers(taken) == [("5f3a9c01", 1), ("5f3a9c01", 2), ("00000007", 1), ("00000007", 2)]


def test_a_segment_that_is_cut_in_place_is_told(flash: Path, taken: Taken):
    run(flash, "take(outbox, range(3))")
    taken.look()
    os.truncate(flash / "packs" / "00000001", 40)
    with pytest.raises(FlashError, match="was cut to 40 bytes"):
        taken.look()
