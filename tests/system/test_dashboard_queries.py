"""Every query of every panel, variable and alert rule, asked of a real InfluxDB 1.6.7.

It holds the demo town, written by the product's own forwarder, and is asked as Grafana asks: a form
posted with `q`, `db` and `epoch=ms`, variables filled in.
"""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from grafana_foundation_sdk.models import dashboard

from dashboards import alerts, queries
from dashboards.look import look_of
from dashboards.preview.answers import answer, choices, panels_of, queries_of
from dashboards.preview.expand import Window, expand
from dashboards.tree import dashboards
from ingest.forwarder.target import Target
from ingest.store.reader import StoreReader
from simulators.town import Town
from tests.influx import influxdb_server
from tests.influx_demo import NOW_MS, fill, silent_node
from tests.servers import running

LOOK = look_of("fr")
PANELS = {
    f"{one.uid} {panel.title}": (one, panel) for one in dashboards(LOOK) for panel in panels_of(one)
}


@dataclass
class Filled:
    """An InfluxDB with the town in it, and the store it came from."""

    port: int
    folder: Path
    town: Town

    def post(self, query: str) -> list[dict]:
        """As Grafana's data source asks."""
        address = urllib.parse.urlencode({"db": "preau", "epoch": "ms"})
        form = urllib.parse.urlencode({"q": query}).encode()
        url = f"http://127.0.0.1:{self.port}/query?{address}"
        with urllib.request.urlopen(url, form, timeout=60) as response:
            (result,) = json.load(response)["results"]
        assert "error" not in result, f"{result}: {query}"
        return result.get("series", [])

    async def ask(self, query: str) -> list[dict]:
        return self.post(query)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("town")
    with running(influxdb_server(folder)) as influx:
        target = Target("town", "v1", f"http://127.0.0.1:{influx.port}", "preau")
        yield Filled(influx.port, folder / "data", fill(folder / "data", target))


@pytest.mark.parametrize("name", PANELS)
async def test_a_panel_has_something_to_show(filled: Filled, name: str):
    one, panel = PANELS[name]
    chosen = await choices(one, filled.ask, {})
    window = Window.of(panel, one.time.from_val, NOW_MS)
    found = await answer(panel, window, chosen, filled.ask)
    assert not found.is_empty
    asked = list(queries_of(panel))
    assert asked, "a panel without a query"
    # Each query for itself, and no column of it without a value.
    for query in asked:
        series = filled.post(expand(query.text, window, chosen))
        assert series, query.text
        columns = {column for part in series for column in part["columns"]}
        for column in columns:
            assert any(
                row[part["columns"].index(column)] is not None
                for part in series
                for row in part["values"]
            ), f"{column} of {query.text}"


@pytest.mark.parametrize(
    "name", [name for name, (_, panel) in PANELS.items() if panel.type_val == "table"]
)
async def test_a_table_has_the_columns_that_it_names(filled: Filled, name: str):
    one, panel = PANELS[name]
    chosen = await choices(one, filled.ask, {})
    found = await answer(panel, Window.of(panel, one.time.from_val, NOW_MS), chosen, filled.ask)
    (organize,) = panel.transformations
    named = set(organize.options["indexByName"])
    assert all(set(row) == named | {"Time"} for row in found.rows)
    titles = {override.matcher.options for override in panel.field_config.overrides}
    assert titles == set(organize.options["renameByName"].values())


@pytest.mark.parametrize("rule", alerts.RULES, ids=lambda rule: rule.key)
def test_an_alert_rule_has_something_to_judge(filled: Filled, rule: alerts.AlertRule):
    series = filled.post(rule.query.replace("now()", f"{NOW_MS}ms"))
    assert series
    for one in series:
        assert set(rule.where) <= set(one["tags"]), "the tags that its words name"
        assert len(one["columns"]) == 2
        assert all(isinstance(row[1], int | float) for row in one["values"])


def fires(filled: Filled, key: str) -> set[str]:
    """The nodes whose last value is beyond the rule's limit."""
    rule = next(rule for rule in alerts.RULES if rule.key == key)
    found = {
        one["tags"].get("node", one["tags"].get("gateway")): one["values"][-1][1]
        for one in filled.post(rule.query.replace("now()", f"{NOW_MS}ms"))
    }
    return {name for name, v in found.items() if (v > rule.limit if rule.above else v < rule.limit)}


