"""*Parc de capteurs*: battery, signal, outbox, firmware, silence and restarts of the nodes."""

from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import common, dashboard

from dashboards import defaults, frame, queries
from dashboards.defaults import Column, Look
from dashboards.influxql import InfluxQL
from dashboards.town import places

_NODE = "$tag_node"
_SIGNAL = ((None, defaults.RED), (-80, defaults.ORANGE), (-67, defaults.GREEN))


def build(look: Look) -> dashboard.Dashboard:
    """The dashboard."""
    return frame.framed(
        look,
        frame.NODES,
        nodes(look),
        battery(look),
        signal(look),
        outbox(look),
        silence(look),
        reboots(look),
        variables=("site", "node"),
    )


def node_columns(look: Look) -> tuple[Column, ...]:
    """What is known of a node, the longest silent first."""
    return (
        Column("node", link=frame.node_link(look)),
        Column("silence", "none", defaults.SILENCE, "down", 1),
        Column("online", is_yes_or_no=True),
        Column("firmware"),
        Column("boots", "none", decimals=0),
    )


def nodes(look: Look) -> tables.Panel:
    """Every node that was chosen."""
    columns = (*places(look), *node_columns(look))
    return defaults.table(look, "parc.nodes", queries.NODES_NOW, columns, width=24)


def battery(look: Look) -> timeseries.Panel:
    """Its voltage."""
    query = InfluxQL(queries.node_curve("battery"), alias=_NODE)
    panel = defaults.curves(look, "parc.battery", "volt", query, limits=defaults.BATTERY)
    return defaults.banded(panel)


def signal(look: Look) -> timeseries.Panel:
    """Of the Wi-Fi."""
    query = InfluxQL(queries.node_curve("rssi"), alias=_NODE)
    return defaults.banded(defaults.curves(look, "parc.signal", "dBm", query, limits=_SIGNAL))


def outbox(look: Look) -> timeseries.Panel:
    """What nodes still hold."""
    query = InfluxQL(queries.node_curve("outbox"), alias=_NODE)
    return defaults.curves(look, "parc.outbox", "none", query)


def silence(look: Look) -> timeseries.Panel:
    """In cadences."""
    query = InfluxQL(queries.NODES_SILENCE, alias=_NODE)
    return defaults.banded(
        defaults.curves(look, "parc.silence", "none", query, limits=defaults.SILENCE)
    )


def reboots(look: Look) -> timeseries.Panel:
    """As bars, when they happened."""
    query = InfluxQL(queries.NODES_REBOOTS, alias=_NODE)
    panel = defaults.curves(look, "parc.reboots", "none", query, width=24)
    return panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(80)
