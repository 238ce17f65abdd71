"""The audit: every number is received, lost and said so, or missing."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli import run
from ingest.audit import audit, size_of
from ingest.readings import LogPosition
from ingest.store.deadletters import DeadLetter
from ingest.store.ranges import Ranges
from ingest.store.reader import LogState
from ingest.store.writer import PackToStore, PresenceToStore, StoreWriter

NODE = "3c71bf4a2b10"


@given(st.sets(st.integers(1, 60)), st.integers(1, 40), st.integers(1, 70))
def test_every_number_up_to_the_highest_is_accounted_for_once(
    received: set[int], first_held: int, next_announced: int
):
    ranges = Ranges()
    for number in received:
        ranges.add(number)
    (log,) = audit([LogState(NODE, "aa00aa00", first_held, next_announced, ranges)]).logs
    lost = {n for a, b in log.lost for n in range(a, b + 1)}
    missing = {n for a, b in log.missing for n in range(a, b + 1)}
    top = max([*received, next_announced - 1, first_held - 1])
    assert not lost & missing
    assert not (lost | missing) & received
    assert lost | missing | {n for n in received if n <= top} == set(range(1, top + 1))
    assert all(n < first_held for n in lost)
    assert all(n >= first_held for n in missing)
    assert (size_of(log.lost), size_of(log.missing)) == (len(lost), len(missing))


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "preau.toml"
    file.write_text('[data]\ndir = "data"\n')
    return file


def commit(folder: Path, *numbers: int, first: int = 1) -> None:
    with StoreWriter(folder) as store:
        packs = [PackToStore(NODE, LogPosition("aa00aa00", n, first), 0, []) for n in numbers]
        store.commit(packs, [DeadLetter(NODE, "t", "not_json", "", b"", 0, "aa00aa00", 3)])


def test_all_is_well_exits_0(settings: Path, capsys: pytest.CaptureFixture[str]):
    commit(settings.parent / "data", 1, 2, 4)
    assert run(["audit", "--settings", str(settings)]) == 0
    shown = "4 packs received, 1 of them dead letters, 0 lost by their nodes, 0 missing"
    assert shown in capsys.readouterr().out


def test_a_number_that_was_announced_and_did_not_come_exits_1(
    settings: Path, capsys: pytest.CaptureFixture[str]
):
    commit(settings.parent / "data", 1, 2, 6)
    with StoreWriter(settings.parent / "data") as store:
        store.save_presences([PresenceToStore(NODE, 0, "{}", "aa00aa00", 5, 10)])
    assert run(["audit", "--settings", str(settings)]) == 1
    told = capsys.readouterr().out
    assert f"{NODE}  log aa00aa00  lost by the node: 4 (1 packs)" in told
    assert f"{NODE}  log aa00aa00  missing: 5, 7-9 (4 packs)" in told
    assert run(["audit", "--settings", str(settings), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["logs"][0]["missing"] == [[5, 5], [7, 9]]


def test_a_node_that_is_none_is_bad_usage(settings: Path):
    assert run(["audit", "--settings", str(settings), "--node", "ZZ"]) == 2


def test_without_a_store_nothing_is_missing(settings: Path):
    assert run(["audit", "--settings", str(settings)]) == 0


@pytest.mark.parametrize("command", ["audit", "export", "forward"])
def test_a_period_that_ends_before_it_begins_is_bad_usage(settings: Path, command: str, capsys):
    """Nothing lies in it: an audit of that would say that all is well."""
    commit(settings.parent / "data", 1)
    with settings.open("a") as file:
        file.write('[[forwarder]]\nname = "town"\napi = "v1"\nurl = "http://127.0.0.1:9"\n')
    target = [str(settings.parent / "out")] if command == "export" else []
    reversed_period = ["--from", "2026-12-01", "--to", "2026-11-01"]
    assert run([command, "--settings", str(settings), *reversed_period, *target]) == 2
    assert "must be earlier than --to 2026-11-01" in capsys.readouterr().err


def test_a_folder_that_is_named_and_holds_no_store_is_bad_usage(settings: Path, capsys):
    commit(settings.parent / "data", 1)
    stores = ["--store", str(settings.parent / "data"), "--store", str(settings.parent)]
    assert run(["audit", "--settings", str(settings), *stores]) == 2
    assert "holds no preau.db" in capsys.readouterr().err
