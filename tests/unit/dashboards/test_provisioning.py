"""The provisioning files against models of their form, which take no field that Grafana doesn't.

Written after Grafana's documentation of file provisioning.
"""

import re
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

from dashboards.influxql import SOURCE_UID
from dashboards.look import look_of
from dashboards.tree import dashboards, tree

ENVIRONMENT = {
    "PREAU_INFLUX_URL",
    "PREAU_INFLUX_DATABASE",
    "PREAU_INFLUX_TOKEN",
    "PREAU_INFLUX_USER",
    "PREAU_INFLUX_PASSWORD",
    "PREAU_ALERT_EMAIL",
}
Uid = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$")]
Duration = Annotated[str, Field(pattern=r"^\d+[smhdw]$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Source(Strict):
    name: str
    uid: Uid
    type: Literal["influxdb"]
    access: Literal["proxy"]
    url: str
    isDefault: bool
    editable: bool
    user: str | None = None
    jsonData: dict[str, str]
    secureJsonData: dict[str, str]


class Sources(Strict):
    apiVersion: Literal[1]
    prune: bool
    datasources: list[Source]


class Provider(Strict):
    name: str
    orgId: int
    folder: str
    folderUid: Uid
    type: Literal["file"]
    disableDeletion: bool
    allowUiUpdates: bool
    updateIntervalSeconds: int
    options: dict[Literal["path"], str]


class Providers(Strict):
    apiVersion: Literal[1]
    providers: list[Provider]


class Range(Strict):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)
    since: int = Field(alias="from")
    to: int


class Query(Strict):
    refId: str
    datasourceUid: str
    relativeTimeRange: Range | None = None
    model: dict[str, Any]


class Rule(Strict):
    uid: Uid
    title: str
    condition: str
    data: list[Query]
    noDataState: Literal["OK", "Alerting", "NoData", "KeepLast"]
    execErrState: Literal["OK", "Alerting", "Error", "KeepLast"]
    lasting: Duration = Field(alias="for")
    annotations: dict[str, str]
    labels: dict[str, str]
    dashboardUid: Uid
    panelId: int


class Group(Strict):
    orgId: int
    name: str
    folder: str
    interval: Duration
    rules: list[Rule]


class Rules(Strict):
    apiVersion: Literal[1]
    groups: list[Group]


class Receiver(Strict):
    uid: Uid
    type: Literal["email"]
    settings: dict[str, Any]
    disableResolveMessage: bool


class ContactPoint(Strict):
    orgId: int
    name: str
    receivers: list[Receiver]


class ContactPoints(Strict):
    apiVersion: Literal[1]
    contactPoints: list[ContactPoint]


class Route(Strict):
    receiver: str
    # Lists of three in YAML.
    object_matchers: list[
        Annotated[tuple[str, Literal["=", "!=", "=~", "!~"], str], Field(strict=False)]
    ]
    group_wait: Duration
    group_interval: Duration
    repeat_interval: Duration


class Policy(Strict):
    orgId: int
    receiver: str
    group_by: list[str]
    group_wait: Duration
    group_interval: Duration
    repeat_interval: Duration
    routes: list[Route]


class Policies(Strict):
    apiVersion: Literal[1]
    policies: list[Policy]


each_language = pytest.mark.parametrize("language", ["fr", "en"])


def text_of(name: str, language: str = "fr", api="v2") -> str:
    return tree(look_of(language), api)[f"provisioning/{name}.yaml"].decode()


def read(name: str, language: str = "fr", api="v2") -> Any:
    return yaml.safe_load(text_of(name, language, api))


@pytest.mark.parametrize(("api", "secrets"), [("v2", {"httpHeaderValue1"}), ("v1", {"password"})])
def test_the_data_source(api: str, secrets: set[str]):
    (source,) = Sources.model_validate(read("datasources/preau", api=api)).datasources
    assert source.uid == SOURCE_UID
    assert source.jsonData["version"] == "InfluxQL"
    assert source.jsonData["httpMode"] == "POST"
    assert source.secureJsonData.keys() == secrets
    # Nothing secret stands in the file: what is there is the name of a variable.
    assert all("$PREAU_INFLUX_" in value for value in source.secureJsonData.values())


@each_language
def test_where_the_dashboards_lie(language: str):
    (provider,) = Providers.model_validate(read("dashboards/preau", language)).providers
    assert provider.options["path"].startswith("/")


@each_language
def test_the_rules(language: str):
    (group,) = Rules.model_validate(read("alerting/rules", language)).groups
    uids = [rule.uid for rule in group.rules]
    assert len(set(uids)) == len(uids) == 7
    assert len({rule.title for rule in group.rules}) == 7
    panels = {one.uid: one for one in dashboards(look_of(language))}
    for rule in group.rules:
        asked = {query.refId: query for query in rule.data}
        assert rule.condition in asked
        assert asked[rule.condition].model["type"] == "threshold"
        for query in rule.data:
            assert query.model["refId"] == query.refId
            assert query.datasourceUid in {SOURCE_UID, "__expr__"}
            assert query.model["datasource"]["uid"] == query.datasourceUid
            # An expression names another query; the one to the database has a period.
            assert query.model.get("expression", "A") in asked
            assert (query.datasourceUid == SOURCE_UID) == (query.relativeTimeRange is not None)
        numbers = {panel.id_val for panel in panels[rule.dashboardUid].panels}
        assert rule.panelId in numbers


@each_language
def test_no_dollar_stands_in_a_rule(language: str):
    """Neither a template variable, which rules don't know, nor what provisioning would fill in."""
    assert "$" not in text_of("alerting/rules", language)


@each_language
def test_what_is_filled_in_is_named(language: str):
    for name in tree(look_of(language)):
        if name.startswith("provisioning/"):
            text = text_of(name.removeprefix("provisioning/").removesuffix(".yaml"), language)
            names = set(re.findall(r"\$(\w*)", text))
            assert names <= ENVIRONMENT, name


@each_language
def test_whom_to_tell(language: str):
    (point,) = ContactPoints.model_validate(read("alerting/contact-points", language)).contactPoints
    (policy,) = Policies.model_validate(read("alerting/policies", language)).policies
    assert policy.receiver == point.name
    assert {route.receiver for route in policy.routes} == {point.name}
    (group,) = Rules.model_validate(read("alerting/rules", language)).groups
    severities = {rule.labels["severity"] for rule in group.rules}
    for route in policy.routes:
        for label, _, value in route.object_matchers:
            assert label == "severity"
            assert value in severities


def test_the_models_refuse_what_grafana_does_not_know():
    """Otherwise the tests above would show nothing."""
    content = read("alerting/rules")
    content["groups"][0]["rules"][0]["folderUID"] = "preau"
    with pytest.raises(ValueError, match="folderUID"):
        Rules.model_validate(content)
