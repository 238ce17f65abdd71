"""*Service*: the gateway itself, from what it writes as `gateway_health`."""

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import common, dashboard

from dashboards import defaults, frame, queries
from dashboards.defaults import Look
from dashboards.influxql import InfluxQL

_GATEWAY = "$tag_gateway"
_FORWARDER = "$tag_gateway → $tag_forwarder"
_SLOW = ((None, defaults.GREEN), (0.1, defaults.ORANGE), (1, defaults.RED))


def build(look: Look) -> dashboard.Dashboard:
    """The dashboard."""
    return frame.framed(
        look,
        frame.SERVICE,
        rate(look),
        commit(look),
        lag(look),
        refused(look),
        letters(look),
        online(look),
        broker(look),
        disk(look),
    )


def rate(look: Look) -> timeseries.Panel:
    """Packs and readings a second."""
    found = (
        InfluxQL(
            queries.per_second(name), alias=f"{_GATEWAY} · {look.texts(f'service.rate.{name}')}"
        )
        for name in ("packs", "readings")
    )
    return defaults.curves(look, "service.rate", "cps", *found)


def commit(look: Look) -> timeseries.Panel:
    """From a batch to its fsync."""
    query = InfluxQL(queries.COMMIT_TIME, alias=_GATEWAY)
    return defaults.banded(defaults.curves(look, "service.commit", "s", query, limits=_SLOW))


def lag(look: Look) -> timeseries.Panel:
    """What waits for each InfluxDB."""
    query = InfluxQL(queries.forwarder_curve("waiting_packs"), alias=_FORWARDER)
    return defaults.curves(look, "service.lag", "none", query)


def refused(look: Look) -> timeseries.Panel:
    """What an InfluxDB did not take."""
    query = InfluxQL(queries.forwarder_curve("refused_points"), alias=_FORWARDER)
    return defaults.curves(look, "service.refused", "none", query)


def letters(look: Look) -> timeseries.Panel:
    """Dead letters and repeats, as bars, when they came."""
    dead, repeats = look.texts("service.letters.dead"), look.texts("service.letters.repeats")
    panel = defaults.curves(
        look,
        "service.letters",
        "none",
        InfluxQL(queries.growth("dead_letters"), alias=f"{_GATEWAY} · {dead}"),
        InfluxQL(queries.growth("repeats"), alias=f"{_GATEWAY} · {repeats}"),
    )
    return panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(80)


def online(look: Look) -> timeseries.Panel:
    """Nodes that say that they are there."""
    query = InfluxQL(queries.gateway_curve("nodes_online"), alias=_GATEWAY)
    return defaults.curves(look, "service.online", "none", query)


def broker(look: Look) -> timeseries.Panel:
    """How often the connection was made anew."""
    query = InfluxQL(queries.gateway_curve("mqtt_reconnects"), alias=_GATEWAY)
    return defaults.curves(look, "service.broker", "none", query)


def disk(look: Look) -> timeseries.Panel:
    """For the store."""
    query = InfluxQL(queries.gateway_curve("room_bytes"), alias=_GATEWAY)
    return defaults.curves(look, "service.disk", "bytes", query)
