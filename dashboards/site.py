"""*Site*: its rooms side by side, and their week hour by hour."""

from grafana_foundation_sdk.builders import statushistory, timeseries
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.models import dashboard

from dashboards import defaults, frame, queries
from dashboards.defaults import Column, Look
from dashboards.influxql import InfluxQL
from dashboards.town import places

_ROOM = "$tag_building · $tag_room"


def build(look: Look) -> dashboard.Dashboard:
    """The dashboard."""
    return frame.framed(
        look,
        frame.SITE,
        rooms(look),
        temperature(look),
        co2(look),
        humidity(look),
        week_co2(look),
        week_temperature(look),
        variables=("site",),
    )


def rooms(look: Look) -> tables.Panel:
    """What each room has now."""
    columns = (
        *places(look),
        Column("co2", "ppm", defaults.CO2, "down", 0),
        Column("temperature", "celsius", defaults.TEMPERATURE, decimals=1),
        Column("humidity", "humidity", defaults.HUMIDITY, decimals=0),
    )
    return defaults.table(look, "site.rooms", queries.SITE_ROOMS_NOW, columns).time_from("2h")


def temperature(look: Look) -> timeseries.Panel:
    """A line a room."""
    query = InfluxQL(queries.SITE_TEMPERATURE, alias=_ROOM)
    return defaults.curves(look, "site.temperature", "celsius", query)


def co2(look: Look) -> timeseries.Panel:
    """A line a room, with the limits."""
    query = InfluxQL(queries.SITE_CO2, alias=_ROOM)
    return defaults.banded(defaults.curves(look, "site.co2", "ppm", query, limits=defaults.CO2))


def humidity(look: Look) -> timeseries.Panel:
    """A line a room."""
    query = InfluxQL(queries.SITE_HUMIDITY, alias=_ROOM)
    return defaults.curves(look, "site.humidity", "humidity", query)


def week_co2(look: Look) -> statushistory.Panel:
    """The most of each hour."""
    query = InfluxQL(queries.site_week("max", "co2"), alias=_ROOM)
    return defaults.grid(look, "site.week_co2", query, "ppm", defaults.CO2)


def week_temperature(look: Look) -> statushistory.Panel:
    """The mean of each hour."""
    query = InfluxQL(queries.site_week("mean", "temperature"), alias=_ROOM)
    return defaults.grid(look, "site.week_temperature", query, "celsius", defaults.WEEK_TEMPERATURE)
