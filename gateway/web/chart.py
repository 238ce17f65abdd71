"""A room's history as a chart's data, a table and a few sentences, in the reader's language.

Pure. The chart is drawn in the browser from what `chart_of` returns; the table and the sentences
say the same to who can't see it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway.web.formats import DECIMALS, UNITS, Formats
from gateway.web.history import Line, RoomHistory, Row
from ingest.estate.model import Thresholds
from ingest.readings import MAIN_CHANNEL


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: when, and mean, minimum and maximum of each quantity (`None`: not measured)."""

    when: str
    cells: tuple[tuple[str, str, str] | None, ...]


def chart_of(
    history: RoomHistory,
    formats: Formats,
    limits: Thresholds,
    gap_ms: Callable[[str], float],
) -> dict[str, Any]:
    """What `chart.js` draws. `gap_ms` of a node: beyond it a line is broken, not drawn through."""
    return {
        "period": history.period,
        "from": _local_iso(history.from_ms, formats.zone),
        "to": _local_iso(history.to_ms, formats.zone),
        "panels": [
            _panel(quantity, history, formats, limits, gap_ms) for quantity in history.quantities()
        ],
        "words": {
            "months": formats.months(),
            "short_months": formats.short_months(),
            "weekdays": formats.weekdays(),
            "band": formats.texts("room.band"),
            "decimal": formats.number(0.5, 1)[1],
        },
    }


def _panel(
    quantity: str,
    history: RoomHistory,
    formats: Formats,
    limits: Thresholds,
    gap_ms: Callable[[str], float],
) -> dict[str, Any]:
    lines = [line for line in history.lines if line.quantity == quantity]
    return {
        "quantity": quantity,
        "title": f"{formats.texts(f'quantity.{quantity}')} ({UNITS[quantity]})",
        "unit": UNITS[quantity],
        "decimals": DECIMALS[quantity],
        "limits": _limits(quantity, formats, limits),
        "lines": [
            _line(line, _name(line, alone=len(lines) == 1), history, formats, gap_ms(line.node))
            for line in lines
        ],
    }


def _limits(quantity: str, formats: Formats, limits: Thresholds) -> list[dict[str, Any]]:
    if quantity != "co2":
        return []
    return [
        {"at": limits.co2_attention_ppm, "text": formats.texts("room.limit_attention")},
        {"at": limits.co2_insufficient_ppm, "text": formats.texts("room.limit_insufficient")},
    ]


def _name(line: Line, *, alone: bool) -> str:
    if alone:
        return ""
    return line.node if line.channel == MAIN_CHANNEL else f"{line.node} · {line.channel}"


def _line(
    line: Line, name: str, history: RoomHistory, formats: Formats, gap_ms: float
) -> dict[str, Any]:
    step_ms = history.period.step_ms
    widest = max(2.5 * step_ms, gap_ms + step_ms)
    decimals = DECIMALS[line.quantity] + 1
    columns: dict[str, list[Any]] = {"x": [], "mean": [], "min": [], "max": []}
    before = None
    for step in line.steps:
        if before is not None and step.start_ms - before > widest:
            _append(columns, _local_iso(before + step_ms, formats.zone), None, None, None)
        middle = min(step.start_ms + step_ms // 2, history.to_ms)
        _append(
            columns,
            _local_iso(middle, formats.zone),
            *(round(value, decimals) for value in (step.mean, step.minimum, step.maximum)),
        )
        before = step.start_ms
    return {"name": name, **columns}


def _append(columns: dict[str, list[Any]], *values: object) -> None:
    for column, value in zip(columns.values(), values, strict=True):
        column.append(value)


def _local_iso(at_ms: int, zone: ZoneInfo) -> str:
    """Local time without offset: the chart library shows times as they are written."""
    local = datetime.fromtimestamp(at_ms // 1000, zone)
    return local.replace(tzinfo=None).isoformat(timespec="minutes")


def sentences_of(history: RoomHistory, formats: Formats) -> list[str]:
    """From least to most and the mean, a sentence a quantity."""
    found = []
    for quantity in history.quantities():
        whole = history.whole(quantity)
        if whole is not None:
            found.append(
                formats.texts(
                    "room.summary",
                    quantity=formats.texts(f"quantity.{quantity}"),
                    least=formats.with_unit(quantity, whole.minimum),
                    most=formats.with_unit(quantity, whole.maximum),
                    mean=formats.with_unit(quantity, whole.mean),
                )
            )
    return found


def table_of(history: RoomHistory, formats: Formats) -> list[TableRow]:
    """The rows of the table, the newest first; cells in the order of `history.quantities()`."""
    write: Mapping[str, Callable[[datetime], str]] = {
        "hour": formats.hour,
        "day": formats.day,
        "month": formats.month,
    }
    when = write[history.period.grain]
    quantities = history.quantities()
    return [
        TableRow(when(row.start), tuple(_cell(row, quantity, formats) for quantity in quantities))
        for row in history.rows(formats.zone)
    ]


def _cell(row: Row, quantity: str, formats: Formats) -> tuple[str, str, str] | None:
    average = row.cells.get(quantity)
    if average is None:
        return None
    values = (average.mean, average.minimum, average.maximum)
    mean, least, most = (formats.value(quantity, value) for value in values)
    return mean, least, most
