"""What `preau dashboards build` writes: complete, the same every time, and what is committed."""

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard

from dashboards.commands.build import command
from dashboards.influxql import SOURCE_TYPE, SOURCE_UID, register
from dashboards.look import look_of
from dashboards.preview.answers import panels_of, queries_of
from dashboards.texts import texts_in
from dashboards.tree import as_json, dashboards, tree

GENERATED = Path("dashboards/generated")
BOTH = [(language, one) for language in ("fr", "en") for one in dashboards(look_of(language))]
PANELS = [(one, panel) for _, one in BOTH for panel in panels_of(one)]
each_dashboard = pytest.mark.parametrize("one", [d for _, d in BOTH], ids=lambda one: one.title)
each_panel = pytest.mark.parametrize(
    ("one", "panel"), PANELS, ids=[f"{one.uid} {panel.title}" for one, panel in PANELS]
)


def test_what_is_committed_is_what_the_code_says():
    """Otherwise: preau dashboards build --out dashboards/generated"""
    committed = {
        str(path.relative_to(GENERATED)): path.read_bytes()
        for path in GENERATED.rglob("*")
        if path.is_file()
    }
    assert committed == tree(look_of("fr"))


def test_the_same_bytes_every_time(tmp_path: Path):
    for language in ("fr", "en"):
        assert tree(look_of(language)) == tree(look_of(language))
    runner = CliRunner()
    first = runner.invoke(command, ["--out", str(tmp_path)])
    assert "10 files" in first.output
    assert "10 of them new" in first.output
    assert "0 of them new" in runner.invoke(command, ["--out", str(tmp_path)]).output
    written = {
        str(path.relative_to(tmp_path)): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert written == tree(look_of("fr"))


@pytest.mark.parametrize("arguments", [["--time-zone", "Paris"], ["--time-zone", "../etc/passwd"]])
def test_a_time_zone_that_is_none(tmp_path: Path, arguments: list[str]):
    result = CliRunner().invoke(command, ["--out", str(tmp_path / "x"), *arguments])
    assert "is no time zone" in str(result.exception)
    assert not (tmp_path / "x").exists()


def test_a_folder_that_can_not_be_written(tmp_path: Path):
    (tmp_path / "dashboards").write_text("a file")
    result = CliRunner().invoke(command, ["--out", str(tmp_path)])
    assert "can't be written" in str(result.exception)


@each_dashboard
def test_a_round_trip_through_the_sdk_changes_nothing(one: dashboard.Dashboard):
    register_default_plugins()
    register()
    written = json.loads(as_json(one))
    again = dashboard.Dashboard.from_json(written)
    assert json.loads(json.dumps(again, cls=JSONEncoder)) == written


@each_panel
def test_a_panel_says_what_it_shows(one: dashboard.Dashboard, panel: dashboard.Panel):
    assert panel.title
    assert len(panel.description) > 15
    defaults = panel.field_config.defaults
    assert defaults.unit
    assert defaults.thresholds.steps[0].value is None
    assert (panel.datasource.type_val, panel.datasource.uid) == (SOURCE_TYPE, SOURCE_UID)
    assert list(queries_of(panel)), "asks something"


@each_panel
def test_only_colours_that_the_colour_blind_tell_apart(
    one: dashboard.Dashboard, panel: dashboard.Panel
):
    """Those of Okabe and Ito; and no query says more than InfluxQL."""
    okabe_ito = {"#0072B2", "#009E73", "#E69F00", "#D55E00", "#56B4E9", "#F0E442", "#CC79A7"}
    written = json.dumps(panel, cls=JSONEncoder)
    assert set(re.findall(r"#[0-9A-F]{6}", written)) <= okabe_ito
    assert all(query.text.startswith("SELECT ") for query in queries_of(panel))


@each_dashboard
def test_panels_do_not_overlap(one: dashboard.Dashboard):
    taken: set[tuple[int, int]] = set()
    for panel in panels_of(one):
        at = panel.grid_pos
        cells = {(at.x + x, at.y + y) for x in range(at.w) for y in range(at.h)}
        assert at.x + at.w <= 24
        assert not cells & taken, panel.title
        taken |= cells
    assert len({panel.id_val for panel in panels_of(one)}) == len(list(panels_of(one)))


def test_links_lead_to_dashboards_and_variables_that_there_are():
    variables = {one.uid: {v.name for v in (one.templating.list_val or [])} for _, one in BOTH}
    found = 0
    for _, one in BOTH:
        for target, query in re.findall(
            r'"/d/([a-z-]+)\?((?:[^"\\]|\\.)+)"', as_json(one).decode()
        ):
            names = set(re.findall(r"var-([a-z]+)=", query))
            assert names <= variables[target], f"{one.uid} → {target}"
            found += 1
    assert found >= 10


def test_a_cell_of_a_link_is_a_column_of_its_table():
    """A link takes its values from columns by their titles, in either language."""
    for _, one in BOTH:
        for panel in panels_of(one):
            written = json.dumps(panel, cls=JSONEncoder, ensure_ascii=False)
            used = set(re.findall(r'__data\.fields\[\\"(.+?)\\"\]', written))
            titles = {override.matcher.options for override in panel.field_config.overrides}
            assert used <= titles, f"{one.uid} {panel.title}"


def test_both_languages_say_everything():
    french, english = texts_in("fr").entries, texts_in("en").entries
    assert french.keys() == english.keys()
    for key in french:
        assert french[key].strip(), key
        assert english[key].strip(), key


def words_in(content) -> str:
    """Every string of a parsed file, one after the other."""
    if isinstance(content, dict):
        return "\n".join(map(words_in, content.values()))
    if isinstance(content, list):
        return "\n".join(map(words_in, content))
    return str(content)


def test_no_word_is_left_over():
    """Every text of the catalogue stands somewhere in what is built, or in the preview's page."""
    for language in ("fr", "en"):
        # YAML reads JSON as well.
        files = tree(look_of(language)).values()
        built = "\n".join(words_in(yaml.safe_load(content)) for content in files)
        for key, text in texts_in(language).entries.items():
            assert text in built or key.startswith("preview."), key
