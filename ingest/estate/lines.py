"""Where a key stands in a TOML text: the line number that neither `tomllib` nor pydantic gives.

It takes a text that `tomllib` has accepted and finds headers, keys and elements of arrays in it;
it reads no values and judges nothing. What the keys mean it must not know.
"""

import re
import tomllib
from bisect import bisect_left
from typing import Final

KeyPath = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_DOT: Final = re.compile(r"[ \t]*+\.[ \t]*+")
_SPACE: Final = re.compile(r"[ \t]*+")
_KEY: Final = re.compile(r"""[A-Za-z0-9_-]++ | "(?:[^"\\\n]|\\.)*+" | '[^'\n]*+' """, re.VERBOSE)
# A string of several lines may end in up to five quotes, two of them its own. What is neither
# string nor bracket runs up to a separator: a date may have a blank before its time of day.
_SCALAR: Final = re.compile(
    r'''
      """ (?: [^"\\] | \\. | "{1,2}(?!") )*+ "{3,5}
    | \'\'\' (?: [^'] | '{1,2}(?!') )*+ '{3,5}
    | " (?: [^"\\] | \\. )*+ "
    | ' [^']*+ '
    | [^,\]}\#\n]++
    ''',
    re.VERBOSE | re.DOTALL,
)


class Lines:
    """The lines of one TOML text, by key path: `("site", 0, "building", 1, "id")`.

    The text must be valid TOML; for any other the answers mean nothing, but there is no loop
    without end.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._named: dict[KeyPath, int] = {}
        self._implied: dict[KeyPath, int] = {}
        self._lengths: dict[KeyPath, int] = {}
        self._headers: list[tuple[KeyPath, int]] = []
        self._scan()

    def line_of(self, path: KeyPath) -> int:
        """The line, from 1, where `path` is written; where it is not, that of what encloses it."""
        while path:
            offset = self._named.get(path, self._implied.get(path))
            if offset is not None:
                return bisect_left(self._newlines, offset) + 1
            path = path[:-1]
        return 1

    def paths(self) -> list[KeyPath]:
        """Every key path that the text names or implies."""
        return list(self._named | self._implied)

    def headers(self) -> list[tuple[KeyPath, int]]:
        """The tables that have a header of their own, in the order of the text, and the offset of
        each header's first bracket.
        """
        return list(self._headers)

    def _scan(self) -> None:
        text = self._text
        table: KeyPath = ()
        at = _end(_BLANK, text, 0)
        while at < len(text):
            before = at
            if text[at] == "[":
                table, at = self._header(at)
            else:
                path, at = self._assigned(table, at)
                at = self._value(path, at)
            at = _end(_BLANK, text, at)
            if at <= before:
                return

    def _header(self, at: int) -> tuple[KeyPath, int]:
        start, is_array = at, self._text.startswith("[[", at)
        keys, at = self._keys(_end(_SPACE, self._text, at + 1 + is_array))
        path: KeyPath = ()
        for key in keys[:-1]:
            path = self._newest((*path, key))
            self._implied.setdefault(path, start)
        path = (*path, keys[-1])
        if is_array:
            self._implied.setdefault(path, start)
            self._lengths[path] = self._lengths.get(path, 0) + 1
            path = self._newest(path)
        self._named[path] = start
        self._headers.append((path, start))
        return path, _end(_SPACE, self._text, at) + 1 + is_array

    def _newest(self, path: KeyPath) -> KeyPath:
        """A header speaks of the last element, where its key is an array of tables."""
        length = self._lengths.get(path)
        return path if length is None else (*path, length - 1)

    def _assigned(self, table: KeyPath, at: int) -> tuple[KeyPath, int]:
        """`a.b = `: the path it sets, and where its value begins."""
        start = at
        keys, at = self._keys(at)
        path = table
        for key in keys:
            path = (*path, key)
            self._implied.setdefault(path, start)
        self._named[path] = start
        return path, _end(_SPACE, self._text, _end(_SPACE, self._text, at) + 1)

    def _keys(self, at: int) -> tuple[list[str], int]:
        keys: list[str] = []
        while True:
            end = _end(_KEY, self._text, at)
            keys.append(_unquoted(self._text[at:end]))
            at = _end(_DOT, self._text, end)
            if at == end:
                return keys, end

    def _value(self, path: KeyPath, at: int) -> int:
        """Go past a value, noting what arrays and inline tables hold. By a stack of its own: the
        depth of a file is not bounded by Python's.
        """
        open_brackets: list[tuple[KeyPath, int | None]] = []
        at = self._open_or_skip(path, at, open_brackets)
        while open_brackets and at < len(self._text):
            at = _end(_BLANK, self._text, at)
            outer, index = open_brackets[-1]
            if self._text.startswith(("]", "}"), at):
                open_brackets.pop()
                at += 1
            elif self._text.startswith(",", at):
                at += 1
            elif index is None:
                inner, at = self._assigned(outer, at)
                at = self._open_or_skip(inner, at, open_brackets)
            else:
                open_brackets[-1] = (outer, index + 1)
                inner = (*outer, index)
                self._named[inner] = at
                at = self._open_or_skip(inner, at, open_brackets)
        return at

    def _open_or_skip(
        self, path: KeyPath, at: int, open_brackets: list[tuple[KeyPath, int | None]]
    ) -> int:
        if self._text.startswith("[", at):
            open_brackets.append((path, 0))
            return at + 1
        if self._text.startswith("{", at):
            open_brackets.append((path, None))
            return at + 1
        return _end(_SCALAR, self._text, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _unquoted(key: str) -> str:
    if key.startswith('"'):
        return str(tomllib.loads(f"key = {key}")["key"])
    return key[1:-1] if key.startswith("'") else key
