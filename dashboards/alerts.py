"""Alert rules: a question about the last minutes, and from which value on the answer fires.

Built with the SDK's models, which speak Grafana's HTTP interface; `dashboards.provisioning` turns
them into the form of its files. No `$` stands anywhere: see `dashboards.queries`.
"""

from dataclasses import dataclass
from typing import Final, Literal

from grafana_foundation_sdk.models import alerting, common, expr

from dashboards import defaults, frame, queries
from dashboards.defaults import Look
from dashboards.influxql import SOURCE_UID, InfluxQL

GROUP: Final = "preau"
EVERY: Final = "1m"
_EXPRESSION: Final = "__expr__"
_NODE: Final = ("site", "room", "node")

NoData = Literal["OK", "Alerting", "NoData", "KeepLast"]


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule: fires where the last value of a series is beyond `limit` for so long."""

    key: str
    query: str
    above: bool
    limit: float
    lasting: str
    severity: Literal["critical", "warning"]
    dashboard: str
    where: tuple[str, ...] = _NODE
    """Tags of the query that tell which one it is."""
    since_s: int = 3600
    """How far back the question goes, for Grafana's own display."""
    without_data: NoData = "OK"


RULES: Final = (
    AlertRule(
        "frost_warning",
        queries.lately("temperature", 60),
        above=False,
        limit=defaults.FROST_WARNING_C,
        lasting="15m",
        severity="warning",
        dashboard=frame.ROOM,
    ),
    AlertRule(
        "frost_critical",
        queries.lately("temperature", 60),
        above=False,
        limit=defaults.FROST_CRITICAL_C,
        lasting="5m",
        severity="critical",
        dashboard=frame.ROOM,
    ),
    AlertRule(
        "stuffy",
        queries.lately("co2", 30),
        above=True,
        limit=defaults.CO2_INSUFFICIENT_PPM,
        lasting="20m",
        severity="warning",
        dashboard=frame.ROOM,
        since_s=1800,
    ),
    AlertRule(
        "silent",
        queries.SILENCE_LATELY,
        above=True,
        limit=defaults.SILENT_CADENCES,
        lasting="5m",
        severity="warning",
        dashboard=frame.NODES,
        since_s=600,
        # The gateway writes of every node each minute: nothing at all is the gateway's own silence.
        without_data="Alerting",
    ),
    AlertRule(
        "battery",
        queries.lately("battery", 24 * 60, "node_health"),
        above=False,
        limit=defaults.BATTERY_LOW_V,
        lasting="1h",
        severity="warning",
        dashboard=frame.NODES,
        since_s=86_400,
    ),
    AlertRule(
        "behind",
        queries.BEHIND_LATELY,
        above=True,
        limit=5000,
        lasting="15m",
        severity="warning",
        dashboard=frame.SERVICE,
        where=("gateway", "forwarder"),
        since_s=600,
    ),
    AlertRule(
        "letters",
        queries.DEAD_LETTERS_LATELY,
        above=True,
        limit=0,
        lasting="0s",
        severity="warning",
        dashboard=frame.SERVICE,
        where=("gateway",),
    ),
)


def rule_of(look: Look, rule: AlertRule) -> alerting.Rule:
    """The rule as the SDK has it: A asks, B takes the last value, C compares."""
    text = look.texts
    # The way of Grafana's templates that needs no `$`.
    where = " ".join(f"{{{{ .Labels.{label} }}}}" for label in rule.where)
    return alerting.Rule(
        uid=f"preau-{rule.key.replace('_', '-')}",
        title=text(f"alert.{rule.key}.title"),
        condition="C",
        data=[_asked(rule), _reduced(), _compared(rule)],
        for_val=rule.lasting,
        exec_err_state="Error",
        no_data_state=rule.without_data,
        annotations={
            "summary": f"{text(f'alert.{rule.key}.summary')} – {where}",
            "description": text(f"alert.{rule.key}.description"),
            "__dashboardUid__": rule.dashboard,
            "__panelId__": "1",
        },
        labels={"severity": rule.severity, "source": "preau"},
        folder_uid=frame.TAG,
        rule_group=GROUP,
        org_id=1,
    )


def _asked(rule: AlertRule) -> alerting.Query:
    return alerting.Query(
        ref_id="A",
        datasource_uid=SOURCE_UID,
        model=InfluxQL(rule.query),
        # Of this class the makers' own type is a count of nanoseconds; Grafana takes seconds.
        relative_time_range=alerting.RelativeTimeRange(rule.since_s, 0),
    )


def _reduced() -> alerting.Query:
    model = expr.TypeReduce(
        ref_id="B", expression="A", reducer="last", datasource=_expression_source()
    )
    return alerting.Query(ref_id="B", datasource_uid=_EXPRESSION, model=model)


def _compared(rule: AlertRule) -> alerting.Query:
    evaluator = expr.ExprTypeThresholdConditionsEvaluator(
        params=[rule.limit], type_val="gt" if rule.above else "lt"
    )
    model = expr.TypeThreshold(
        ref_id="C",
        expression="B",
        conditions=[expr.ExprTypeThresholdConditions(evaluator=evaluator)],
        datasource=_expression_source(),
    )
    return alerting.Query(ref_id="C", datasource_uid=_EXPRESSION, model=model)


def _expression_source() -> common.DataSourceRef:
    return common.DataSourceRef(type_val=_EXPRESSION, uid=_EXPRESSION)
