"""Editing an estate: what is asked stands in the right file, the rest stays as people wrote it."""

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.errors import TransientError
from ingest.estate.editor import EstateEditor
from ingest.estate.editor_file import folder_locked
from ingest.estate.editor_text import EditError, written_time
from ingest.estate.fields import to_ms
from ingest.estate.load import load_estate
from ingest.estate.rooms import UnknownRoomError

PARIS = ZoneInfo("Europe/Paris")
NODE = "3c71bf4a2b10"
OTHER = "3c71bf4a2b11"
SITES = """\
# The town's estate.
name = "Trilport"  # as the page shows it

[[site]]
id = "ferry"
name = "École Jules-Ferry"
[[site.building]]
id = "main"
name = "A"
[[site.building.room]]
id = "cp-a"
name = "CP A"
[[site.building.room]]
id = "cantine"
name = "Cantine"
"""
NODES = """\

# By the door.
[[node]]
id = "3c71bf4a2b10"   # label is worn

# first term
[[node.placement]]
room = "ferry/cantine" # near the kitchen
since = 2026-09-01

# Somebody to tell.
[[contact]]
name = "Services techniques"
"""
PASTEUR = """\
[[site]]
id = "pasteur"
name = "Maternelle"
[[site.building]]
id = "main"
name = "A"
[[site.building.room]]
id = "petite"
name = "Petite section"
"""
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=PARIS)


@pytest.fixture
def town(tmp_path: Path) -> Path:
    file = tmp_path / "estate.toml"
    file.write_text(SITES + NODES, encoding="utf-8")
    (tmp_path / "estate.d").mkdir()
    (tmp_path / "estate.d" / "pasteur.toml").write_text(PASTEUR, encoding="utf-8")
    return file


def room_of(file: Path, node: str, at: datetime) -> str | None:
    return load_estate(file).placement(node, to_ms(at))


def test_a_new_node_is_written_where_its_site_is_described(town):
    edit = EstateEditor(town).add(OTHER, since=NOON, room="pasteur/petite", name="Fenêtre")

    assert edit.file == town.parent / "estate.d" / "pasteur.toml"
    assert edit.file.read_text(encoding="utf-8") == PASTEUR + (
        f'\n[[node]]\nid = "{OTHER}"\nname = "Fenêtre"\n\n'
        '[[node.placement]]\nroom = "pasteur/petite"\nsince = 2026-11-25T12:00:00\n'
    )
    assert town.read_text(encoding="utf-8") == SITES + NODES
    assert room_of(town, OTHER, NOON) == "pasteur/petite"


def test_a_node_without_room_stands_in_the_main_file_after_the_other_nodes(town):
    EstateEditor(town).add(OTHER, since=NOON, model="ESP32-C3, SCD41")

    text = town.read_text(encoding="utf-8")
    assert text.index(NODE) < text.index(OTHER) < text.index("# Somebody to tell.")
    assert load_estate(town).node(OTHER).model == "ESP32-C3, SCD41"


def test_a_move_keeps_every_comment_and_ends_the_earlier_placement(town):
    edit = EstateEditor(town).place(NODE, "ferry/main/cp-a", NOON)

    assert edit.said == "is in ferry/cp-a since 2026-11-25 12:00:00"
    added = '\n[[node.placement]]\nroom = "ferry/cp-a"\nsince = 2026-11-25T12:00:00\n'
    before, after = NODES.split("\n# Somebody")
    assert town.read_text(encoding="utf-8") == f"{SITES}{before}{added}\n# Somebody{after}"
    assert room_of(town, NODE, NOON - timedelta(seconds=1)) == "ferry/cantine"
    assert room_of(town, NODE, NOON) == "ferry/cp-a"


def test_a_midnight_is_written_as_its_day_and_the_doubled_hour_with_its_offset():
    def written(*parts: int, fold: int = 0) -> str:
        return str(written_time(datetime(*parts, tzinfo=PARIS, fold=fold), PARIS))

    assert written(2026, 9, 1) == "2026-09-01"
    assert written(2026, 10, 25, 2, 30) == "2026-10-25 02:30:00+02:00"
    assert written(2026, 10, 25, 2, 30, fold=1) == "2026-10-25 02:30:00+01:00"


def test_a_placement_that_ends_later_ends_where_the_next_begins(town):
    text = town.read_text(encoding="utf-8")
    town.write_text(text.replace("2026-09-01\n", "2026-09-01\nuntil = 2027-07-01\n"), "utf-8")

    EstateEditor(town).place(NODE, "ferry/cp-a", NOON)

    stays = load_estate(town).placements_of_node(NODE)
    assert [(stay.room, stay.until_ms) for stay in stays] == [
        ("ferry/cantine", to_ms(NOON)),
        ("ferry/cp-a", None),
    ]


