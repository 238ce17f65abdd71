"""The preview of the dashboards, as somebody who changed a query looks at it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from ingest.forwarder.target import Target
from tests.influx import influxdb_server
from tests.influx_demo import NOW_MS, fill
from tests.servers import running


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Settings whose InfluxDB holds the demo town."""
    folder = tmp_path_factory.mktemp("town")
    with running(influxdb_server(folder)) as influx:
        url = f"http://127.0.0.1:{influx.port}"
        fill(folder / "data", Target("town", "v1", url, "preau"))
        settings = folder / "preau.toml"
        settings.write_text(f'[[forwarder]]\nname = "town"\napi = "v1"\nurl = "{url}"\n')
        yield settings


def preview(settings: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    preau = Path(sys.executable).with_name("preau")
    at = str(NOW_MS // 1000)
    command = [preau, "dashboards", "preview", "--settings", settings, "--out", out, "--at", at]
    return subprocess.run(
        [*map(str, command), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )


async def test_every_panel_is_drawn_and_nothing_is_fetched(
    town: Path, tmp_path: Path, browser: BrowserContext
):
    page = await browser.new_page()
    out = tmp_path / "preview.html"
    done = preview(town, out, "--choose", "room=cm1")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    errors: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    await page.goto(out.as_uri())
    await expect(page.locator("body")).to_have_attribute("data-drawn", re.compile(r"\d+"))
    assert not errors
    assert requests == [out.as_uri()]
    await expect(page.locator("section")).to_have_count(5)
    await expect(page.locator(".nothing")).to_have_count(0)
    figures = await page.locator(".figure").count()
    assert figures > 20
    # What was drawn has lines, bars or cells in it, and not only axes.
    await expect(page.locator(".figure:has(.trace, .heatmaplayer image, .bars)")).to_have_count(
        figures
    )
    salle = page.locator("#preau-salle")
    await expect(salle.locator("h2")).to_contain_text("cm1")
    await expect(page.locator("#preau-ville .number").first).to_have_text("12")
    first = page.locator("#preau-ville table").first.locator("tbody tr").first
    await expect(first).to_contain_text("cm1")


def test_what_has_nothing_to_show_is_told(town: Path, tmp_path: Path):
    done = preview(town, tmp_path / "p.html", "--choose", "room=no-such-room")
    assert done.returncode == 1
    assert "nothing to show: Salle – CO₂" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--choose", "room"], "must look like room=cm1"),
        (["--forwarder", "other"], "configured are town"),
    ],
)
def test_a_mistake_is_one_line(town: Path, tmp_path: Path, arguments: list[str], words: str):
    done = preview(town, tmp_path / "p.html", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
