"""The places that settings come from, laid over each other, and the place of each mistake.

File, environment and overrides are values by section and key here; what the sections are it learns
from the model that it is handed.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from ingest.estate.lines import KeyPath
from ingest.estate.problems import Problem, key_text, reason_of, value_text
from ingest.estate.source import Source

PREFIX: Final = "PREAU_"
DELIMITER: Final = "__"
Values = Mapping[str, Any]
Paths = Mapping[tuple[str, str], str | None]

_SECRETS: Final = ("password", "token")


@dataclass(frozen=True, slots=True)
class GivenSettings:
    """What is set where, before it is checked against `model`."""

    model: type[BaseModel]
    source: Source | None
    environment: Values
    overrides: Values
    paths: Paths
    """Keys that are paths, relative to the file, with the default of each."""

    def merged(self) -> dict[str, Any]:
        """One set of values: the file's, over them the environment's, over those the overrides."""
        values = self._anchored()
        for layer in (self.environment, self.overrides):
            values = _laid_over(values, layer)
        return values

    def misplaced_secrets(self) -> Iterator[Problem]:
        """Passwords in the settings file, which others read."""
        for section, values in (self.source.data if self.source else {}).items():
            for place, table in _tables((section,), values):
                for secret in _SECRETS:
                    if self.source and secret in table:
                        yield self.source.problem((*place, secret), _remedy(place, secret))

    def unknown_variables(self) -> Iterator[Problem]:
        """Variables that look like a setting, of a section that there is not."""
        for name in sorted(os.environ):
            section, delimiter, _ = name.removeprefix(PREFIX).partition(DELIMITER)
            if name.startswith(PREFIX) and delimiter and section.lower() not in self._sections():
                known = ", ".join(f"{PREFIX}{section.upper()}" for section in self._sections())
                yield Problem("environment", None, name, f"is no setting; known are {known}")

    def problem(self, error: ErrorDetails) -> Problem:
        """What pydantic refused, at the place that it comes from. A secret's value is not shown."""
        path, reason = error["loc"], reason_of(error, self.model)
        # The value of an unknown key may be a secret under a mistyped name.
        is_hidden = error["type"] in {"missing", "extra_forbidden"} or _may_be_secret(path, error)
        value = None if is_hidden else error["input"]
        in_file = self.source is not None and _holds(self.source.data, path)
        is_section = len(path) < 2
        if _holds(self.overrides, path) and not (is_section and in_file):
            return Problem("command line", None, key_text(path), reason, value_text(value))
        if _holds(self.environment, path) and not (is_section and in_file):
            name = PREFIX + DELIMITER.join(str(part) for part in path).upper()
            return Problem("environment", None, name, reason, value_text(value))
        if self.source is not None:
            return self.source.problem(path, reason, value)
        return Problem("settings", None, key_text(path), reason, value_text(value))

    def _sections(self) -> list[str]:
        return list(self.model.model_fields)

    def _anchored(self) -> dict[str, Any]:
        """The file's values, its relative paths made relative to the working folder."""
        folder = self.source.file.parent if self.source else Path()
        values = dict(self.source.data) if self.source else {}
        for (section, key), default in self.paths.items():
            table = values.get(section, {})
            if isinstance(table, list):
                values[section] = [_anchored_in(one, key, default, folder) for one in table]
            elif anchored := _anchored_in(table, key, default, folder):
                values[section] = anchored
        return values


def _may_be_secret(path: KeyPath, error: ErrorDetails) -> bool:
    """A secret, or an address with one in it."""
    return any(secret in path for secret in _SECRETS) or "@" in str(error["input"])


def _anchored_in(table: Any, key: str, default: str | None, folder: Path) -> Any:
    if isinstance(table, dict) and isinstance(text := table.get(key, default), str):
        return table | {key: folder / text}
    return table


def _tables(place: KeyPath, values: object) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The table at `place`, or each of an array of tables."""
    if isinstance(values, dict):
        yield place, values
    elif isinstance(values, list):
        for number, value in enumerate(values):
            yield from _tables((*place, number), value)


def _remedy(place: KeyPath, secret: str) -> str:
    file = f"{secret}_file"
    if len(place) > 1:
        return f"secrets don't stand in this file; use {file}"
    variable = f"{PREFIX}{str(place[0]).upper()}{DELIMITER}{secret.upper()}"
    return (
        f"secrets don't stand in this file; use {place[0]}.{file}, or {variable} in the environment"
    )


def _laid_over(below: dict[str, Any], above: Values) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, dict):
            merged[key] = _laid_over(under, value)
        else:
            merged[key] = value
    return merged


def _holds(values: Any, path: KeyPath) -> bool:
    try:
        for part in path:
            values = values[part]
    except (KeyError, IndexError, TypeError):
        return False
    return True
