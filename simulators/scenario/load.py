"""Reads a scenario file, or one that comes with Préau, and tells all that is wrong with it.

Each problem has file, line, key, value and reason, as those of an estate have. Nothing is started.
"""

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from pydantic import ValidationError

from ingest.errors import ConfigurationError
from ingest.estate.fields import EstateModel
from ingest.estate.load import EstateError, load_estate
from ingest.estate.model import Estate
from ingest.estate.problems import Problem, ProblemsError
from ingest.estate.source import Source, read_source
from simulators.scenario.checks import (
    other_gateway_problems,
    own_gateway_problems,
    problems_of,
)
from simulators.scenario.model import EXPECTATIONS, FAULTS, HeadTable, RoomTable
from simulators.scenario.script import Entry, Scenario

SHIPPED: Final = Path(str(files("simulators"))) / "scenarios"
DEMO_ESTATE: Final = Path(str(files("simulators"))) / "estates" / "demo.toml"
_NOT_YET: Final = {"alert": "alerts can't be expected yet: Préau has none so far"}

T = TypeVar("T", bound=EstateModel)


class ScenarioError(ProblemsError):
    """A scenario can't be used as it stands; `problems` tells why."""


def shipped_names() -> list[str]:
    """The scenarios that come with Préau."""
    return sorted(file.stem for file in SHIPPED.glob("*.toml"))


def find_scenario(name: str) -> Path:
    """The file of that path, or of the shipped scenario of that name. `ConfigurationError`."""
    path = Path(name)
    if path.exists():
        return path
    shipped = shipped_names()
    if name in shipped:
        return SHIPPED / f"{name}.toml"
    near = difflib.get_close_matches(name, shipped, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(shipped)}"
    raise ConfigurationError(f"{name!r} is neither a file nor a scenario known here; {hint}")


def load_scenario(path: Path, *, short: bool = False, own_gateway: bool = True) -> Scenario:
    """Read and check a scenario, for a gateway of its own or for somebody else's.

    Raises `ScenarioError` with every problem found.
    """
    try:
        source = read_source(path)
    except ProblemsError as error:
        raise ScenarioError(error.problems) from error
    return script_of(source, short=short, own_gateway=own_gateway)


def script_of(source: Source, *, short: bool = False, own_gateway: bool = True) -> Scenario:
    """The same of a text that is no file."""
    return checked(_Reading(source).scenario(short=short), own_gateway=own_gateway)


def checked(scenario: Scenario, *, own_gateway: bool = True) -> Scenario:
    """The scenario, if it may be run: also after it was changed. Raises `ScenarioError`."""
    problems = list(problems_of(scenario))
    problems += own_gateway_problems(scenario) if own_gateway else other_gateway_problems(scenario)
    if problems:
        raise ScenarioError(problems)
    return scenario


@dataclass
class _Reading:
    """A scenario while it is read: what is wrong so far."""

    source: Source
    problems: list[Problem] = field(default_factory=list)

    def scenario(self, *, short: bool) -> Scenario:
        tables = dict(self.source.data)
        rooms = self._entries(tables.pop("room", []), "room", [RoomTable])
        faults = self._entries(tables.pop("fault", []), "fault", FAULTS)
        expected = self._entries(tables.pop("expect", []), "expect", EXPECTATIONS)
        head = self._head(tables)
        estate_file, estate = self._estate(head)
        if self.problems or head is None or estate is None:
            raise ScenarioError(sorted(self.problems, key=lambda one: one.line or 0))
        return Scenario(
            name=self.source.file.stem,
            source=self.source,
            head=head.shortened() if short else head,
            written=head,
            estate_file=estate_file,
            estate=estate,
            rooms=tuple(entry.table for entry in rooms),
            faults=tuple(one for one in faults if one.table.short or not short),
            expectations=tuple(one for one in expected if one.table.short or not short),
            is_short=short,
        )

    def _head(self, tables: dict[str, Any]) -> HeadTable | None:
        try:
            return HeadTable.model_validate(tables)
        except ValidationError as refused:
            self.problems += self.source.problems_of(refused, HeadTable)
            return None

    def _estate(self, head: HeadTable | None) -> tuple[Path, Estate | None]:
        named = head.estate if head is not None else "demo"
        path = DEMO_ESTATE if named == "demo" else self.source.file.parent / named
        # Not `is_file`, which raises for a name that is too long.
        if not os.path.isfile(path):  # noqa: PTH113
            reason = 'is neither "demo" nor an estate file beside the scenario'
            self.problems.append(self.source.problem(("estate",), reason, named))
            return path, None
        try:
            return path, load_estate(path)
        except EstateError as error:
            self.problems += error.problems
            return path, None

    def _entries(self, entries: object, key: str, models: Sequence[type[T]]) -> list[Entry[T]]:
        if not isinstance(entries, list):
            reason = f"must be written with two brackets, [[{key}]]"
            self.problems.append(self.source.problem((key,), reason))
            return []
        valid = []
        for index, entry in enumerate(entries):
            model = models[0] if len(models) == 1 else self._model(entry, key, index, models)
            if model is None:
                continue
            try:
                table = model.model_validate(entry)
            except ValidationError as refused:
                self.problems += self.source.problems_of(refused, model, (key, index))
            else:
                valid.append(Entry(index, table))
        return valid

    def _model(
        self, entry: object, key: str, index: int, models: Sequence[type[T]]
    ) -> type[T] | None:
        by_name = {name: model for model in models for name in names_of(model)}
        what = entry.get("what") if isinstance(entry, dict) else None
        if isinstance(what, str) and what in by_name:
            return by_name[what]
        if what is None:
            reason = f"is missing: one of {', '.join(by_name)}"
        elif what in _NOT_YET:
            reason = _NOT_YET[what]
        else:
            near = difflib.get_close_matches(str(what), by_name, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(by_name)}"
            reason = f"is not known here; {hint}"
        self.problems.append(self.source.problem((key, index, "what"), reason, what))
        return None


def names_of(model: type[EstateModel]) -> tuple[str, ...]:
    """What a kind of fault or expectation is called in a file."""
    names: tuple[str, ...] = get_args(model.model_fields["what"].annotation)
    return names
