"""Reads an estate: `estate.toml` and, beside it, `estate.d/*.toml` with sites, nodes and contacts.

All that is wrong in all files is reported together, each with file, line, key, value and reason.
It knows no clock and keeps nothing: the same files always make the same estate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from ingest.estate.fields import DEFAULT_ZONE, EstateModel
from ingest.estate.model import Calendar, Contact, Estate, EstateHead, Node, Site
from ingest.estate.problems import Problem, ProblemsError
from ingest.estate.references import Tables, Written, reference_problems
from ingest.estate.source import Source, read_source, source_of

T = TypeVar("T", bound=EstateModel)
_HEAD_KEYS = tuple(EstateHead.model_fields)
_NOTHING: Final[Mapping[Path, bytes]] = MappingProxyType({})


class EstateError(ProblemsError):
    """The estate can't be used as it stands; `problems` tells why."""


def estate_files(path: Path) -> list[Path]:
    """The files that make up the estate at `path`, in their order: itself, then those of its
    folder (`estate.d` beside `estate.toml`) by name.
    """
    folder = path.with_suffix(".d")
    extra = (file for file in folder.glob("*.toml") if not file.name.startswith("."))
    return [path, *sorted(extra)]


def load_estate(
    path: Path, zone: ZoneInfo = DEFAULT_ZONE, instead: Mapping[Path, bytes] = _NOTHING
) -> Estate:
    """Read the estate at `path`; dates and times without offset are those of `zone`.

    `instead` has the content of files that are taken as if they held it. Raises `EstateError` with
    every problem found.
    """
    reading = _Reading(zone)
    files = estate_files(path)
    for file in files:
        try:
            source = source_of(file, instead[file]) if file in instead else read_source(file)
        except ProblemsError as error:
            reading.problems += error.problems
            reading.is_whole = False
        else:
            reading.take(source, is_first=file == path)
    reading.problems += reference_problems(reading.tables())
    if reading.problems:
        raise EstateError(_in_order_of(files, reading.problems))
    return reading.estate()


@dataclass
class _Reading:
    """An estate while its files are read: what is valid so far, and what is wrong so far."""

    zone: ZoneInfo
    problems: list[Problem] = field(default_factory=list)
    head: EstateHead = field(default_factory=EstateHead)
    calendar: Written[Calendar] | None = None
    sites: list[Written[Site]] = field(default_factory=list)
    nodes: list[Written[Node]] = field(default_factory=list)
    contacts: list[Written[Contact]] = field(default_factory=list)
    refused_sites: set[str] = field(default_factory=set)
    is_whole: bool = True

    def take(self, source: Source, *, is_first: bool) -> None:
        """Validate table by table, so that one mistake does not hide what the others contradict."""
        tables = dict(source.data)
        self.sites += self._entries(source, tables.pop("site", []), "site", Site)
        self.nodes += self._entries(source, tables.pop("node", []), "node", Node)
        self.contacts += self._entries(source, tables.pop("contact", []), "contact", Contact)
        if is_first:
            self._take_head(source, tables)
            return
        for key in tables:
            known = "only [[site]], [[node]] and [[contact]] may stand in this folder"
            reason = f"belongs into the main file; {known}" if key in _HEAD_KEYS else known
            self.problems.append(source.problem((key,), reason))

    def _take_head(self, source: Source, tables: dict[str, Any]) -> None:
        try:
            self.head = EstateHead.model_validate(tables, context={"zone": self.zone})
        except ValidationError as refused:
            self.problems += source.problems_of(refused, EstateHead)
        else:
            self.calendar = Written(source, ("calendar",), self.head.calendar)

    def _entries(
        self, source: Source, entries: object, key: str, model: type[T]
    ) -> list[Written[T]]:
        if not isinstance(entries, list):
            reason = f"must be written with two brackets, [[{key}]]"
            self.problems.append(source.problem((key,), reason))
            self.is_whole = False
            return []
        context = {"zone": self.zone}
        valid = []
        for index, entry in enumerate(entries):
            try:
                table = model.model_validate(entry, context=context)
            except ValidationError as refused:
                self.problems += source.problems_of(refused, model, (key, index))
                if model is Site:
                    self.refused_sites.add(_id_of(entry))
            else:
                valid.append(Written(source, (key, index), table))
        return valid

    def tables(self) -> Tables:
        refused = self.refused_sites if self.is_whole else self.refused_sites | {""}
        return Tables(self.sites, self.nodes, self.contacts, self.calendar, frozenset(refused))

    def estate(self) -> Estate:
        return Estate(
            name=self.head.name,
            sites=tuple(written.table for written in self.sites),
            nodes=tuple(written.table for written in self.nodes),
            thresholds=self.head.thresholds,
            calendar=self.head.calendar,
            contacts=tuple(written.table for written in self.contacts),
        )


def _id_of(entry: object) -> str:
    found = entry.get("id") if isinstance(entry, dict) else None
    return found if isinstance(found, str) else ""


def _in_order_of(files: list[Path], problems: list[Problem]) -> list[Problem]:
    rank = {str(file): position for position, file in enumerate(files)}
    return sorted(problems, key=lambda problem: (rank[problem.file], problem.line or 0))
