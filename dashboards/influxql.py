"""One InfluxQL query of a panel, which the SDK has no builder for."""

from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.cog import runtime, variants
from grafana_foundation_sdk.models import common

SOURCE_TYPE: Final = "influxdb"
SOURCE_UID: Final = "preau-influxdb"

Format = Literal["time_series", "table"]


def source() -> common.DataSourceRef:
    """The data source of every query."""
    return common.DataSourceRef(type_val=SOURCE_TYPE, uid=SOURCE_UID)


@dataclass
class InfluxQL(variants.Dataquery, cog.Builder["InfluxQL"]):
    """A query as Grafana's InfluxDB data source keeps it."""

    text: str
    result: Format = "time_series"
    alias: str = ""
    """How a series is called; `$tag_room` is the value of that tag."""
    ref_id: str = "A"

    def build(self) -> "InfluxQL":
        """Itself: it is both builder and query."""
        return self

    def to_json(self) -> dict[str, object]:
        """As it stands in a dashboard."""
        return {
            "alias": self.alias,
            "datasource": source(),
            "query": self.text,
            "rawQuery": True,
            "refId": self.ref_id,
            "resultFormat": self.result,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The query that `to_json` wrote."""
        return cls(data["query"], data["resultFormat"], data["alias"], data["refId"])


def register() -> None:
    """Let the SDK read such queries in a dashboard."""
    runtime.register_dataquery_variant(
        runtime.DataqueryConfig(identifier=SOURCE_TYPE, from_json_hook=InfluxQL.from_json)
    )
