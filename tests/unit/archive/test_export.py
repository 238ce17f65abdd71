"""`preau export`: what it writes, and that `preau import` makes the same of it again."""

import csv
import json
import os
import pty
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pyarrow.parquet
import pytest

from gateway.cli import run
from ingest.readings import LogPosition
from ingest.store.cursors import set_forwarders
from ingest.store.filling import end_filling
from ingest.store.reader import StoreReader
from ingest.store.retention import let_go_before_window, move_window
from ingest.store.summaries import HOUR_MS, summarise
from ingest.store.writer import PackToStore, StoreWriter

NODE, OTHER = "3c71bf4a2b10", "a0b1c2d3e4f5"
T0 = 1_763_798_400_000
MOVED = T0 + 2 * HOUR_MS
ESTATE = f"""
name = "Trilport"
[[site]]
id = "ecole"
name = "École « Jean, fils » ☀"
[[site.building]]
id = "nord"
name = "Nord"
[[site.building.room]]
id = "salle-1"
name = 'Salle 1, dite "la bleue"'
profile = "classroom"
area_m2 = 55.5
[[site.building.room]]
id = "salle-2"
name = "Salle 2"
[[node]]
id = "{NODE}"
[[node.placement]]
room = "ecole/salle-1"
since = 2025-11-22T09:00:00+01:00
[[node.placement]]
room = "ecole/salle-2"
since = 2025-11-22T11:00:00+01:00
"""


def at_folder(folder: Path, *, zone: str = "Europe/Paris") -> Path:
    folder.mkdir()
    (folder / "estate.toml").write_text(ESTATE)
    (folder / "preau.toml").write_text(
        f'[data]\ndir = "{folder / "data"}"\n[estate]\nfile = "{folder / "estate.toml"}"\n'
    )
    return folder


def pack(node: str, number: int, value: float, quality: int = 0, source: int = 0) -> PackToStore:
    at = T0 + number * HOUR_MS + 7
    readings = [
        ("temperature", "main", at, value, quality, source),
        ("motion", "door-2", at, float(number % 2), 0, source),
    ]
    return PackToStore(node, LogPosition("aa00aa00", number + 1, 1), at + 61_234, readings)


def fill(folder: Path, *packs: PackToStore) -> None:
    with StoreWriter(folder / "data") as store:
        store.commit(packs)
        while store.fold().has_more:
            pass


@pytest.fixture
def town(tmp_path: Path) -> Path:
    folder = at_folder(tmp_path / "town")
    values = [19.42, -0.0, 85.0, 0.1 + 0.2, 1e-7]
    packs = [pack(NODE, n, value, n % 3, n % 2) for n, value in enumerate(values)]
    fill(folder, *packs, pack(OTHER, 0, 21))
    return folder


def preau(folder: Path, *arguments: str) -> int:
    return run([arguments[0], "--settings", str(folder / "preau.toml"), *arguments[1:]])


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_reading_stands_with_its_unit_and_where_it_was_measured_then(town: Path) -> None:
    assert preau(town, "export", str(town / "out")) == 0
    rows = [row for row in rows_of(town / "out/readings.csv") if row["node"] == NODE]
    first, *_, last = [row for row in rows if row["quantity"] == "temperature"]
    assert first == {
        "node": NODE,
        "quantity": "temperature",
        "channel": "main",
        "measured_at": "2025-11-22T08:00:00.007Z",
        "value": "19.42",
        "unit": "Cel",
        "quality": "good",
        "site": "ecole",
        "building": "nord",
        "room": "salle-1",
        "received_at": "2025-11-22T08:01:01.241Z",
        "time_source": "node",
    }
    assert (last["room"], last["measured_at"]) == ("salle-2", "2025-11-22T12:00:00.007Z")


def test_a_node_that_nobody_placed_has_no_room(town: Path) -> None:
    assert preau(town, "export", str(town / "out"), "--node", OTHER) == 0
    assert {row["room"] for row in rows_of(town / "out/readings.csv")} == {""}
    assert {row["node"] for row in rows_of(town / "out/readings.csv")} == {OTHER}


