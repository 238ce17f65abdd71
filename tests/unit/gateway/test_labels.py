"""What stands on labels and slips fits on them; a set-up code is drawn, kept and typed."""

import re
import stat
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.labels.lettering import fitted, width_em
from gateway.labels.setup_code import (
    ALPHABET,
    make_setup_code,
    read_setup_code,
    setup_code_file,
    typed_code,
)
from gateway.labels.sheet import A_SHEET, HEIGHT_MM, SHEET_MM, WIDTH_MM, Label, label_sheets
from gateway.web.texts import texts_in
from ingest.errors import ConfigurationError

NODE = "3c71bf4a2b10"
CHOICES = ((5.4, 2), (4.0, 3), (2.9, 4))
SVG = "{http://www.w3.org/2000/svg}"


def label(room: str | None = "CP A") -> Label:
    site = "École Jules-Ferry" if room else None
    return Label(NODE, f"https://preau.trilport.fr/n/{NODE}", "Trilport", site, room, "C3, SCD41")


@given(st.text(max_size=200), st.floats(10, 60))
def test_any_text_keeps_to_its_lines_and_its_width(text, width_mm):
    lettering = fitted(text, width_mm, CHOICES)

    most = dict(CHOICES)[lettering.size_mm]
    assert len(lettering.lines) <= most
    assert all(width_em(line) * lettering.size_mm <= width_mm + 1e-9 for line in lettering.lines)


@pytest.mark.parametrize(
    ("text", "size", "lines"),
    [
        ("CP A", 5.4, ("CP A",)),
        ("Salle des maîtres", 5.4, ("Salle des", "maîtres")),
        ("Maternelle Saint-Exupéry", 4.0, ("Maternelle", "Saint-", "Exupéry")),
        (
            "Bibliothèque-centre de documentation",
            2.9,
            ("Bibliothèque-", "centre de", "documentation"),
        ),
    ],
)
def test_short_names_are_large_and_long_ones_break_at_blanks_and_hyphens(text, size, lines):
    assert fitted(text, 31, CHOICES) == (size, lines)


def test_names_of_any_kind_are_text_on_the_label():
    [sheet] = label_sheets([label('<script>&"]]>')], texts_in("fr"))
    root = ET.fromstring(sheet)  # noqa: S314 - a text of our own
    assert '<script>&"]]>' in "".join(text.text or "" for text in root.iter(f"{SVG}text"))


def test_labels_beyond_a_sheet_begin_another_and_all_lie_on_the_paper():
    sheets = list(label_sheets([label()] * (A_SHEET + 1), texts_in("fr")))
    counts = []
    for sheet in sheets:
        places = re.findall(r'<g transform="translate\(([\d.]+) ([\d.]+)\)">', sheet)
        counts.append(len(places))
        for x, y in places:
            assert 5 <= float(x) <= SHEET_MM[0] - WIDTH_MM - 5
            assert 10 <= float(y) <= SHEET_MM[1] - HEIGHT_MM - 10
    assert counts == [A_SHEET, 1]


def test_a_node_in_no_room_gets_a_line_to_write_on():
    [sheet] = label_sheets([label(None)], texts_in("fr"))
    assert "Salle :" in sheet
    assert "École" not in sheet


def test_a_set_up_code_is_kept_for_its_owner_alone(tmp_path):
    folder = tmp_path / "credentials"
    code = make_setup_code(folder, NODE)

    assert re.fullmatch(f"[{ALPHABET}]{{8}}", code)
    assert read_setup_code(folder, NODE) == code
    assert stat.S_IMODE(setup_code_file(folder, NODE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(ConfigurationError, match="has a set-up code already"):
        make_setup_code(folder, NODE)
    assert make_setup_code(folder, "3c71bf4a2b11") != code


def test_a_code_that_others_may_read_or_that_is_none_is_refused_without_being_shown(tmp_path):
    code = make_setup_code(tmp_path, NODE)
    file = setup_code_file(tmp_path, NODE)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600") as caught:
        read_setup_code(tmp_path, NODE)
    assert code not in str(caught.value)

    file.chmod(0o600)
    file.write_text("hunter2\n")
    with pytest.raises(ConfigurationError, match="no set-up code of 8") as caught:
        read_setup_code(tmp_path, NODE)
    assert "hunter2" not in str(caught.value)


@given(st.text(alphabet=ALPHABET, min_size=8, max_size=8))
def test_what_is_typed_with_look_alikes_is_the_code(code):
    typed = code.replace("0", "o").replace("1", "l").lower()
    assert typed_code(f" {typed[:4]}-{typed[4:]} ") == code


@pytest.mark.parametrize("text", ["", "ABCD", "ABCDEFGHJ", "ABCDEFGU", "ABCDEFG!"])
def test_what_is_no_code_is_told_apart(text):
    assert typed_code(text) is None


def test_no_path_comes_of_a_name_that_is_no_node():
    with pytest.raises(ConfigurationError, match="is no node id"):
        setup_code_file(Path("credentials"), "../../etc/passwd")
