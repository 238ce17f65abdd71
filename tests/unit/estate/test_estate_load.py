"""Reading an estate: what it says is in the model, and every mistake is told with its place."""

import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.estate.load import EstateError, load_estate
from ingest.estate.model import Hours, Thresholds

SCHOOL = """\
[[site]]
id = "ferry"
name = "École Jules-Ferry"

[[site.building]]
id = "main"
name = "Bâtiment A"

[[site.building.room]]
id = "cp-a"
name = "CP A"
area_m2 = 58
height_m = 3
"""
NODE = """\
[[node]]
id = "3c71bf4a2b10"

[[node.placement]]
room = "ferry/cp-a"
since = 2026-09-01
"""


def write(folder: Path, text: str, **more: str) -> Path:
    file = folder / "estate.toml"
    file.write_text(text, encoding="utf-8")
    for name, extra in more.items():
        (folder / "estate.d").mkdir(exist_ok=True)
        (folder / "estate.d" / f"{name}.toml").write_text(extra, encoding="utf-8")
    return file


def problems_of(file: Path) -> list[str]:
    """What is told of each problem, without the folder."""
    with pytest.raises(EstateError) as caught:
        load_estate(file)
    return [str(problem).replace(f"{file.parent}/", "") for problem in caught.value.problems]


def test_a_room_is_known_with_its_building_site_and_volume(tmp_path):
    place = load_estate(write(tmp_path, SCHOOL)).room("ferry/cp-a")

    assert place is not None
    assert (place.site.name, place.building.id, place.room.volume_m3, place.ref) == (
        "École Jules-Ferry",
        "main",
        174,
        "ferry/cp-a",
    )


def test_an_empty_file_is_an_estate_with_the_usual_thresholds(tmp_path):
    estate = load_estate(write(tmp_path, ""))

    assert (list(estate.rooms()), estate.nodes) == ([], ())
    assert estate.thresholds.co2_attention_ppm == 800
    assert estate.thresholds.co2_insufficient_ppm == 1500


def test_sites_of_the_folder_follow_those_of_the_main_file_by_file_name(tmp_path):
    site = '[[site]]\nid = "{0}"\nname = "{0}"\n'
    file = write(tmp_path, SCHOOL, b=site.format("b"), a=site.format("z"))

    assert [site.id for site in load_estate(file).sites] == ["ferry", "z", "b"]


def test_a_date_is_its_midnight_where_the_estate_lies(tmp_path):
    file = write(tmp_path, SCHOOL + NODE)

    (paris,) = load_estate(file).placements_of_node("3c71bf4a2b10")
    (cayenne,) = load_estate(file, ZoneInfo("America/Cayenne")).placements_of_node("3c71bf4a2b10")

    assert paris.since_ms == 1788213600_000  # 31 August 2026, 22:00 UTC
    assert cayenne.since_ms - paris.since_ms == 5 * 3_600_000


def test_a_time_with_an_offset_is_that_instant(tmp_path):
    node = NODE.replace("2026-09-01", "2026-09-01T00:00:00.250Z")

    (stay,) = load_estate(write(tmp_path, SCHOOL + node)).placements_of_node("3c71bf4a2b10")

    assert stay.since_ms == 1788220800_250


def test_a_room_without_hours_has_those_of_its_building_or_site(tmp_path):
    text = SCHOOL.replace(
        'Ferry"\n', 'Ferry"\nhours = { mon = ["08:30-11:30", "13:30-16:30"] }\n', 1
    )

    hours = load_estate(write(tmp_path, text)).room("ferry/cp-a").hours

    assert isinstance(hours, Hours)
    assert hours.of(0) == ((510, 690), (810, 990))
    assert hours.of(1) == ()


