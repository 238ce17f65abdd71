"""`preau import` of CSV: what is taken in, and what becomes of the rest."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.archive.csv_file import read_csv
from ingest.archive.record import Record, RefusedLine
from ingest.readings import Quality
from ingest.store.reader import Point, StoreReader
from ingest.store.retention import move_window
from ingest.store.summaries import summarise
from ingest.store.writer import StoreWriter
from tests.unit.archive.test_export import NODE, T0, at_folder, fill, pack, preau

HEADER = b"node,quantity,channel,measured_at,value\n"


@pytest.fixture
def town(tmp_path: Path) -> Path:
    return at_folder(tmp_path / "town")


def imported(town: Path, content: bytes, *options: str, name: str = "in.csv") -> int:
    (town / name).write_bytes(content)
    return preau(town, "import", str(town / name), *options)


def points(town: Path) -> list[Point]:
    with StoreReader(town / "data") as reader:
        return [one for series in reader.series() for one in reader.points(series, 0, 2**60)]


def test_a_file_of_four_columns_is_enough(town: Path) -> None:
    content = f"value,measured_at,quantity,node\n19.5,2025-11-22T09:00:00+01:00,temperature,{NODE}"
    assert imported(town, content.encode()) == 0
    (point,) = points(town)
    assert (point.measured_at_ms, point.value, point.quality) == (T0, 19.5, 0)


def test_a_value_without_quality_is_judged(town: Path) -> None:
    line = f"{NODE},temperature,main,2025-11-22T09:00:00Z,85.0\n"
    assert imported(town, HEADER + line.encode()) == 0
    assert [point.quality for point in points(town)] == [Quality.BAD]


def test_a_value_that_no_sensor_gives_is_bad_whatever_the_file_says(town: Path) -> None:
    """Else its hour's sum would be infinite, and another such value would stop the summaries."""
    values = ("1e308", "1e308", "-1e308", "-1e308", "20")
    lines = [
        f"{NODE},temperature,2025-11-22T09:00:0{n}Z,{value},good\n"
        for n, value in enumerate(values)
    ]
    content = "node,quantity,measured_at,value,quality\n" + "".join(lines)
    assert imported(town, content.encode()) == 0
    assert [point.quality for point in points(town)] == [2, 2, 2, 2, 0]


def test_what_a_french_spreadsheet_saves_is_read(town: Path) -> None:
    content = f"\ufeffnode;quantity;measured_at;value\r\n{NODE};co2;2025-11-22T08:00:00Z;840,5\r\n"
    assert imported(town, content.encode()) == 0
    assert [point.value for point in points(town)] == [840.5]


def test_a_compressed_file_is_read(town: Path) -> None:
    line = f"{NODE},motion,,2025-11-22T09:00:00Z,true\n"
    content = gzip.compress(HEADER + line.encode())
    assert imported(town, content, name="in.csv.gz") == 0
    assert [point.value for point in points(town)] == [1.0]


BAD = {
    b"3c71bf4a2b1,co2,,2025-11-22T09:00:00Z,1": "must be 12 hex digits",
    b"3c71bf4a2b10,radon,,2025-11-22T09:00:00Z,1": "not in the catalogue",
    b"3c71bf4a2b10,co2,Fen\xc3\xaatre,2025-11-22T09:00:00Z,1": "must be 1 to 16 of a-z",
    b"3c71bf4a2b10,co2,,22/11/2025 09:00,1": "write it like",
    b"3c71bf4a2b10,co2,,2025-11-22T09:00:00,1": "without Z or an offset",
    b"3c71bf4a2b10,co2,,2025-11-22T09:00:00Z,": "must be a number",
    b"3c71bf4a2b10,co2,,2025-11-22T09:00:00Z,nan": "must be a finite number",
    b"3c71bf4a2b10,motion,,2025-11-22T09:00:00Z,0.5": "motion is 0 or 1",
    b"3c71bf4a2b10,co2,,2025-11-22T09:00:00Z": "4 fields, the header has 5",
    b"3c71bf4a2b10,co2,,1970-01-21T09:00:00Z,1": "measured before 2000-01-01",
    b"3c71bf4a2b10,co2,,2199-01-21T09:00:00Z,1": "measured in the future",
    b"3c71bf4a2b10,co2,,2025-11-22T09:00:00Z,\xff": "is not UTF-8",
    b'3c71bf4a2b10,co2,,2025-11-22T09:00:00Z,"1': "unexpected end",
}