def test_names_come_back_from_the_file_as_they_were_typed(town: Path) -> None:
    preau(town, "export", str(town / "out"))
    rooms = rows_of(town / "out/rooms.csv")
    assert [room["room_name"] for room in rooms] == ['Salle 1, dite "la bleue"', "Salle 2"]
    assert {room["site_name"] for room in rooms} == {"École « Jean, fils » ☀"}
    placements = rows_of(town / "out/placements.csv")
    assert [(one["room"], one["since"], one["until"]) for one in placements] == [
        ("salle-1", "2025-11-22T08:00:00.000Z", "2025-11-22T10:00:00.000Z"),
        ("salle-2", "2025-11-22T10:00:00.000Z", ""),
    ]
    assert (town / "out/estate/estate.toml").read_text() == ESTATE


def test_the_description_says_of_every_column_what_it_holds(town: Path) -> None:
    preau(town, "export", str(town / "out"))
    described = json.loads((town / "out/datapackage.json").read_text())
    assert [one["name"] for one in described["resources"]] == ["readings", "rooms", "placements"]
    for resource in described["resources"]:
        rows = rows_of(town / "out" / resource["path"])
        assert resource["rows"] == len(rows)
        fields = resource["schema"]["fields"]
        assert [field["name"] for field in fields] == list(rows[0])
        for field in fields:
            for row in rows:
                assert_fits(row[field["name"]], field)


def assert_fits(text: str, field: dict) -> None:
    constraints = field.get("constraints", {})
    if not text:
        assert not constraints.get("required"), field
        return
    assert text in constraints.get("enum", [text])
    read = {"datetime": datetime.fromisoformat, "number": float, "integer": int, "string": str}
    read[field["type"]](text)


def test_only_the_period_is_written(town: Path) -> None:
    period = ("--from", "2025-11-22T10:00+01:00", "--to", "2025-11-22T12:00+01:00")
    preau(town, "export", str(town / "out"), *period)
    times = {row["measured_at"] for row in rows_of(town / "out/readings.csv")}
    assert times == {"2025-11-22T09:00:00.007Z", "2025-11-22T10:00:00.007Z"}


def test_what_was_exported_and_imported_is_exported_the_same(town: Path, tmp_path: Path) -> None:
    preau(town, "export", str(town / "out"))
    again = at_folder(tmp_path / "again")
    assert preau(again, "import", str(town / "out/readings.csv")) == 0
    assert preau(again, "import", str(town / "out/readings.csv")) == 0
    preau(again, "export", str(again / "out"))
    for file in ("readings.csv", "rooms.csv", "placements.csv", "datapackage.json"):
        assert (again / "out" / file).read_bytes() == (town / "out" / file).read_bytes()


def test_parquet_holds_the_same_rows(town: Path) -> None:
    preau(town, "export", str(town / "csv"))
    assert preau(town, "export", str(town / "parquet"), "--format", "parquet") == 0
    table = pyarrow.parquet.read_table(town / "parquet/readings.parquet")
    assert str(table.schema.field("measured_at").type) == "timestamp[ms, tz=UTC]"
    wanted = rows_of(town / "csv/readings.csv")
    found = table.to_pylist()
    assert [row["value"] for row in found] == [float(row["value"]) for row in wanted]
    assert [row["room"] for row in found] == [row["room"] for row in wanted]
    assert [row["measured_at"] for row in found] == [
        datetime.fromisoformat(row["measured_at"]) for row in wanted
    ]
    assert table.column_names == list(wanted[0])


def test_several_stores_make_one_file(town: Path, tmp_path: Path) -> None:
    """A node that moved from one gateway to another: each reading once, by time."""
    other = at_folder(tmp_path / "other")
    fill(other, pack(NODE, 4, 1e-7), pack(NODE, 9, 20.5))
    stores = ("--store", str(other / "data"), "--store", str(town / "data"))
    assert preau(town, "export", str(town / "out"), *stores, "--node", NODE) == 0
    rows = rows_of(town / "out/readings.csv")
    hours = [row["measured_at"][11:13] for row in rows if row["quantity"] == "temperature"]
    assert hours == ["08", "09", "10", "11", "12", "17"]


