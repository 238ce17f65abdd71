"""*Salle*: one room from now to a year, and which node measures there."""

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.models import dashboard

from dashboards import defaults, frame, queries
from dashboards.defaults import Look
from dashboards.influxql import InfluxQL
from dashboards.nodes import node_columns

_PROBE = "$tag_node · $tag_channel"


def build(look: Look) -> dashboard.Dashboard:
    """The dashboard."""
    return frame.framed(
        look,
        frame.ROOM,
        temperature_now(look),
        co2_now(look),
        humidity_now(look),
        temperature(look),
        co2(look),
        humidity(look),
        nodes(look),
        year(look),
        variables=("site", "building", "room"),
    )


def temperature_now(look: Look) -> stat.Panel:
    """The last temperature."""
    query = queries.room_now("temperature")
    return defaults.stat(
        look, "salle.temperature_now", query, "celsius", defaults.TEMPERATURE, width=8
    ).decimals(1)


def co2_now(look: Look) -> stat.Panel:
    """The last CO2."""
    query = queries.room_now("co2")
    return defaults.stat(look, "salle.co2_now", query, "ppm", defaults.CO2, width=8)


def humidity_now(look: Look) -> stat.Panel:
    """The last humidity."""
    query = queries.room_now("humidity")
    return defaults.stat(
        look, "salle.humidity_now", query, "humidity", defaults.HUMIDITY, width=8
    ).decimals(0)


def temperature(look: Look) -> timeseries.Panel:
    """A line a node and channel."""
    query = InfluxQL(queries.room_curve("temperature"), alias=_PROBE)
    return defaults.curves(look, "salle.temperature", "celsius", query)


def co2(look: Look) -> timeseries.Panel:
    """A line a node, with the limits of the French rules."""
    query = InfluxQL(queries.room_curve("co2"), alias=_PROBE)
    return defaults.banded(defaults.curves(look, "salle.co2", "ppm", query, limits=defaults.CO2))


def humidity(look: Look) -> timeseries.Panel:
    """A line a node."""
    query = InfluxQL(queries.room_curve("humidity"), alias=_PROBE)
    return defaults.curves(look, "salle.humidity", "humidity", query)


def nodes(look: Look) -> tables.Panel:
    """Who measures here."""
    return defaults.table(look, "salle.nodes", queries.ROOM_NODES, node_columns(look))


def year(look: Look) -> timeseries.Panel:
    """Mean, least and most of each day."""
    query = InfluxQL(queries.room_year(look.time_zone), alias="$col")
    panel = defaults.curves(look, "salle.year", "celsius", query, width=24)
    for name, color in (("mean", defaults.GREEN), ("min", defaults.BLUE), ("max", defaults.RED)):
        fixed = dashboard.FieldColor(mode=dashboard.FieldColorModeId.FIXED, fixed_color=color)
        panel.override_by_name(
            name,
            [
                dashboard.DynamicConfigValue(id_val="color", value=fixed),
                dashboard.DynamicConfigValue(
                    id_val="displayName", value=look.texts(f"word.{name}")
                ),
            ],
        )
    return panel.time_from("1y").span_nulls(3 * 86_400_000)