@pytest.mark.parametrize("line", BAD, ids=BAD.values())
def test_a_line_that_cant_be_taken_in_is_kept_with_its_reason(
    town: Path, line: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    good = b"3c71bf4a2b10,temperature,,2025-11-22T09:00:00Z,20\n"
    assert imported(town, HEADER + line + b"\n" + good) == 1
    assert "1 readings taken in" in capsys.readouterr().out
    header, kept = (town / "in.csv.rejected").read_bytes().splitlines()
    assert header == HEADER.rstrip() + b",reason"
    assert kept.startswith(line + b',"')
    assert BAD[line].encode() in kept


def test_refused_lines_can_be_mended_and_imported(town: Path) -> None:
    imported(town, HEADER + b"3c71bf4a2b10,co2,,2025-11-22T09:00:00,700\n")
    mended = (town / "in.csv.rejected").read_bytes().replace(b":00:00,", b":00:00Z,")
    assert imported(town, mended, name="mended.csv") == 0
    assert [point.value for point in points(town)] == [700]


def test_a_unit_that_is_not_ours_is_refused_rather_than_stored(town: Path) -> None:
    content = b"node,quantity,measured_at,value,unit\n3c71bf4a2b10,temperature,2025-11-22,68,Fahr\n"
    assert imported(town, content) == 1
    assert not (town / "data").exists() or not points(town)


def test_what_contradicts_the_store_is_kept_as_a_dead_letter(town: Path) -> None:
    fill(town, pack(NODE, 0, 19.5))
    line = f"{NODE},temperature,main,2025-11-22T08:00:00.007Z,25\n"
    assert imported(town, HEADER + line.encode()) == 1
    assert [point.value for point in points(town)] == [19.5, 0.0]
    with StoreReader(town / "data") as reader:
        assert reader.dead_letter_counts() == {"conflict": 1}


def test_a_time_from_before_the_window_is_refused(town: Path) -> None:
    """Whether the store had it once, and has it in its sums, can't be known any more."""
    fill(town, pack(NODE, 30, 19.5))
    with StoreWriter(town / "data") as store:
        store.change(summarise, T0 + 40 * 3_600_000)
        store.change(move_window, T0 + 10 * 3_600_000)
    line = f"{NODE},temperature,main,2025-11-22T09:00:00Z,25\n"
    assert imported(town, HEADER + line.encode()) == 1
    assert b"measured before 2025-11-22" in (town / "in.csv.rejected").read_bytes()


def test_late_readings_are_summed_up_like_all_others(town: Path) -> None:
    fill(town, pack(NODE, 0, 19.0), pack(NODE, 30, 19.5))
    with StoreWriter(town / "data") as store:
        store.change(summarise, T0 + 40 * 3_600_000)
    line = f"{NODE},temperature,main,2025-11-22T08:30:00Z,21\n"
    assert imported(town, HEADER + line.encode()) == 0
    with StoreReader(town / "data") as reader:
        rows = reader.ask(
            lambda connection: connection.execute(
                "SELECT count, sum FROM summary_hour h JOIN series s ON s.id = h.series"
                " WHERE quantity = 'temperature' AND start = ?",
                (T0,),
            ).fetchall()
        )
    assert rows == [(2, 40.0)]


def test_a_dry_run_stores_nothing(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"{NODE},temperature,main,2025-11-22T08:00:00Z,25\n"
    assert imported(town, HEADER + line.encode() + b"x\n", "--dry-run") == 1
    assert "1 readings could be taken in, 1 lines refused" in capsys.readouterr().out
    assert not (town / "data").exists()


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "in.csv", "line 1 must name the columns"),
        (b"a,b\n", "in.csv", "node, quantity, measured_at, value missing"),
        (b"\xff\n", "in.csv", "line 1 is not UTF-8"),
        (b"", "in.data", "say --format"),
        (b"no gzip", "in.csv.gz", "is no whole gzip file"),
        (gzip.compress(HEADER * 50)[:-9], "in.csv.gz", "is no whole gzip file"),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_line(
    town: Path, content: bytes, name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(town, content, name=name) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_beside_a_running_gateway_it_says_so(
    town: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StoreWriter(town / "data"):
        assert imported(town, HEADER) == 1
    assert "in use by another preau process" in capsys.readouterr().err


@given(st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b" "))))
def test_no_bytes_break_it(lines: list[bytes]) -> None:
    found = list(read_csv(HEADER, lines, lambda _: None))
    assert all(isinstance(one, Record | RefusedLine) for one in found)
    assert len(found) == sum(bool(line.rstrip(b"\r\n")) for line in lines)