def test_west_may_be_written_in_french(tmp_path):
    file = write(tmp_path, SCHOOL + 'exposure = "SO"\n')

    assert load_estate(file).room("ferry/cp-a").room.exposure == "SW"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("area_m2 = -3", "area_m2 = -3: must be more than 0"),
        ('area_m2 = "58"', 'area_m2 = "58": must be a number'),
        ("area_m2 = nan", "area_m2 = nan: must be a finite number"),
        ("area_m2 = true", "area_m2 = true: must be a number"),
        ("area_m = 3", "area_m: is not known here; did you mean area_m2?"),
        ("volume_m3 = 170\nheight_m = 3", "volume_m3 = 170: give volume_m3 or height_m, not both"),
        ('profile = "class"', "profile = \"class\": must be one of 'classroom', 'nursery'"),
        ('exposure = "up"', "exposure = \"up\": must be one of 'N', 'NE'"),
        ("seats = 1.5", "seats = 1.5: must be a whole number"),
        ('hours = { mon = "8-9" }', 'hours.mon = "8-9": must be an array'),
        ('hours = { mon = ["8-9"] }', 'hours.mon[0] = "8-9": must be written "08:30-16:30"'),
        ('hours = { mon = ["09:00-08:00"] }', "must end after it begins"),
        ('hours = { mon = ["23:00-24:01"] }', "must lie between 00:00 and 24:00"),
        ('hours = { mon = ["08:00-10:00", "09:00-11:00"] }', "without overlap"),
        ("hours = 3", "hours = 3: must be a table"),
    ],
)
def test_a_mistake_in_a_room_is_told_with_line_key_value_and_reason(tmp_path, line, told):
    school = SCHOOL.replace("area_m2 = 58\nheight_m = 3\n", "")
    (problem,) = problems_of(write(tmp_path, f"{school}\n\n\n{line}\n"))

    assert problem.startswith("estate.toml:15: site[0].building[0].room[0].")
    assert told in problem


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[site]]\nname = "x"\n', "estate.toml:1: site[0].id: is missing"),
        ('[[site]]\nid = "Ferry"\nname = "x"\n', 'estate.toml:2: site[0].id = "Ferry": must be 1'),
        ('[[site]]\nid = "unplaced"\nname = "x"\n', "is reserved"),
        ('[[site]]\nid = "a"\nname = ""\n', 'estate.toml:3: site[0].name = "": must not be empty'),
        ('[site]\nid = "a"\n', "estate.toml:1: site: must be written with two brackets, [[site]]"),
        ("node = 3\n", "estate.toml:1: node: must be written with two brackets, [[node]]"),
        ("site = [1]\n", "estate.toml:1: site[0] = 1: must be a table"),
        ('[[node]]\nid = "3C71BF4A2B10"\n', "must be the 12 lowercase hex digits of the label"),
        (
            "[thresholds]\nco2_attention_ppm = 2000\n",
            "estate.toml:1: thresholds.co2_insufficient_ppm = 1500: must be above co2_attention",
        ),
        ("[thresholds]\nfrost_critical_c = 9\n", "must be below frost_warning_c (8)"),
        ('[calendar]\nschool_zone = "D"\n', "must be one of 'A', 'B' or 'C'"),
        ("[[calendar.closure]]\nfirst = 2026-05-02\nlast = 2026-05-01\n", "not be before `first`"),
        ('[[contact]]\nname = "x"\nsites = ["nowhere"]\n', "there is no site of this id"),
        ("[thresholdz]\n", "thresholdz: is not known here; did you mean thresholds?"),
    ],
)
def test_a_mistake_elsewhere_is_told_as_well(tmp_path, text, told):
    (problem,) = problems_of(write(tmp_path, text))

    assert told in problem


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a = \n", "estate.toml:1: is not valid TOML: Invalid value"),
        (b"\n[[site]]\nid = 'a'\nid = 'b'\n", "estate.toml:4: is not valid TOML"),
        (b"a = [1,\n2", "estate.toml:2: is not valid TOML: Unclosed array"),
        (b"\nname = '\xe9cole'\n", "estate.toml:2: is not UTF-8 (byte 0xe9); save it as UTF-8"),
        (b"a = " + b"[" * 100_000, "estate.toml: is nested too deeply"),
        (b"a = " + b"9" * 5000, "estate.toml: is not valid TOML"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path, content, told):
    file = tmp_path / "estate.toml"
    file.write_bytes(content)

    (problem,) = problems_of(file)

    assert problem.startswith(told)


def test_a_missing_file_is_told_with_its_remedy(tmp_path):
    (problem,) = problems_of(tmp_path / "estate.toml")

    assert problem == "estate.toml: there is no such file; `preau init` writes a first one"


def test_a_folder_in_place_of_the_file_is_told(tmp_path):
    (tmp_path / "estate.toml").mkdir()

    (problem,) = problems_of(tmp_path / "estate.toml")

    assert problem == "estate.toml: can't be read: Is a directory"


def test_a_byte_order_mark_of_a_windows_editor_does_no_harm(tmp_path):
    file = tmp_path / "estate.toml"
    file.write_bytes(b"\xef\xbb\xbf" + SCHOOL.replace("\n", "\r\n").encode())

    assert load_estate(file).room("ferry/cp-a") is not None


def test_ids_given_twice_are_told_with_both_lines_across_files(tmp_path):
    room = '[[site.building.room]]\nid = "cp-a"\nname = "again"\n'
    file = write(tmp_path, SCHOOL + room + NODE, other=SCHOOL + NODE.partition("\n\n")[0])

    again = 'id = "cp-a": is already used at estate.toml:10'
    assert problems_of(file) == [
        f"estate.toml:15: site[0].building[0].room[1].{again}",
        'estate.d/other.toml:2: site[0].id = "ferry": is already used at estate.toml:2',
        'estate.d/other.toml:15: node[0].id = "3c71bf4a2b10": is already used at estate.toml:18',
    ]


def test_a_placement_in_a_room_that_there_is_not_is_refused(tmp_path):
    (problem,) = problems_of(write(tmp_path, SCHOOL + NODE.replace("cp-a", "cp-z")))

    assert problem == (
        'estate.toml:18: node[0].placement[0].room = "ferry/cp-z": there is no such room'
    )


