"""Readings as lines: what a line holds can be read back from it, whatever the names are."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from ingest.forwarder.lines import (
    LineWriter,
    SeriesName,
    escape_tag,
    node_of,
    split_fields,
    time_of,
)
from ingest.forwarder.placements import Placements, Tags

NODE = "3c71bf4a2b10"
NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\"), min_size=1, max_size=20
)


def lines_of(readings, placements: Placements | None = None) -> list[str]:
    writer = LineWriter(placements or Placements({}))
    writer.name(
        {
            1: SeriesName(NODE, "temperature", "main"),
            2: SeriesName(NODE, "co2", "main"),
            3: SeriesName(NODE, "temperature", "wall"),
            4: SeriesName(NODE, "battery", "main"),
            5: SeriesName(NODE, "motion", "main"),
        }
    )
    return [line.decode() for line in writer.lines(readings)]


def test_one_point_holds_what_was_measured_together():
    head = "room_air,building=unplaced,channel=main,node=3c71bf4a2b10,room=unplaced,site=unplaced"
    assert lines_of([(1, 7000, 19.42, 0, 0), (2, 7000, 840.0, 1, 0), (1, 8000, 20.0, 2, 0)]) == [
        f"{head} temperature=19.42,temperature_quality=0i,co2=840.0,co2_quality=1i 7000",
        f"{head} temperature=20.0,temperature_quality=2i 8000",
    ]


def test_channels_and_measurements_are_points_of_their_own():
    heads = [line.split(" ")[0] for line in lines_of([(n, 7, 3.0, 0, 0) for n in (1, 3, 4)])]
    assert [re.sub(r",(building|node|room|site)=\w+", "", head) for head in heads] == [
        "room_air,channel=main",
        "room_air,channel=wall",
        "node_health,channel=main",
    ]


def test_the_catalogue_fixes_the_type_of_a_field():
    (line,) = lines_of([(2, 7, 840.0, 0, 0), (5, 7, 1.0, 0, 0)])
    assert " co2=840.0,co2_quality=0i,motion=1i,motion_quality=0i 7" in line


def test_the_placement_at_the_time_of_measuring_decides_the_tags():
    first, then = Tags("a", "b", "r1"), Tags("a", "b", "r2")
    placements = Placements({NODE: [(1000, first), (2000, then)]})
    readings = [(1, at, 20.0, 0, 0) for at in (999, 2000, 1000, 1999, 5000)]
    found = [re.search(r"room=(\w+)", line)[1] for line in lines_of(readings, placements)]
    assert found == ["unplaced", "r2", "r1", "r1", "r2"]


@given(NAMES)
def test_a_tag_reads_back_as_it_was(name: str):
    escaped = escape_tag(name)
    assert re.fullmatch(r"(?:[^,= \\\n]|\\[,= ])+", escaped)
    assert re.sub(r"\\([,= ])", r"\1", escaped) == name


@given(st.text(max_size=20))
def test_no_name_breaks_a_line(name: str):
    """Not even with backslashes and line breaks, which the protocol can't express."""
    assert re.fullmatch(r"(?:[^,= \\\n\r]|\\[,= ])+", escape_tag(name))


@example(",node=000000000000,", 1.0, 0)
@given(NAMES, st.floats(-1e12, 1e12), st.integers(0, 2))
def test_a_line_splits_into_its_fields(room: str, value: float, quality: int):
    placements = Placements({NODE: [(0, Tags("site", room, room))]})
    (line,) = lines_of([(1, 7, value, quality, 0), (2, 7, 800.0, 0, 0)], placements)
    (_, alone), (quantity, other) = split_fields(line.encode())
    assert time_of(alone) == time_of(other) == 7
    assert node_of(alone) == NODE
    assert quantity == "co2"
    found = re.search(r" temperature=(\S+),temperature_quality=(\d)i 7$", alone.decode())
    assert (float(found[1]), int(found[2])) == (value, quality)
