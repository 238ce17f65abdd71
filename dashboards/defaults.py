"""What panels have in common: colours, limits, units, and how each kind is drawn by default.

The colours are those of Okabe and Ito (2008), which the colour-blind tell apart; beside them stands
always a second cue: the number itself, its place in the order, a line of the limit.
"""

from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build_dashboard
from grafana_foundation_sdk.builders import stat as build_stat
from grafana_foundation_sdk.builders import statushistory as build_grid
from grafana_foundation_sdk.builders import table as build_table
from grafana_foundation_sdk.builders import timeseries as build_curves
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.models import common, dashboard

from dashboards.influxql import InfluxQL, source
from dashboards.texts import Texts

BLUE: Final = "#0072B2"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
RED: Final = "#D55E00"
GREY: Final = "#999999"

CO2_ATTENTION_PPM: Final = 800
CO2_INSUFFICIENT_PPM: Final = 1500
COLD_C: Final = 16
HOT_C: Final = 26
VERY_HOT_C: Final = 28
FROST_WARNING_C: Final = 8
FROST_CRITICAL_C: Final = 5
SILENT_CADENCES: Final = 3
# A lithium cell of 3.7 V: at 3.5 V about a tenth of its charge is left, below 3.3 V it dies soon.
BATTERY_LOW_V: Final = 3.5
BATTERY_EMPTY_V: Final = 3.3

TEMPERATURE: Final = ((None, BLUE), (COLD_C, GREEN), (HOT_C, ORANGE), (VERY_HOT_C, RED))
CO2: Final = ((None, GREEN), (CO2_ATTENTION_PPM, ORANGE), (CO2_INSUFFICIENT_PPM, RED))
WEEK_TEMPERATURE: Final = (
    (None, BLUE),
    (COLD_C, "#56B4E9"),
    (18, GREEN),
    (22, "#F0E442"),
    (HOT_C, ORANGE),
    (VERY_HOT_C, RED),
)
HUMIDITY: Final = ((None, BLUE), (30, GREEN), (70, ORANGE))
SILENCE: Final = ((None, GREEN), (SILENT_CADENCES, RED))
BATTERY: Final = ((None, RED), (BATTERY_EMPTY_V, ORANGE), (BATTERY_LOW_V, GREEN))
NONE_IS_GOOD: Final = ((None, GREEN), (1, RED))
NEUTRAL: Final = ((None, BLUE),)

Limits = tuple[tuple[float | None, str], ...]
"""From which value on which colour; the first from the least on."""

# The schema of both SDK and Grafana gives a week's grid no other way to leave gaps.
_WHOLE_WIDTH: Final = 24


@dataclass(frozen=True, slots=True)
class Look:
    """In which language, and in which time zone a day begins."""

    texts: Texts
    time_zone: str = "Europe/Paris"


class _Panel(Protocol):
    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: common.DataSourceRef) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...
    def thresholds(self, thresholds: cog.Builder[dashboard.ThresholdsConfig]) -> Self: ...


P = TypeVar("P", bound=_Panel)


def thresholds(limits: Limits) -> build_dashboard.ThresholdsConfig:
    """The limits as Grafana has them."""
    steps = [dashboard.Threshold(value=value, color=color) for value, color in limits]
    absolute = dashboard.ThresholdsMode.ABSOLUTE
    return build_dashboard.ThresholdsConfig().mode(absolute).steps(steps)


def _dressed(panel: P, look: Look, key: str, unit: str, limits: Limits) -> P:
    return (
        panel.title(look.texts(f"{key}.title"))
        .description(look.texts(f"{key}.description"))
        .datasource(source())
        .unit(unit)
        .thresholds(thresholds(limits))
    )


def _by_limits() -> build_dashboard.FieldColor:
    return build_dashboard.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)