def test_the_same_instant_again_corrects_the_room(town):
    editor = EstateEditor(town)
    editor.place(NODE, "ferry/cp-a", NOON)
    editor.place(NODE, "pasteur/petite", NOON)

    stays = load_estate(town).placements_of_node(NODE)
    assert [stay.room for stay in stays] == ["ferry/cantine", "pasteur/petite"]


def test_the_room_it_is_in_already_changes_nothing(town):
    edit = EstateEditor(town).place(NODE, "ferry/cantine", NOON)

    assert edit.file is None
    assert edit.said == "is in ferry/cantine since 2026-09-01"
    assert town.read_text(encoding="utf-8") == SITES + NODES


def test_a_placement_before_the_last_one_is_refused_with_its_line(town):
    with pytest.raises(EditError, match=r"since 2026-09-01: .* by hand, at .*estate.toml:18"):
        EstateEditor(town).place(NODE, "ferry/cp-a", datetime(2026, 8, 1, tzinfo=UTC))


def test_a_stranger_that_spoke_is_declared_by_placing_it_and_any_other_is_a_mistake(town):
    with pytest.raises(EditError, match=f"neither declared nor .*: did you mean {NODE}"):
        EstateEditor(town).place(OTHER, "ferry/cp-a", NOON)
    with pytest.raises(EditError, match="`preau node add a1b2c3d4e5f6` declares it"):
        EstateEditor(town).place("a1b2c3d4e5f6", "ferry/cp-a", NOON)

    EstateEditor(town).place(OTHER, "ferry/cp-a", NOON, heard=[OTHER])
    assert room_of(town, OTHER, NOON) == "ferry/cp-a"


def test_a_removed_node_keeps_its_history_and_comes_back_when_it_is_placed(town):
    editor = EstateEditor(town)
    editor.remove(NODE, NOON, has_spoken=True)

    assert load_estate(town).node(NODE).removed == NOON
    assert room_of(town, NODE, NOON - timedelta(hours=1)) == "ferry/cantine"
    assert room_of(town, NODE, NOON) is None
    assert "# near the kitchen" in town.read_text(encoding="utf-8")
    assert editor.remove(NODE, NOON + timedelta(days=1), has_spoken=True).file is None

    later = NOON + timedelta(days=2)
    editor.place(NODE, "ferry/cantine", later)
    assert load_estate(town).node(NODE).removed is None
    assert room_of(town, NODE, NOON + timedelta(days=1)) is None
    assert room_of(town, NODE, later) == "ferry/cantine"


def test_a_node_that_was_nowhere_and_said_nothing_leaves_no_trace(town):
    editor = EstateEditor(town)
    editor.add(OTHER, since=NOON)
    editor.remove(OTHER, NOON, has_spoken=False)

    assert town.read_text(encoding="utf-8") == SITES + NODES


def test_a_stranger_that_spoke_is_written_down_as_removed(town):
    EstateEditor(town).remove(OTHER, NOON, has_spoken=True)

    assert load_estate(town).node(OTHER).removed == NOON


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ferry/cantin", "ferry/cantine"),
        ("fery/cp-a", "ferry/cp-a"),
        ("pasteur/main/cp-a", "ferry/cp-a"),
        ("ferry/other/cp-a", "ferry/cp-a"),
        ("ferry/Petite section", "pasteur/petite"),
        ("FERRY/CP-A", "ferry/cp-a"),
    ],
)
def test_a_room_that_is_nearly_right_is_refused_and_told(town, typed, meant):
    with pytest.raises(UnknownRoomError, match=f"did you mean .*{meant}"):
        EstateEditor(town).place(NODE, typed, NOON)


def test_an_edit_that_would_make_the_estate_invalid_changes_nothing(town):
    with pytest.raises(EditError, match=r"would be invalid:\n.*cadence_s = 0: must be at least 1"):
        EstateEditor(town).add(OTHER, since=NOON, cadence_s=0)

    assert town.read_text(encoding="utf-8") == SITES + NODES
    assert sorted(file.name for file in town.parent.iterdir()) == ["estate.d", "estate.toml"]


def test_nodes_in_arrays_are_added_to_and_otherwise_refused(town):
    inline = f'node = [{{ id = "{NODE}" }}]\n{SITES}'
    town.write_text(inline, encoding="utf-8")

    with pytest.raises(EditError, match="inside an array"):
        EstateEditor(town).place(NODE, "ferry/cp-a", NOON)
    assert town.read_text(encoding="utf-8") == inline


def test_placements_in_an_array_stay_one(town):
    inline = f'[[node]]\nid = "{NODE}"\nplacement = [{{ room = "ferry/cp-a", since = 2026-09-01 }}]'
    town.write_text(f"{SITES}{inline}", encoding="utf-8")

    EstateEditor(town).place(NODE, "ferry/cantine", NOON)

    assert 'placement = [{ room = "ferry/cp-a", since = 2026-09-01}, ' in town.read_text("utf-8")
    assert room_of(town, NODE, NOON) == "ferry/cantine"