def test_stores_that_contradict_each_other_are_told(
    town: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = at_folder(tmp_path / "other")
    fill(other, pack(NODE, 0, 30))
    stores = ("--store", str(town / "data"), "--store", str(other / "data"))
    assert preau(town, "export", str(town / "out"), *stores) == 1
    assert "1 readings stand in two stores with different values" in capsys.readouterr().err


def test_hours_stand_for_readings_that_were_let_go(town: Path) -> None:
    with StoreWriter(town / "data") as store:
        while store.change(summarise, T0 + 48 * HOUR_MS):
            pass
        store.change(move_window, T0 + 3 * HOUR_MS)
        store.change(let_go_before_window, 0, 1000)
    with StoreReader(town / "data") as reader:
        assert sum(len(reader.points(one, 0, 2**60)) for one in reader.series()) < 12
    preau(town, "export", str(town / "out"), "--node", NODE)
    hours = rows_of(town / "out/hours.csv")
    temperatures = [row for row in hours if row["quantity"] == "temperature"]
    assert [(row["start"], row["count"], row["bad"]) for row in temperatures] == [
        ("2025-11-22T08:00:00.000Z", "1", "0"),
        ("2025-11-22T09:00:00.000Z", "1", "0"),
        ("2025-11-22T10:00:00.000Z", "0", "1"),
    ]
    assert temperatures[0]["sum"] == "19.42"
    assert temperatures[2]["minimum"] == ""


@pytest.mark.parametrize("shipped", [True, False])
def test_a_reading_that_is_let_go_on_the_way_is_written_once(
    town: Path, monkeypatch: pytest.MonkeyPatch, *, shipped: bool
) -> None:
    """One by one or in an hour's sum, whenever the window moves; what no forwarder has stays."""
    with StoreWriter(town / "data") as store:
        if not shipped:
            store.change(set_forwarders, ["town"])
            store.change(end_filling, "town")
            store.commit([pack("b0b0b0b0b0b0", 1, 21)])
            store.fold()
        while store.change(summarise, T0 + 48 * HOUR_MS):
            pass
        with StoreReader(town / "data") as reader:
            held = sum(len(reader.points(one, 0, 2**60)) for one in reader.series())
        pages = 0

        def told(*_: object) -> None:
            nonlocal pages
            pages += 1
            if pages == 2:
                store.change(move_window, T0 + 3 * HOUR_MS)
                store.change(let_go_before_window, 0, 1000)

        monkeypatch.setattr("click._termui_impl.ProgressBar.update", told)
        preau(town, "export", str(town / "out"))
    assert pages > 2
    singly = len(rows_of(town / "out/readings.csv"))
    hours = rows_of(town / "out/hours.csv")
    assert singly + sum(int(row["count"]) + int(row["bad"]) for row in hours) == held
    assert hours


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_folder_with_something_in_it_is_left_alone(
    town: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (town / "out").mkdir()
    (town / "out/mine").write_text("x")
    assert preau(town, "export", str(town / "out"), "--format", form) == 2
    assert "exists: name a folder that does not" in capsys.readouterr().err
    assert [file.name for file in (town / "out").iterdir()] == ["mine"]


def test_nothing_is_left_of_an_export_that_fails(
    town: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ingest.archive.package.shutil.copyfile", full)
    before = sorted(town.iterdir())
    assert preau(town, "export", str(town / "out")) == 1
    assert sorted(town.iterdir()) == before


def test_a_terminal_is_told_how_far_it_is(town: Path, tmp_path: Path) -> None:
    """Of all series, and nothing of it comes into a file."""
    preau_command = Path(sys.executable).with_name("preau")
    command = [preau_command, "export", "--settings", town / "preau.toml", town / "out"]
    screen, theirs = pty.openpty()
    try:
        subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, check=True, timeout=60)
        os.close(theirs)
        shown = os.read(screen, 65_536).decode()
    finally:
        os.close(screen)
    assert "4/4" in shown