def test_what_refers_to_a_site_with_a_mistake_is_not_blamed_for_it(tmp_path):
    (problem,) = problems_of(write(tmp_path, SCHOOL.replace("58", "-58") + NODE))

    assert "area_m2" in problem


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("since = 2026-09-01", "the node is still in ferry/cp-a then"),
        ("since = 2026-08-01\nuntil = 2026-10-01", "the node is still in ferry/cp-a then"),
        ("since = 2026-10-01\nuntil = 2026-09-30", "must be later than `since`"),
        ("since = 2026-10-01T10:00:00\nuntil = 2026-10-01T10:00:00", "must be later than `since`"),
        ("since = '2026-10-01'", "must be a date or a time without quotes"),
        ("since = 0001-01-01", "must lie between the years 2000 and 2199"),
    ],
)
def test_a_node_is_in_one_place_at_a_time(tmp_path, second, told):
    text = f'{SCHOOL}{NODE}\n[[node.placement]]\nroom = "ferry/cp-a"\n{second}\n'

    (problem,) = problems_of(write(tmp_path, text))

    assert told in problem


def test_all_problems_of_all_files_are_told_together_in_their_order(tmp_path):
    broken = NODE.replace("ferry", "verne").replace("2026-09-01", '"soon"')
    file = write(
        tmp_path,
        "name = 3\n" + SCHOOL.replace("58", "0") + NODE.replace('4a2b10"', '4a2b1x"'),
        a="]",
        b=broken,
        c="[thresholds]\n",
    )

    starts = [problem.split(": ")[:2] for problem in problems_of(file)]

    assert starts == [
        ["estate.toml:1", "name = 3"],
        ["estate.toml:13", "site[0].building[0].room[0].area_m2 = 0"],
        ["estate.toml:16", 'node[0].id = "3c71bf4a2b1x"'],
        ["estate.d/a.toml:1", "is not valid TOML"],
        ["estate.d/b.toml:6", 'node[0].placement[0].since = "soon"'],
        ["estate.d/c.toml:1", "thresholds"],
    ]


def is_estate_or_problems(file: Path) -> bool:
    try:
        load_estate(file)
    except EstateError as error:
        return len(error.problems) > 0
    return True


@given(st.text("ab\"'=[]{}.\n#1-é", max_size=60) | st.binary(max_size=60))
def test_any_content_ends_in_an_estate_or_in_its_problems(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("any") / "estate.toml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)

    assert is_estate_or_problems(file)


KEYS = (
    *("site", "node", "contact", "calendar", "closure", "thresholds", "id", "name", "building"),
    *("room", "hours", "mon", "placement", "since", "until", "area_m2", "volume_m3", "height_m"),
    *("sites", "first", "last", "x"),
)
JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def to_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {to_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return "2026-09-01" if value is None else "'" + "".join(filter(str.isalnum, value)) + "'"


@given(st.dictionaries(st.sampled_from(["site", "node", "contact", "calendar", "name"]), JSON_LIKE))
def test_any_data_under_the_known_keys_ends_in_an_estate_or_in_its_problems(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("any") / "estate.toml"
    file.write_text("".join(f"{key} = {to_toml(value)}\n" for key, value in data.items()))

    assert is_estate_or_problems(file)


def test_twenty_thousand_nodes_are_read_in_seconds(tmp_path):
    """A département: 1,000 sites in the folder, 20,000 rooms, 20,000 nodes."""
    file = write(tmp_path, "")
    (tmp_path / "estate.d").mkdir()
    for site in range(1000):
        rooms = "".join(
            f'[[site.building.room]]\nid = "r{r}"\nname = "Salle {r}"\narea_m2 = 50\n'
            f"volume_m3 = 150\n"
            for r in range(20)
        )
        nodes = "".join(
            f'[[node]]\nid = "{site:08x}{r:04x}"\n[[node.placement]]\n'
            f'room = "s{site}/r{r}"\nsince = 2026-09-01\n'
            for r in range(20)
        )
        (tmp_path / "estate.d" / f"s{site}.toml").write_text(
            f'[[site]]\nid = "s{site}"\nname = "S"\n[[site.building]]\nid = "b"\nname = "B"\n'
            f"{rooms}{nodes}"
        )

    begun = time.process_time()
    estate = load_estate(file)
    taken_s = time.process_time() - begun

    print(f"20,000 rooms and nodes read in {taken_s:.1f} s of processor time")
    assert estate.placement("000003e70013", 1800000000_000) == "s999/r19"
    assert taken_s < 20


def test_the_example_of_the_documentation_is_an_estate(tmp_path):
    text = Path(__file__).parents[3].joinpath("docs", "estate.md").read_text(encoding="utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]

    estate = load_estate(write(tmp_path, example))

    assert [place.ref for place in estate.rooms()] == ["jules-ferry/cp-a", "jules-ferry/canteen"]
    assert len(estate.placements_of_node("3c71bf4a2b10")) == 2


def test_the_documentation_gives_every_threshold_with_its_default():
    text = Path(__file__).parents[3].joinpath("docs", "estate.md").read_text(encoding="utf-8")

    for name, value in Thresholds():
        assert f"| `{name}` | {value:g} |" in text
