"""`preau import` of line protocol: Préau's own, and another's by a mapping."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.archive.lineprotocol import LineReader
from ingest.archive.mapping import OWN, load_mapping
from ingest.archive.record import Record, RefusedLine
from ingest.errors import PreauError
from ingest.forwarder.lines import LineWriter, SeriesName
from ingest.forwarder.placements import Placements, Tags
from ingest.store.reader import StoreReader
from tests.unit.archive.test_export import NODE, T0, at_folder, preau

NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1)
MAPPING = f"""
[[measurement]]
name = "°C"
node_tag = "entity id"
channel_tag = "probe"
[measurement.nodes]
"salle 3, côté cour" = "{NODE}"
[measurement.fields.value]
quantity = "temperature"
factor = 0.5
offset = -1
[measurement.fields.wall]
quantity = "temperature"
channel = "wall"
[[measurement]]
name = "presence"
node = "{NODE}"
[measurement.fields.on]
quantity = "motion"
"""


@pytest.fixture
def mapping_file(tmp_path: Path) -> Path:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    return tmp_path / "mapping.toml"


def read(line: str, mapping_file: Path | None = None, precision: str = "ms") -> list[object]:
    mapping = OWN if mapping_file is None else load_mapping(mapping_file)
    return list(LineReader(mapping, precision, lambda _: None).read([line.encode()]))


@given(NAMES, NAMES, NAMES, st.booleans())
def test_what_we_forward_is_read_back(site: str, building: str, room: str, moves: bool) -> None:
    writer = LineWriter(Placements({NODE: [(0, Tags(site, building, room))]}))
    names = {1: ("temperature", "main"), 2: ("motion", "main"), 3: ("battery", "main")}
    writer.name({id_: SeriesName(NODE, *name) for id_, name in names.items()})
    stored = [(1, T0, 19.42, 1, 0), (2, T0, float(moves), 0, 0), (3, T0 + 1, 3.9, 2, 0)]
    reader = LineReader(OWN, "ms", lambda _: None)
    # Fields of one line come in no order.
    assert set(reader.read(writer.lines(stored))) == {
        Record(NODE, "temperature", T0, 19.42, "main", 1),
        Record(NODE, "motion", T0, float(moves), "main", 0),
        Record(NODE, "battery", T0 + 1, 3.9, "main", 2),
    }
    assert reader.ignored == 0


def test_another_makers_names_and_units_become_ours(mapping_file: Path) -> None:
    line = rf"°C,entity\ id=salle\ 3\,\ côté\ cour,probe=a1,floor=2 value=41,wall=17i {T0}"
    assert set(read(line, mapping_file)) == {
        Record(NODE, "temperature", T0, 19.5, "a1"),
        Record(NODE, "temperature", T0, 17.0, "wall"),
    }
    assert read(f"presence on=true {T0}", mapping_file) == [Record(NODE, "motion", T0, 1.0)]


def test_a_mac_with_colons_is_a_node(mapping_file: Path) -> None:
    line = f"°C,entity\\ id=3C:71:BF:4A:2B:10 value=40 {T0}"
    assert read(line, mapping_file) == [Record(NODE, "temperature", T0, 19.0)]


@pytest.mark.parametrize(
    ("precision", "time"),
    [("ns", T0 * 10**6 + 999_999), ("us", T0 * 1000), ("ms", T0), ("s", T0 // 1000)],
)
def test_a_time_is_exact_in_every_precision(precision: str, time: int) -> None:
    (record,) = read(f"room_air,node={NODE} co2=700 {time}", precision=precision)
    assert isinstance(record, Record)
    assert record.measured_at_ms == T0


BAD = {
    "room_air co2=1 1": "no tag node",
    "room_air,node=Salle co2=1 1": "say which node it is",
    f"room_air,node={NODE} co2=1": "has no time",
    f'room_air,node={NODE} co2="haut" 1': "is the text 'haut'",
    f"room_air,node={NODE},channel=Fenêtre co2=1 1": "channel is 'Fenêtre'",
    f"room_air,node={NODE} co2=1,co2_quality=7i 1": "must be 0, 1 or 2",
    f"room_air,node={NODE} co2=1 maintenant": "is no line protocol",
    f"room_air,node={NODE}": "is no line protocol",
    f"room_air,node={NODE} co2=1 1\0": "NUL",
}


@pytest.mark.parametrize("line", BAD)
def test_what_cant_be_taken_in_says_why(line: str) -> None:
    (refused,) = read(line)
    assert isinstance(refused, RefusedLine)
    assert (refused.number, refused.content) == (1, line.encode())
    assert BAD[line] in refused.reason


def test_what_is_not_mapped_is_counted_and_not_refused(mapping_file: Path) -> None:
    reader = LineReader(load_mapping(mapping_file), "ms", lambda _: None)
    lines = [b"cpu,host=a idle=3,user=4 1", b"presence on=true,lux=3 1", b"# a comment", b"", b" "]
    assert len(list(reader.read([*lines, b"CREATE DATABASE town WITH NAME autogen"]))) == 1
    assert reader.ignored == 3


@given(st.lists(st.binary(max_size=80).map(lambda line: line.replace(b"\n", b" "))))
def test_no_bytes_break_it(lines: list[bytes]) -> None:
    found = LineReader(OWN, "ns", lambda _: None).read(lines)
    assert all(isinstance(one, Record | RefusedLine) for one in found)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("", "mapping.toml"),
        ('[[measurement]]\nname = "a"\n[measurement.fields.b]\nquantity = "co2"', "node_tag"),
        (MAPPING.replace('"temperature"\nfactor', '"heat"\nfactor'), "is not in the catalogue"),
        (MAPPING.replace(f'node = "{NODE}"', 'node = "here"'), "mapping.toml:17"),
        (MAPPING.replace('"wall"', '"côté mur"'), "must be 1 to 16"),
        (MAPPING.replace('"presence"', '"°C"'), "is there twice"),
        (MAPPING.replace("factor", "factr"), "factr"),
        (MAPPING.replace("node =", 'node_tag = "x"\nnode ='), "not both"),
    ],
)
def test_a_mapping_that_is_wrong_says_where(mapping_file: Path, wrong: str, said: str) -> None:
    mapping_file.write_text(wrong)
    with pytest.raises(PreauError) as refused:
        load_mapping(mapping_file)
    assert said in str(refused.value)
    assert "mapping.toml" in str(refused.value)


def test_lines_end_up_in_the_store_and_the_rest_beside_the_file(
    tmp_path: Path, mapping_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = at_folder(tmp_path / "town")
    (town / "old.lp").write_text(
        f"# DML\npresence on=true,lux=3i {T0 * 10**6}\npresence on=false\ncpu idle=1 5\n"
    )
    arguments = ("--mapping", str(mapping_file))
    assert preau(town, "import", str(town / "old.lp"), *arguments) == 1
    told = capsys.readouterr()
    assert "1 readings taken in, 0 were there already, 0 contradict" in told.out
    assert "2 fields are not in the mapping" in told.out
    with StoreReader(town / "data") as reader:
        assert [point.measured_at_ms for _, point in reader.latest()] == [T0]
    assert (town / "old.lp.rejected").read_text() == (
        "# line 3: the point has no time\npresence on=false\n"
    )
