"""What is wrong with a configuration file, in words for the person who wrote it.

Turns the errors of pydantic into problems with file, line, key, value and reason. It knows TOML
files and pydantic models, but neither the estate nor the settings.
"""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from ingest.errors import ConfigurationError
from ingest.estate.lines import KeyPath

_LONGEST_VALUE: Final = 60
_REASONS: Final = {
    "missing": "is missing",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "path_type": "must be a path in quotes",
    "tuple_type": "must be an array",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "date_type": "must be a date such as 2026-09-01",
    "literal_error": "must be one of {expected}",
    "value_error": "{error}",
}
# Follows from another error of the same table, and says nothing by itself.
_CONSEQUENCE: Final = "default_factory_not_called"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps a file from being used.

    `line` is `None` and `key` empty where the file as a whole is meant; `value` is as it would be
    written in TOML, shortened, and `None` where it is absent, a table, or not to be shown.
    """

    file: str
    line: int | None
    key: str
    reason: str
    value: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        shown = self.key if self.value is None else f"{self.key} = {self.value}"
        return f"{place}: {shown}: {self.reason}" if shown else f"{place}: {self.reason}"


class ProblemsError(ConfigurationError):
    """One or more files can't be used; `problems` tells each reason, and the text lists them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def key_text(path: KeyPath) -> str:
    """`site[0].building[1].id`: a key path as it is shown to a person."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def value_text(value: object) -> str | None:
    """A value as TOML would write it, at most 60 characters; `None` for tables and arrays."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str() | Path():
            text = _printable(json.dumps(_shortened(str(value)), ensure_ascii=False))
        case date() | time():
            text = value.isoformat()
        case float():
            text = repr(value)
        # Hexadecimal TOML may write integers of so many digits that Python won't print them.
        case int() if abs(value) < 10**_LONGEST_VALUE:
            text = str(value)
        case _:
            return None
    return text


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _printable(text: str) -> str:
    """With what would steer a terminal, or turn its text around, written as TOML escapes it."""
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in text)


def told_errors(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out the errors that only follow from others."""
    return [error for error in errors if error["type"] != _CONSEQUENCE]


def reason_of(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Why pydantic refused a value of `model`, in the words of the person who wrote the file."""
    if error["type"] == "extra_forbidden":
        return _unknown_key_reason(error["loc"], model)
    reason = _REASONS.get(error["type"])
    if reason is None:
        return error["msg"]
    return reason.format_map(_context(error))


def _context(error: ErrorDetails) -> Mapping[str, Any]:
    return error.get("ctx", {})


def _unknown_key_reason(path: KeyPath, model: type[BaseModel]) -> str:
    known = keys_of(model, path[:-1])
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    if near:
        return f"is not known here; did you mean {near[0]}?"
    return f"is not known here; known are {', '.join(known)}" if known else "is not known here"


def keys_of(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that the table at `path` inside a `model` may have."""
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int) or current is None:
            continue
        field = next(
            (f for name, f in current.model_fields.items() if part in {name, f.alias}), None
        )
        current = _model_in(field.annotation) if field else None
    if current is None:
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
