"""What dashboards have in common: their names, what a reader may choose, links between them."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.models import dashboard

from dashboards import queries
from dashboards.defaults import Look
from dashboards.influxql import source

TAG: Final = "preau"
TOWN: Final = "preau-ville"
SITE: Final = "preau-site"
ROOM: Final = "preau-salle"
NODES: Final = "preau-parc"
SERVICE: Final = "preau-service"

_VARIABLES: Final = {
    "site": queries.SITES,
    "building": queries.BUILDINGS,
    "room": queries.ROOMS,
    "node": queries.NODES,
}

Panel = cog.Builder[dashboard.Panel]


def framed(
    look: Look, uid: str, *panels: Panel, variables: tuple[str, ...] = (), since: str = "now-24h"
) -> dashboard.Dashboard:
    """A dashboard of these panels from left to right, each row as high as its highest."""
    key = uid.removeprefix("preau-")
    made = (
        build.Dashboard(look.texts(f"{key}.title"))
        .uid(uid)
        .description(look.texts(f"{key}.description"))
        .tags([TAG])
        .timezone(look.time_zone)
        .week_start("monday")
        .time(since, "now")
        .refresh("1m")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(_to_the_others(look))
    )
    for name in variables:
        made.with_variable(_variable(look, name))
    for panel in panels:
        made.with_panel(panel)
    finished = made.build()
    for number, panel_made in enumerate(finished.panels or (), 1):
        if isinstance(panel_made, dashboard.Panel):
            panel_made.id_val = number
    return finished


def _to_the_others(look: Look) -> build.DashboardLink:
    link = build.DashboardLink(look.texts("folder.title"))
    link.type(dashboard.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.include_vars(include_vars=True).keep_time(keep_time=True)


def _variable(look: Look, name: str) -> build.QueryVariable:
    """One of what InfluxDB knows. Of buildings and nodes all may be chosen."""
    found = (
        build.QueryVariable(name)
        .label(look.texts(f"variable.{name}"))
        .datasource(source())
        .query(_VARIABLES[name])
        .definition(_VARIABLES[name])
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )
    if name not in {"building", "node"}:
        return found
    everything = look.texts("variable.all")
    chosen = dashboard.VariableOption(selected=True, text=everything, value="$__all")
    found.current(chosen).include_all(include_all=True).all_value(".*")
    return found.multi(multi=name == "node")


def room_link(look: Look) -> str:
    """The address of the room in whose row it stands."""
    chosen = (f"var-{name}={cell(look, name)}" for name in ("site", "building", "room"))
    return f"/d/{ROOM}?{'&'.join(chosen)}&${{__url_time_range}}"


def site_link(look: Look) -> str:
    """The address of the site in whose row it stands."""
    return f"/d/{SITE}?var-site={cell(look, 'site')}&${{__url_time_range}}"


def node_link(look: Look, site: str = "${site}") -> str:
    """The address of the node in whose row it stands; its site is the one chosen, or given."""
    return f"/d/{NODES}?var-site={site}&var-node={cell(look, 'node')}&${{__url_time_range}}"


def cell(look: Look, name: str) -> str:
    """The value in a column of the row in which a link stands."""
    return f'${{__data.fields["{look.texts(f"column.{name}")}"]:percentencode}}'
