"""Asks an InfluxDB everything that the dashboards ask, and draws the answers."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from grafana_foundation_sdk.models import dashboard

from dashboards.defaults import Look
from dashboards.influxql import register
from dashboards.preview.answers import Ask, answer, choices, panels_of
from dashboards.preview.expand import Window
from dashboards.preview.figure import drawn
from dashboards.preview.page import Sheet, page_of
from dashboards.tree import dashboards
from ingest.errors import ConfigurationError
from ingest.forwarder.query import InfluxQuery


async def preview(
    influx: InfluxQuery, look: Look, now_ms: int, wanted: Mapping[str, str]
) -> tuple[str, list[str]]:
    """(the page, which panels have nothing to show).

    Raises `ConfigurationError` for a database without readings, and what `influx` raises.
    """
    register()
    async with influx:
        sheets = [await _sheet(one, look, now_ms, wanted, influx.ask) for one in dashboards(look)]
    heading = f"{look.texts('folder.title')} – {look.texts('preview.title')}"
    empty = [
        f"{sheet.title} – {panel.title}"
        for sheet in sheets
        for panel in sheet.panels
        if not (panel.number or panel.rows or panel.figure)
    ]
    page = page_of(sheets, heading, look.texts.language, look.texts("preview.nothing"))
    return page, empty


async def _sheet(
    one: dashboard.Dashboard, look: Look, now_ms: int, wanted: Mapping[str, str], ask: Ask
) -> Sheet:
    try:
        chosen = await choices(one, ask, wanted)
    except LookupError as error:
        raise ConfigurationError(
            f"{error.args[0]}: is that the database that the gateway writes to?"
        ) from error
    since = one.time.from_val if one.time else "now-24h"
    zone = ZoneInfo(look.time_zone)
    panels = [
        drawn(panel, await answer(panel, Window.of(panel, since, now_ms), chosen, ask), zone)
        for panel in panels_of(one)
    ]
    everything = look.texts("variable.all")
    shown = " · ".join(
        f"{look.texts(f'variable.{name}')} : {everything if value == '.*' else value}"
        for name, value in chosen.items()
    )
    return Sheet(one.uid or "", one.title or "", shown, panels)
