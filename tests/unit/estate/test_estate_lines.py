"""Lines of keys: whatever way a TOML text is written, each key is found where it stands."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.estate.lines import KeyPath, Lines

BARE = st.text("abcxyz019_-", min_size=1, max_size=4)
QUOTED = st.text("a. \"#]=\\['é\t", min_size=0, max_size=4)
KEYS = BARE | QUOTED
SCALARS = (
    st.integers(-999, 999)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text("a\"'\\\n#[]{},=é ", max_size=12)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)


class Writer:
    """Writes data as TOML in one of the many ways it can be written, and notes where."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw
        self.text = ""
        self.lines: dict[KeyPath, int] = {}

    def choose(self, *options: str) -> str:
        return self._draw(st.sampled_from(options))

    def note(self, path: KeyPath) -> None:
        self.lines[path] = self.text.count("\n") + 1

    def blank(self) -> None:
        self.text += self.choose("", "", "\n", "# note [a] = {\n", "  \n\t# ]\r\n\n")

    def key(self, key: str) -> str:
        if key and all(c in "abcxyz019_-" for c in key) and self._draw(st.booleans()):
            return key
        if "'" not in key and self._draw(st.booleans()):
            return f"'{key}'"
        return json.dumps(key, ensure_ascii=False)

    def table(self, data: dict[str, Any], path: KeyPath = ()) -> None:
        """The values of a table, then its tables under headers of their own."""
        later = {}
        for key, value in data.items():
            if _is_table(value) and self._draw(st.booleans()):
                later[key] = value
                continue
            self.blank()
            self.assign(key, value, path)
            self.text += self.choose("", " ", " # ''' [") + "\n"
        for key, value in later.items():
            self.headed(key, value, path)

    def assign(self, key: str, value: Any, path: KeyPath) -> None:
        self.note((*path, key))
        self.text += self.key(key)
        if isinstance(value, dict) and len(value) == 1 and self._draw(st.booleans()):
            inner, inner_value = next(iter(value.items()))
            self.text += self.choose(".", " . ")
            self.assign(inner, inner_value, (*path, key))
            return
        self.text += self.choose("=", " = ")
        self.value(value, (*path, key))

    def headed(self, key: str, value: Any, path: KeyPath) -> None:
        header = [*(part for part in path if isinstance(part, str)), key]
        tables = value if isinstance(value, list) else [value]
        is_array = isinstance(value, list)
        for index, table in enumerate(tables):
            self.blank()
            inner = (*path, key, index) if is_array else (*path, key)
            if index == 0:
                self.note((*path, key))
            self.note(inner)
            name = self.choose(".", " . ").join(map(self.key, header))
            self.text += f"[[{name}]]" if is_array else f"[ {name} ]"
            self.text += self.choose("\n", " # [[b]]\n")
            self.table(table, inner)

    def value(self, value: Any, path: KeyPath) -> None:
        if isinstance(value, dict):
            self.text += "{"
            for position, (key, inner) in enumerate(value.items()):
                self.text += ", " if position else ""
                self.assign(key, inner, path)
            self.text += "}"
        elif isinstance(value, list):
            self.text += "["
            for index, inner in enumerate(value):
                self.blank()
                self.note((*path, index))
                self.value(inner, (*path, index))
                self.text += self.choose(",", " ,\n", " # }\n,")
            self.text += "]"
        elif isinstance(value, str) and self._draw(st.booleans()):
            body = value.replace("\\", "\\\\").replace('"', '\\"')
            self.text += f'"""{self.choose("", chr(10))}{body and " " + body}"""'
        else:
            self.text += _scalar(value)


def _scalar(value: Any) -> str:
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _is_table(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict)


def paths_in(data: Any, path: KeyPath = ()) -> set[KeyPath]:
    items = data.items() if isinstance(data, dict) else enumerate(data)
    found = set()
    for key, value in items:
        found.add((*path, key))
        if isinstance(value, dict | list):
            found |= paths_in(value, (*path, key))
    return found


@given(st.data(), DOCUMENTS)
def test_every_key_of_any_document_is_found_on_the_line_where_it_stands(data, document):
    writer = Writer(data.draw)
    writer.table(document)
    written = tomllib.loads(writer.text)

    lines = Lines(writer.text)

    assert set(lines.paths()) == paths_in(written)
    for path, line in writer.lines.items():
        assert lines.line_of(path) == line, path


def test_a_key_that_is_not_written_stands_where_its_table_stands():
    lines = Lines("a = 1\n\n[[site]]\nid = 'x'\n\n[[site]]\nid = 'y'\n")

    assert lines.line_of(("site", 1, "name")) == 6
    assert lines.line_of(("nothing",)) == 1


@pytest.mark.parametrize(
    "value",
    [
        "2026-09-01 08:30:00",
        "08:30:00",
        '"""a""""',
        '"""a"""""',
        "'''a''''",
        '""""""',
        r'"\\"',
        r"'\'",
        '"""\\""""',
        "[[1, 2], [[]], {}]",
        "{a.b = [{c = 1}], d = ']'}",
        '"""\nx = 1\n[y]\n"""',
        "inf",
        "0x_f" if False else "0xff",
    ],
)
def test_what_follows_a_value_is_still_found(value):
    text = f"[t]\nbefore = {value} # ]\nafter = 1\n"
    tomllib.loads(text)

    assert Lines(text).line_of(("t", "after")) == text.count("\n")


@pytest.mark.parametrize("quotes", ['"""', "'''"])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_quotes_at_the_end_of_a_text_of_several_lines_belong_to_it(quotes, extra):
    text = f"a = [{quotes}x{quotes}{quotes[:extra]},\n1]"
    tomllib.loads(text)

    assert Lines(text).line_of(("a", 1)) == 2


def test_an_array_nested_deeper_than_the_stack_is_gone_past():
    text = f"a = {'[' * 2000}{']' * 2000}\nb = 1\n"

    assert Lines(text).line_of(("b",)) == 2


@given(st.text("[]{}=.,\"'#\n a1", max_size=40))
def test_a_text_that_is_no_toml_ends_the_search_too(text):
    assert Lines(text).line_of(("a",)) >= 1