def test_alert_rules_single_out_what_is_wrong(filled: Filled):
    assert fires(filled, "silent") == {silent_node(filled.town)}
    assert fires(filled, "letters") == {"passerelle"}
    assert not fires(filled, "frost_critical")
    latest = newest(filled, "co2")
    half_an_hour = NOW_MS - 30 * 60_000
    assert fires(filled, "stuffy") == {
        node for node, (at, value) in latest.items() if value > 1500 and at > half_an_hour
    }


def newest(filled: Filled, quantity: str) -> dict[str, tuple[int, float]]:
    """What the gateway's own pages and API go by."""
    with StoreReader(filled.folder) as reader:
        return {
            series.node: (point.measured_at_ms, point.value)
            for series, point in reader.latest()
            if series.quantity == quantity
        }


async def test_the_rooms_of_the_town_are_those_of_the_api(filled: Filled):
    """The table says of each room what its node measured last, and none is left out."""
    _, panel = PANELS["preau-ville Air : les plus chargées d’abord"]
    window = Window(NOW_MS - 24 * 3_600_000, NOW_MS, "1m")
    found = await answer(panel, window, {}, filled.ask)
    rooms = {f"{row['site']}/{row['room']}": row for row in found.rows}
    for quantity in ("temperature", "co2", "humidity"):
        latest = newest(filled, quantity)
        assert {ref: row[quantity] for ref, row in rooms.items()} == {
            room.ref: pytest.approx(latest[room.node][1]) for room in filled.town.rooms
        }


async def test_a_curve_says_what_the_store_says(filled: Filled):
    """The mean of each step is that of the readings in it."""
    one, _ = PANELS["preau-salle CO₂"]
    panel = next(p for p in panels_of(one) if p.title == "CO₂" and p.type_val == "timeseries")
    room = next(room for room in filled.town.rooms if room.ref == "prevert/cm1")
    chosen = {"site": "prevert", "building": "principal", "room": "cm1"}
    window = Window(NOW_MS - 6 * 3_600_000, NOW_MS, "30m")
    (line,) = (await answer(panel, window, chosen, filled.ask)).lines
    assert line.name == f"{room.node} · main"
    with StoreReader(filled.folder) as reader:
        series = next(s for s in reader.series(room.node) if s.quantity == "co2")
        points = reader.points(series, window.from_ms, window.to_ms + 1, limit=10_000)
    steps: dict[int, list[float]] = {}
    for point in points:
        steps.setdefault(point.measured_at_ms // 1_800_000 * 1_800_000, []).append(point.value)
    assert dict(zip(line.times_ms, line.values, strict=True)) == {
        at: pytest.approx(sum(values) / len(values)) for at, values in steps.items()
    }


async def test_a_sensors_own_error_is_not_shown_as_a_temperature(filled: Filled):
    """Quality 2 is left out of every query that shows a quantity."""
    quantities = ("temperature", "co2", "humidity", "battery", "rssi", "outbox")
    for one, panel in PANELS.values():
        for query in queries_of(panel):
            for quantity in quantities:
                if f'("{quantity}")' in query.text and "FROM (" not in query.text:
                    assert f'"{quantity}_quality" < 2' in query.text, f"{one.uid}: {query.text}"


@pytest.mark.parametrize("variable", ["SITES", "BUILDINGS", "ROOMS", "NODES"])
def test_a_variable_offers_what_the_town_has(filled: Filled, variable: str):
    text = getattr(queries, variable).replace("$site", "prevert").replace("$building", ".*")
    found = {row[1] for one in filled.post(text) for row in one["values"]}
    rooms = [room.ref.split("/") for room in filled.town.rooms]
    prevert = [room for room in filled.town.rooms if room.ref.startswith("prevert/")]
    wanted = {
        "SITES": {site for site, _ in rooms},
        "BUILDINGS": {"principal", "restaurant"},
        "ROOMS": {room for site, room in rooms if site == "prevert"},
        "NODES": {room.node for room in prevert},
    }
    assert found == wanted[variable]


@pytest.mark.parametrize("one", dashboards(LOOK), ids=lambda one: one.uid)
async def test_every_variable_that_is_used_is_there(filled: Filled, one: dashboard.Dashboard):
    chosen = await choices(one, filled.ask, {})
    for panel in panels_of(one):
        window = Window.of(panel, one.time.from_val, NOW_MS)
        for query in queries_of(panel):
            assert "$" not in expand(query.text, window, chosen).replace("$/", "/")
