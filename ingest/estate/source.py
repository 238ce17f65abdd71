"""One TOML file: read, decoded, and able to say on which line a key stands.

Everything that can be wrong before meaning comes in (no such file, no UTF-8, no TOML) ends as one
problem here. What the keys mean it must not know.
"""

import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ingest.estate.lines import KeyPath, Lines
from ingest.estate.problems import (
    Problem,
    ProblemsError,
    key_text,
    reason_of,
    told_errors,
    value_text,
)

_TOML_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class Source:
    """A configuration file that is valid TOML: its place, its text and its data."""

    def __init__(self, file: Path, text: str, data: dict[str, Any]) -> None:
        self.file = file
        self.data = data
        self._text = text

    @cached_property
    def _lines(self) -> Lines:
        return Lines(self._text)

    def place(self, path: KeyPath) -> str:
        """`estate.toml:42`, where `path` is written."""
        return f"{self.file}:{self._lines.line_of(path)}"

    def problem(self, path: KeyPath, reason: str, value: object = None) -> Problem:
        """A problem with what stands at `path`."""
        line = self._lines.line_of(path)
        return Problem(str(self.file), line, key_text(path), reason, value_text(value))

    def problems_of(
        self, refused: ValidationError, model: type[BaseModel], prefix: KeyPath = ()
    ) -> list[Problem]:
        """What pydantic found wrong in the `model` that stands at `prefix`.

        The value of an unknown key is not shown: it may be a secret under a mistyped name.
        """
        return [
            self.problem(
                (*prefix, *error["loc"]),
                reason_of(error, model),
                None if error["type"] in {"missing", "extra_forbidden"} else error["input"],
            )
            for error in told_errors(refused.errors(include_url=False))
        ]


def read_source(file: Path) -> Source:
    """Read a TOML file; `ProblemsError` where it is away, no UTF-8 or no TOML."""
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        reason = "there is no such file; `preau init` writes a first one"
        raise ProblemsError([Problem(str(file), None, "", reason)]) from error
    except OSError as error:
        reason = f"can't be read: {error.strerror}"
        raise ProblemsError([Problem(str(file), None, "", reason)]) from error
    return source_of(file, content)


def source_of(file: Path, content: bytes) -> Source:
    """What `read_source` would make of a file with this content."""
    text = _decoded(file, content)
    return Source(file, text, _parsed(file, text))


def _decoded(file: Path, content: bytes) -> str:
    try:
        # Editors on Windows put a byte order mark first, which TOML does not know.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        reason = f"is not UTF-8 (byte 0x{error.object[error.start]:02x}); save it as UTF-8"
        raise ProblemsError([Problem(str(file), line, "", reason)]) from error


def _parsed(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        reason = "is nested too deeply"
        raise ProblemsError([Problem(str(file), None, "", reason)]) from error
    except ValueError as error:  # TOMLDecodeError, or an integer with thousands of digits
        message = str(error)
        place = _TOML_PLACE.search(message)
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        reason = f"is not valid TOML: {_TOML_PLACE.sub('', message)}"
        raise ProblemsError(
            [Problem(str(file), line if place else None, "", reason)],
        ) from error