def stat(
    look: Look, key: str, query: str, unit: str, limits: Limits = NEUTRAL, *, width: int = 6
) -> build_stat.Panel:
    """One big number; where a query finds nothing it is a 0."""
    panel = _dressed(build_stat.Panel(), look, key, unit, limits)
    return (
        panel.with_target(InfluxQL(query))
        .span(width)
        .height(4)
        .no_value("0")
        .color_scheme(_by_limits())
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(build_common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def curves(
    look: Look, key: str, unit: str, *queries: InfluxQL, limits: Limits = NEUTRAL, width: int = 12
) -> build_curves.Panel:
    """Lines over time. What was not measured is a gap; a line ends after an hour without value."""
    panel = _dressed(build_curves.Panel(), look, key, unit, limits)
    for place, query in enumerate(queries):
        panel.with_target(InfluxQL(query.text, query.result, query.alias, "ABCDEF"[place]))
    legend = (
        build_common.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
        .calcs(["min", "max", "lastNotNull"])
    )
    tooltip = (
        build_common.VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
    )
    return (
        panel.span(width)
        .height(9)
        .interval("1m")
        .line_width(2)
        .fill_opacity(0)
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(3_600_000)
        .legend(legend)
        .tooltip(tooltip)
    )


def banded(panel: build_curves.Panel) -> build_curves.Panel:
    """The limits as dashed lines with an area."""
    style = build_common.GraphThresholdsStyleConfig()
    return panel.thresholds_style(style.mode(common.GraphThresholdsStyleMode.DASHED_AND_AREA))


def table(
    look: Look, key: str, query: str, columns: "tuple[Column, ...]", *, width: int = 12
) -> build_table.Panel:
    """Rows as the query gives them, with these columns in this order, sorted as they say."""
    panel = _dressed(build_table.Panel(), look, key, "none", NEUTRAL)
    panel.with_target(InfluxQL(query, "table")).span(width).height(9)
    panel.cell_height(common.TableCellHeight.SM)
    for column in columns:
        panel.override_by_name(column.title(look), column.properties(look))
    names = {column.field: column.title(look) for column in columns}
    panel.with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {"Time": True},
                "indexByName": {column.field: place for place, column in enumerate(columns)},
                "renameByName": names,
            },
        )
    )
    for column in columns:
        if column.sorted is not None:
            order = build_common.TableSortByFieldState()
            panel.sort_by([order.display_name(column.title(look)).desc(column.sorted == "down")])
    return panel


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the field of the query, its unit, limits, order and link."""

    field: str
    unit: str = ""
    limits: Limits = ()
    sorted: str | None = None
    """`up` or `down`, of one column."""
    decimals: int | None = None
    is_yes_or_no: bool = False
    link: str = ""
    """An address; `${__data.fields.x}` is the value of the column that is titled x."""

    def title(self, look: Look) -> str:
        """What stands above it."""
        return look.texts(f"column.{self.field}")

    def properties(self, look: Look) -> list[dashboard.DynamicConfigValue]:
        """What Grafana is told of it."""
        found: dict[str, object] = {}
        if self.unit:
            found["unit"] = self.unit
        if self.is_yes_or_no:
            words = (look.texts("word.no"), look.texts("word.yes"))
            options = {
                str(value): dashboard.ValueMappingResult(text=word, index=value)
                for value, word in enumerate(words)
            }
            found["mappings"] = [dashboard.ValueMap(options=options)]
        if self.decimals is not None:
            found["decimals"] = self.decimals
        if self.limits:
            found["thresholds"] = thresholds(self.limits).build()
            found["color"] = _by_limits().build()
            found["custom.cellOptions"] = common.TableColoredBackgroundCellOptions(
                mode=common.TableCellBackgroundDisplayMode.BASIC
            )
        if self.link:
            found["links"] = [{"title": "→ ${__value.text}", "url": self.link}]
        return [dashboard.DynamicConfigValue(id_val=key, value=of) for key, of in found.items()]


def grid(look: Look, key: str, query: InfluxQL, unit: str, limits: Limits) -> build_grid.Panel:
    """A row a series and a cell an hour, over a week."""
    panel = _dressed(build_grid.Panel(), look, key, unit, limits)
    legend = build_common.VizLegendOptions()
    legend.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM)
    return (
        panel.with_target(query)
        .span(_WHOLE_WIDTH)
        .height(9)
        .time_from("7d")
        .max_data_points(24 * 7)
        .color_scheme(_by_limits())
        .show_value(common.VisibilityMode.NEVER)
        .legend(legend.show_legend(show_legend=True))
    )
