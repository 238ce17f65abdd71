"""*Ville*: every site and room now, the worst first, and who is silent."""

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.models import dashboard

from dashboards import defaults, frame, queries
from dashboards.defaults import Column, Look
from dashboards.influxql import InfluxQL

_NOW = "2h"


def build(look: Look) -> dashboard.Dashboard:
    """The dashboard."""
    return frame.framed(
        look,
        frame.TOWN,
        rooms(look),
        stuffy(look),
        cold(look),
        silent(look),
        air(look),
        warmth(look),
        silent_nodes(look),
        sites_temperature(look),
        sites_co2(look),
    )


def rooms(look: Look) -> stat.Panel:
    """How many rooms are measured."""
    return defaults.stat(look, "ville.rooms", queries.ROOMS_MEASURED, "none").time_from(_NOW)


def stuffy(look: Look) -> stat.Panel:
    """How many rooms have too little fresh air."""
    query = queries.rooms_above(defaults.CO2_INSUFFICIENT_PPM)
    return defaults.stat(look, "ville.stuffy", query, "none", defaults.NONE_IS_GOOD).time_from(_NOW)


def cold(look: Look) -> stat.Panel:
    """How many rooms are cold."""
    query = queries.rooms_below(defaults.COLD_C)
    limits = ((None, defaults.GREEN), (1, defaults.BLUE))
    return defaults.stat(look, "ville.cold", query, "none", limits).time_from(_NOW)


def silent(look: Look) -> stat.Panel:
    """How many nodes are silent."""
    query = queries.count_of_silent_nodes(defaults.SILENT_CADENCES)
    return defaults.stat(look, "ville.silent", query, "none", defaults.NONE_IS_GOOD).time_from(_NOW)


def air(look: Look) -> tables.Panel:
    """Rooms by CO2, the most first."""
    columns = (
        *places(look),
        Column("co2", "ppm", defaults.CO2, "down", 0),
        Column("temperature", "celsius", defaults.TEMPERATURE, decimals=1),
        Column("humidity", "humidity", decimals=0),
    )
    return defaults.table(look, "ville.air", queries.ROOMS_NOW, columns).time_from(_NOW)


def warmth(look: Look) -> tables.Panel:
    """Rooms by temperature, the coldest first."""
    columns = (
        *places(look),
        Column("temperature", "celsius", defaults.TEMPERATURE, "up", 1),
        Column("co2", "ppm", defaults.CO2, decimals=0),
        Column("humidity", "humidity", decimals=0),
    )
    return defaults.table(look, "ville.warmth", queries.ROOMS_NOW, columns).time_from(_NOW)


def silent_nodes(look: Look) -> tables.Panel:
    """Nodes that say nothing, the longest first."""
    columns = (
        *places(look),
        Column("node", link=frame.node_link(look, site=frame.cell(look, "site"))),
        Column("silence", "none", defaults.SILENCE, "down", 1),
    )
    query = queries.silent_nodes(defaults.SILENT_CADENCES)
    return defaults.table(look, "ville.silent_nodes", query, columns).time_from(_NOW)


def sites_temperature(look: Look) -> timeseries.Panel:
    """The mean of each site."""
    query = InfluxQL(queries.SITES_TEMPERATURE, alias="$tag_site")
    return defaults.curves(look, "ville.sites_temperature", "celsius", query, width=6)


def sites_co2(look: Look) -> timeseries.Panel:
    """The stuffiest room of each site."""
    query = InfluxQL(queries.SITES_CO2, alias="$tag_site")
    panel = defaults.curves(look, "ville.sites_co2", "ppm", query, limits=defaults.CO2, width=6)
    return defaults.banded(panel)


def places(look: Look) -> tuple[Column, Column, Column]:
    """Where a row belongs, with links to it."""
    return (
        Column("site", link=frame.site_link(look)),
        Column("building"),
        Column("room", link=frame.room_link(look)),
    )
