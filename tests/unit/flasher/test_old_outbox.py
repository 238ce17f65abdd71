"""What waits on a board's flash is read by the node's own rules, and noted as the node would."""

import json

import pytest

from firmware.flasher.board_state import BoardState, KeptStates, state_in
from firmware.flasher.errors import FlashError
from firmware.flasher.old_outbox import OldOutbox
from tests.node_outbox import LOG, SOURCES, outbox_with, run

NODE = "3c71bf4a2b10"
HELD = f"""
import sys
sys.path.insert(0, {str(SOURCES)!r})
from outbox import Outbox
outbox = Outbox("packs", 524288, lambda: 7)
print(outbox.held, outbox.next, "%08x" % outbox.log)
"""


def state(files: dict[str, bytes]) -> BoardState:
    return BoardState({}, files)


def test_every_pack_without_receipt_is_given_as_the_node_would_send_it(tmp_path):
    files = outbox_with(tmp_path, packs=5, settled=2)
    with OldOutbox(NODE, state(files)) as outbox:
        packs = outbox.waiting()
    assert [(pack.log, pack.seq) for pack in packs] == [(LOG, 3), (LOG, 4), (LOG, 5)]
    assert json.loads(packs[0].payload) == [
        {
            "bn": "urn:dev:mac:3c71bffffe4a2b10_",
            "bver": 26,
            "bt": 1763800120,
            "blog": LOG,
            "bseq": 3,
            "bfirst": 3,
            "n": "temperature",
            "u": "Cel",
            "v": 19.44,
        }
    ]


def test_what_was_receipted_is_no_longer_held_and_the_numbers_go_on(tmp_path):
    files = outbox_with(tmp_path, packs=5, settled=2)
    with OldOutbox(NODE, state(files)) as outbox:
        outbox.settle({(LOG, 3), (LOG, 5)})
        after = outbox.files()
        assert [pack.seq for pack in outbox.waiting()] == [4]
    flash = tmp_path / "after"
    (flash / "packs").mkdir(parents=True)
    for path, content in after.items():
        (flash / path).write_bytes(content)
    assert run(flash, HELD).split() == ["1", "6", LOG]


def test_the_boards_own_files_are_not_touched(tmp_path):
    files = outbox_with(tmp_path, packs=2)
    before = dict(files)
    with OldOutbox(NODE, state(files)) as outbox:
        outbox.settle({(LOG, 1), (LOG, 2)})
        assert outbox.files() != before
    assert files == before


def test_a_segment_of_a_format_that_this_version_does_not_know_is_refused(tmp_path):
    files = outbox_with(tmp_path, packs=2)
    files["packs/00000001"] = b"PRO9" + files["packs/00000001"][4:]
    with (
        OldOutbox(NODE, state(files)) as outbox,
        pytest.raises(
            FlashError, match=r"has format 9, this version reads 2 to 2.*or give --discard"
        ),
    ):
        outbox.waiting()


def test_a_board_is_known_by_what_it_was_told_or_what_it_holds():
    told = {"config.json": b'{"broker": {"password": "0f"}}', "a/app.mpy": b"M", "boots": b"3"}
    found = state_in(told)
    assert found is not None
    assert str(found.password) == "0f"
    assert dict(found.files) == {"boots": b"3"}
    assert state_in({"packs/00000001": b"PRO2"}) is not None
    assert state_in({"main.py": b"", "config.json": b'{"ssid": "x"}'}) is None
    assert state_in({"main.py": b"", "config.json": b"no json"}) is None
    assert state_in({}) is None


def test_what_is_kept_comes_back_and_is_for_its_owner_alone(tmp_path):
    kept = KeptStates(tmp_path / "boards")
    assert kept.kept(NODE) is None
    held = BoardState({"broker": {"password": "0f"}}, {"packs/done": b"\x00\xff", "boots": b"3"})
    kept.keep(NODE, held)
    assert kept.kept(NODE) == held
    assert kept.file(NODE).stat().st_mode & 0o777 == 0o600
    kept.file(NODE).write_bytes(b"half of it")
    with pytest.raises(FlashError, match="is damaged"):
        kept.kept(NODE)
    kept.forget(NODE)
    assert kept.kept(NODE) is None
