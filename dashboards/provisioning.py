"""The files by which a Grafana finds data source, dashboards, alert rules and whom to tell.

Each function returns what stands in one YAML file; `dashboards.tree` writes them. Grafana fills
`$NAME` in from its environment when it reads them.
"""

import json
from typing import Any, Final, Literal

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import alerting

from dashboards import alerts, frame
from dashboards.defaults import Look
from dashboards.influxql import SOURCE_TYPE, SOURCE_UID

DASHBOARDS_FOLDER: Final = "/var/lib/grafana/dashboards"
"""Where a Grafana looks for the dashboards, unless `PREAU_DASHBOARDS` says otherwise."""
CONTACT: Final = "preau"

Api = Literal["v1", "v2"]


def data_source(api: Api) -> dict[str, Any]:
    """InfluxDB, asked in InfluxQL. v2 gets a token in a header, v1 user name and password."""
    source: dict[str, Any] = {
        "name": "Préau",
        "uid": SOURCE_UID,
        "type": SOURCE_TYPE,
        "access": "proxy",
        "url": "$PREAU_INFLUX_URL",
        "isDefault": True,
        "editable": False,
        "jsonData": {
            "version": "InfluxQL",
            "dbName": "$PREAU_INFLUX_DATABASE",
            "httpMode": "POST",
            "timeInterval": "1m",
        },
    }
    if api == "v2":
        source["jsonData"]["httpHeaderName1"] = "Authorization"
        source["secureJsonData"] = {"httpHeaderValue1": "Token $PREAU_INFLUX_TOKEN"}
    else:
        source["user"] = "$PREAU_INFLUX_USER"
        source["secureJsonData"] = {"password": "$PREAU_INFLUX_PASSWORD"}
    return {"apiVersion": 1, "prune": False, "datasources": [source]}


def providers(look: Look) -> dict[str, Any]:
    """The folder of dashboards that Grafana reads, and reads again when a file has changed."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "preau",
                "orgId": 1,
                "folder": look.texts("folder.title"),
                "folderUid": frame.TAG,
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 60,
                "options": {"path": DASHBOARDS_FOLDER},
            }
        ],
    }


def rules(look: Look) -> dict[str, Any]:
    """The alert rules, in one group."""
    made = [_in_a_file(alerts.rule_of(look, rule)) for rule in alerts.RULES]
    group = {
        "orgId": 1,
        "name": alerts.GROUP,
        "folder": look.texts("folder.alerts"),
        "interval": alerts.EVERY,
        "rules": made,
    }
    return {"apiVersion": 1, "groups": [group]}


def contact_points(look: Look) -> dict[str, Any]:
    """Whom to tell: by mail, through the SMTP server that Grafana is configured for."""
    receiver = {
        "uid": "preau-mail",
        "type": "email",
        "settings": {"addresses": "$PREAU_ALERT_EMAIL", "singleEmail": True},
        "disableResolveMessage": False,
    }
    name = look.texts("alert.contact")
    return {
        "apiVersion": 1,
        "contactPoints": [{"orgId": 1, "name": name, "receivers": [receiver]}],
    }


def policies(look: Look) -> dict[str, Any]:
    """What goes to whom, and how often again. It replaces the organisation's whole tree."""
    name = look.texts("alert.contact")
    urgent = {
        "receiver": name,
        "object_matchers": [["severity", "=", "critical"]],
        "group_wait": "0s",
        "group_interval": "5m",
        "repeat_interval": "2h",
    }
    tree = {
        "orgId": 1,
        "receiver": name,
        "group_by": ["alertname", "site"],
        "group_wait": "1m",
        "group_interval": "10m",
        "repeat_interval": "24h",
        "routes": [urgent],
    }
    return {"apiVersion": 1, "policies": [tree]}


def _in_a_file(rule: alerting.Rule) -> dict[str, Any]:
    """The SDK's rule in the form of Grafana's files, where group and folder stand above it."""
    of_http: dict[str, Any] = json.loads(json.dumps(rule, cls=JSONEncoder))
    for above in ("folderUID", "orgID", "ruleGroup"):
        del of_http[above]
    annotations = of_http["annotations"]
    of_http["dashboardUid"] = annotations.pop("__dashboardUid__")
    of_http["panelId"] = int(annotations.pop("__panelId__"))
    return of_http
