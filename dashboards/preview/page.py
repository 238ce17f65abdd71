"""The one page of a preview: every dashboard with its panels, and the chart library inside it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from dashboards.preview.figure import Cell, Drawn
from gateway.web.assets import chart_library


@dataclass(frozen=True, slots=True)
class Sheet:
    """One dashboard, drawn: its title, what was chosen, and its panels."""

    uid: str
    title: str
    chosen: str
    panels: Sequence[Drawn]


def page_of(sheets: Sequence[Sheet], heading: str, language: str, nothing: str) -> str:
    """The page as HTML that needs nothing else. `nothing` is said of an empty panel."""
    frame = files("dashboards.preview").joinpath("page.html").read_text(encoding="utf-8")
    figures = {
        f"{sheet.uid}-{place}": panel.figure
        for sheet in sheets
        for place, panel in enumerate(sheet.panels)
        if panel.figure
    }
    # "</" would end the script, wherever it stands.
    data = json.dumps(figures, ensure_ascii=False).replace("</", "<\\/")
    filled = {
        "LANGUAGE": language,
        "HEADING": escape(heading),
        "SHEETS": "\n".join(_sheet(sheet, nothing) for sheet in sheets),
        "FIGURES": data,
        "LIBRARY": chart_library().read_text(encoding="utf-8"),
    }
    for name, text in filled.items():
        frame = frame.replace(f"<!--{name}-->", text, 1)
    return frame


def _sheet(sheet: Sheet, nothing: str) -> str:
    panels = "\n".join(
        _panel(panel, f"{sheet.uid}-{place}", nothing) for place, panel in enumerate(sheet.panels)
    )
    return (
        f'<section id="{escape(sheet.uid)}"><h2>{escape(sheet.title)}'
        f' <small>{escape(sheet.chosen)}</small></h2><div class="grid">{panels}</div></section>'
    )


def _panel(panel: Drawn, key: str, nothing: str) -> str:
    column, row, width, height = panel.place
    style = f"grid-column:{column}/span {width};grid-row:{row}/span {height};"
    return (
        f'<article style="{style}"><h3 title="{escape(panel.description)}">'
        f"{escape(panel.title)}</h3>{''.join(_inside(panel, key, nothing))}</article>"
    )


def _inside(panel: Drawn, key: str, nothing: str) -> Iterator[str]:
    if panel.number:
        number = escape(panel.number.text)
        yield f'<p class="number" style="color:{panel.number.colour}">{number}</p>'
    elif panel.rows:
        head = "".join(f"<th>{escape(title)}</th>" for title in panel.head)
        yield f'<div class="rows"><table><thead><tr>{head}</tr></thead><tbody>'
        for row in panel.rows:
            yield f"<tr>{''.join(map(_cell, row))}</tr>"
        yield "</tbody></table></div>"
    elif panel.figure:
        yield f'<div class="figure" id="{escape(key)}"></div>'
    else:
        yield f'<p class="nothing">{escape(nothing)}</p>'


def _cell(cell: Cell) -> str:
    style = f' style="background:{cell.colour}"' if cell.colour else ""
    return f"<td{style}>{escape(cell.text)}</td>"
