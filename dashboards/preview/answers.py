"""What InfluxDB answers to the queries of a dashboard, as Grafana would name it."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.models import dashboard

from dashboards.influxql import InfluxQL
from dashboards.preview.expand import Chosen, Window, choose, expand
from ingest.queries.influxql import Rows

Series = Rows
"""As InfluxDB gives them: `name`, `tags`, `columns`, `values`; times in milliseconds."""
Ask = Callable[[str], Awaitable[Series]]

_WORD: Final = re.compile(r"\$(tag_)?(\w+)")


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name, and values by time in milliseconds."""

    name: str
    times_ms: list[int]
    values: list[float | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What there is for one panel: lines, or for a table its rows by field."""

    lines: list[Line]
    rows: list[dict[str, Any]]

    @property
    def is_empty(self) -> bool:
        """Whether a reader would see nothing."""
        return not self.rows and not any(line.values for line in self.lines)


def panels_of(one: dashboard.Dashboard) -> Iterator[dashboard.Panel]:
    """The panels of a dashboard, in order."""
    for panel in one.panels or ():
        if isinstance(panel, dashboard.Panel):
            yield panel


def queries_of(panel: dashboard.Panel) -> Iterator[InfluxQL]:
    """The queries of a panel."""
    for target in panel.targets or ():
        if isinstance(target, InfluxQL):
            yield target


async def answer(panel: dashboard.Panel, window: Window, chosen: Chosen, ask: Ask) -> Answer:
    """Ask what the panel asks. What `ask` raises is passed on."""
    lines: list[Line] = []
    rows: list[dict[str, Any]] = []
    for query in queries_of(panel):
        series = await ask(expand(query.text, window, chosen))
        if query.result == "table":
            rows += (row for one in series for row in _rows(one))
        else:
            lines += (line for one in series for line in _lines(one, query.alias))
    return Answer(lines, rows)


async def choices(one: dashboard.Dashboard, ask: Ask, wanted: Chosen) -> dict[str, Any]:
    """A value for every variable: the wanted one, else all where that is offered, else the first.

    Raises `LookupError` where there is none to choose.
    """
    chosen: dict[str, Any] = {}
    for variable in (one.templating.list_val if one.templating else None) or ():
        name = variable.name
        if name in wanted:
            chosen[name] = wanted[name]
        elif variable.all_value is not None:
            chosen[name] = variable.all_value
        else:
            series = await ask(choose(str(variable.query), chosen))
            found = sorted(row[1] for part in series for row in part["values"])
            if not found:
                raise LookupError(f"InfluxDB knows no {name}: {variable.query}")
            chosen[name] = found[0]
    return chosen


def _rows(series: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for values in series["values"]:
        row = dict(zip(series["columns"], values, strict=True))
        yield {"Time": row.pop("time", None), **series.get("tags", {}), **row}


def _lines(series: Mapping[str, Any], alias: str) -> Iterator[Line]:
    times = [row[0] for row in series["values"]]
    for place, column in enumerate(series["columns"][1:], 1):
        name = _name(series, column, alias)
        yield Line(name, times, [row[place] for row in series["values"]])


def _name(series: Mapping[str, Any], column: str, alias: str) -> str:
    def fill(match: re.Match[str]) -> str:
        of_tag, word = match.groups()
        if of_tag:
            return str(series.get("tags", {}).get(word, ""))
        return {"col": column, "m": str(series["name"])}.get(word, match.group())

    return _WORD.sub(fill, alias) if alias else f"{series['name']}.{column}"
