"""One panel and its answer as something to look at: a number, a table, or a plotly figure.

Pure. It follows what the panel itself says of units, limits and columns, so that a mistake there is
seen here; it does not imitate how Grafana draws.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from grafana_foundation_sdk.models import dashboard

from dashboards.preview.answers import Answer, Line

_SUFFIXES: Final = {
    "celsius": " °C",
    "ppm": " ppm",
    "humidity": " %",
    "volt": " V",
    "dBm": " dBm",
    "cps": " /s",
    "s": " s",
    "bytes": " o",
}
# Of Okabe and Ito, told apart by the colour-blind, then again dashed.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000")
_DASHES: Final = ("solid", "dash", "dot")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, and the colour behind it."""

    text: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A panel that was drawn: one of the three, or none where there is nothing to show."""

    title: str
    description: str
    place: tuple[int, int, int, int]
    """Column and row, both from 1, width and height, of a grid of 24 columns."""
    number: Cell | None = None
    head: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    figure: dict[str, Any] | None = None


def drawn(panel: dashboard.Panel, answer: Answer, zone: ZoneInfo) -> Drawn:
    """The panel with its answer."""
    found: dict[str, Any] = {}
    if answer.is_empty:
        otherwise = _defaults(panel).no_value
        found["number"] = Cell(otherwise) if otherwise else None
    elif panel.type_val == "stat":
        found["number"] = _number(panel, answer.lines[0])
    elif panel.type_val == "table":
        found["head"], found["rows"] = _table(panel, answer)
    elif panel.type_val == "status-history":
        found["figure"] = _grid(panel, answer, zone)
    else:
        found["figure"] = _curves(panel, answer, zone)
    at = panel.grid_pos or dashboard.GridPos()
    place = (at.x + 1, at.y + 1, at.w, at.h)
    return Drawn(panel.title or "", panel.description or "", place, **found)


def _defaults(panel: dashboard.Panel) -> dashboard.FieldConfig:
    return panel.field_config.defaults if panel.field_config else dashboard.FieldConfig()


def _number(panel: dashboard.Panel, line: Line) -> Cell:
    of = _defaults(panel)
    value = next(v for v in reversed(line.values) if v is not None)
    return Cell(_written(value, of.unit, of.decimals), _colour(of.thresholds, value))


def _written(value: object, unit: str | None, decimals: float | None) -> str:
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    if unit == "bytes":
        return f"{value / 1e9:.1f} Go"
    shown = f"{value:.{int(decimals)}f}" if decimals is not None else f"{value:.6g}"
    return shown + _SUFFIXES.get(unit or "", "")


def _colour(limits: dashboard.ThresholdsConfig | None, value: float) -> str:
    colour = ""
    for step in limits.steps if limits else ():
        if step.value is None or value >= step.value:
            colour = step.color
    return colour


def _table(
    panel: dashboard.Panel, answer: Answer
) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """The columns that the panel names, in its order, its rows as it sorts them."""
    organize: Any = (panel.transformations or [])[0].options
    fields = sorted(organize["indexByName"], key=organize["indexByName"].__getitem__)
    titles = [organize["renameByName"][name] for name in fields]
    rows = list(answer.rows)
    for order in getattr(panel.options, "sort_by", None) or ():
        name = fields[titles.index(order.display_name)]
        rows.sort(key=lambda row: (row[name] is None, row[name]), reverse=bool(order.desc))
    told = {
        override.matcher.options: {one.id_val: one.value for one in override.properties}
        for override in (panel.field_config.overrides if panel.field_config else ())
    }
    return tuple(titles), tuple(
        tuple(
            _cell(row.get(name), told.get(title, {}))
            for name, title in zip(fields, titles, strict=True)
        )
        for row in rows
    )


def _cell(value: object, told: dict[str, Any]) -> Cell:
    colour = ""
    if "thresholds" in told and isinstance(value, int | float):
        colour = _colour(told["thresholds"], value)
    for mapping in told.get("mappings", ()):
        if str(value) in mapping.options:
            return Cell(mapping.options[str(value)].text or "", colour)
    return Cell(_written(value, told.get("unit"), told.get("decimals")), colour)


def _local(times_ms: list[int], zone: ZoneInfo) -> list[str]:
    """Local times without offset, which the chart library shows as they are written."""
    return [
        datetime.fromtimestamp(at / 1000, zone).replace(tzinfo=None).isoformat(timespec="seconds")
        for at in times_ms
    ]


def _curves(panel: dashboard.Panel, answer: Answer, zone: ZoneInfo) -> dict[str, Any]:
    custom = _defaults(panel).custom
    bars = getattr(custom, "draw_style", None) == "bars"
    colours = {
        override.matcher.options: {one.id_val: one.value for one in override.properties}
        for override in (panel.field_config.overrides if panel.field_config else ())
    }
    data = []
    for place, line in enumerate(answer.lines):
        told = colours.get(line.name, {})
        colour = getattr(told.get("color"), "fixed_color", None) or _COLOURS[place % len(_COLOURS)]
        trace: dict[str, Any] = {
            "name": told.get("displayName", line.name),
            "x": _local(line.times_ms, zone),
            "y": line.values,
        }
        if bars:
            trace |= {"type": "bar", "marker": {"color": colour}}
        else:
            dash = _DASHES[place // len(_COLOURS) % len(_DASHES)]
            trace |= {"mode": "lines", "line": {"color": colour, "dash": dash, "width": 2}}
        data.append(trace)
    unit = _defaults(panel).unit or ""
    layout: dict[str, Any] = {
        "xaxis": _time_axis(answer),
        "yaxis": {"ticksuffix": _SUFFIXES.get(unit, ""), "automargin": True},
    }
    if unit == "bytes":
        layout["yaxis"]["tickformat"] = "~s"
    if getattr(custom, "thresholds_style", None) is not None:
        layout["shapes"] = _limit_lines(panel)
    return {"data": data, "layout": layout}


def _limit_lines(panel: dashboard.Panel) -> list[dict[str, Any]]:
    limits = _defaults(panel).thresholds
    return [
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": step.value,
            "y1": step.value,
            "line": {"color": step.color, "dash": "dash", "width": 1},
        }
        for step in (limits.steps if limits else ())
        if step.value is not None
    ]


def _grid(panel: dashboard.Panel, answer: Answer, zone: ZoneInfo) -> dict[str, Any]:
    """A row a line, a column an hour, a colour a limit."""
    limits = _defaults(panel).thresholds
    steps = limits.steps if limits else []
    times = sorted({at for line in answer.lines for at in line.times_ms})
    by_line = [dict(zip(line.times_ms, line.values, strict=True)) for line in answer.lines]
    values = [[of.get(at) for at in times] for of in by_line]
    kinds = [[None if v is None else _step_of(steps, v) for v in row] for row in values]
    count = max(len(steps), 1)
    scale = [[edge / count, step.color] for n, step in enumerate(steps) for edge in (n, n + 1)]
    heat = {
        "type": "heatmap",
        "x": _local(times, zone),
        "y": [line.name for line in answer.lines],
        "z": kinds,
        "customdata": values,
        "zmin": -0.5,
        "zmax": count - 0.5,
        "colorscale": scale,
        "showscale": False,
        "xgap": 1,
        "ygap": 2,
        "hovertemplate": "%{y}<br>%{x}<br>%{customdata:.1f}<extra></extra>",
    }
    rows = {"autorange": "reversed", "automargin": True}
    return {"data": [heat], "layout": {"xaxis": _time_axis(answer), "yaxis": rows}}


def _time_axis(answer: Answer) -> dict[str, Any]:
    """Days for a long period, hours and days for a short one; the same in every language."""
    times = [at for line in answer.lines for at in line.times_ms]
    is_long = max(times) - min(times) > 3 * 86_400_000
    return {"tickformat": "%d/%m" if is_long else "%H:%M\n%d/%m", "automargin": True}


def _step_of(steps: list[dashboard.Threshold], value: float) -> int:
    return max(n for n, step in enumerate(steps) if step.value is None or value >= step.value)