def test_a_table_apart_from_its_node_is_refused_with_its_line(town):
    town.write_text(
        f'[[node]]\nid = "{NODE}"\n{SITES.replace("name = ", "# ", 1)}[[node.placement]]\n'
        'room = "ferry/cp-a"\nsince = 2026-09-01\n',
        encoding="utf-8",
    )
    with pytest.raises(EditError, match=r"estate\.toml: line 18: .* stands apart"):
        EstateEditor(town).place(NODE, "ferry/cantine", NOON)


def test_newlines_and_byte_order_mark_of_another_system_stay(town):
    town.write_bytes("\ufeff".encode() + (SITES + NODES).replace("\n", "\r\n").encode())

    EstateEditor(town).remove(NODE, NOON, has_spoken=True)

    content = town.read_bytes()
    assert content.startswith("\ufeff".encode())
    assert content.count(b"\n") == content.count(b"\r\n")
    assert load_estate(town).node(NODE).removed == NOON


def test_permissions_and_links_stay(town):
    town.chmod(0o640)
    link = town.parent / "linked" / "estate.toml"
    link.parent.mkdir()
    link.symlink_to(town)

    EstateEditor(link).add(OTHER, since=NOON)

    assert link.is_symlink()
    assert town.stat().st_mode & 0o777 == 0o640
    assert load_estate(town).node(OTHER) is not None


def test_many_editors_at_once_lose_no_edit(town):
    nodes = [f"3c71bf4a2c{number:02x}" for number in range(12)]
    script = (
        "import sys\nfrom datetime import datetime, UTC\nfrom pathlib import Path\n"
        "from ingest.estate.editor import EstateEditor\n"
        "editor, now = EstateEditor(Path(sys.argv[1])), datetime.now(UTC)\n"
        "for node in sys.argv[2:]:\n    editor.add(node, since=now, room='ferry/cp-a')\n"
    )
    commands = [[sys.executable, "-c", script, str(town), *nodes[i::3]] for i in range(3)]
    running = [subprocess.Popen(command) for command in commands]
    assert [process.wait(60) for process in running] == [0, 0, 0]

    declared = {node.id for node in load_estate(town).nodes}
    assert declared == {NODE, *nodes}


def test_an_editor_that_waits_too_long_says_so(town):
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with folder_locked(town.parent, 1):
            held.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    with pytest.raises(TransientError, match="being edited by another program"):
        EstateEditor(town, patience_s=0.1).add(OTHER, since=NOON)
    done.set()
    holder.join()
    EstateEditor(town, patience_s=0.1).add(OTHER, since=NOON)


def test_a_change_by_hand_in_the_same_moment_is_not_overwritten(town, monkeypatch):
    def load_and_type(path, zone, instead):
        town.write_text(SITES, encoding="utf-8")
        return load_estate(path, zone, instead)

    monkeypatch.setattr("ingest.estate.editor.load_estate", load_and_type)
    with pytest.raises(TransientError, match="changed by another program"):
        EstateEditor(town).add(OTHER, since=NOON)
    assert town.read_text(encoding="utf-8") == SITES


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "place", "remove"]),
        st.sampled_from([NODE, OTHER, "3c71bf4a2b12"]),
        st.sampled_from(["ferry/cp-a", "ferry/cantine", "pasteur/petite"]),
        st.integers(-3, 40),
        st.booleans(),
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(STEPS)
def test_whatever_is_asked_the_estate_stays_valid_and_the_past_stays_as_it_was(town, steps):
    """Where a node was before the instant of an edit is the same after it; from then on it is where
    the edit says.
    """
    town.write_text(SITES + NODES, encoding="utf-8")
    (town.parent / "estate.d" / "pasteur.toml").write_text(PASTEUR, encoding="utf-8")
    editor = EstateEditor(town)
    for what, node, room, day, has_spoken in steps:
        at = NOON + timedelta(days=day)
        days = [NOON + timedelta(days=d, hours=-1) for d in range(-100, day + 1)]
        before = [room_of_each(town, days)]
        try:
            if what == "add":
                editor.add(node, since=at, room=room if has_spoken else None)
            elif what == "place":
                editor.place(node, room, at, heard={node} if has_spoken else ())
                assert room_of(town, node, at) == room
            elif editor.remove(node, at, has_spoken=has_spoken).file is not None:
                assert room_of(town, node, at) is None
        except EditError:
            pass
        assert [room_of_each(town, days)] == before
        text = town.read_text(encoding="utf-8")
        assert text.startswith(SITES)
        assert "# near the kitchen" in text
        assert "# Somebody to tell.\n[[contact]]" in text


def room_of_each(file: Path, times: list[datetime]) -> list[list[str | None]]:
    estate = load_estate(file)
    nodes = [NODE, OTHER, "3c71bf4a2b12"]
    return [[estate.placement(node, to_ms(at)) for at in times] for node in nodes]
