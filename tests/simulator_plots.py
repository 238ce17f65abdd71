"""`python -m tests.simulator_plots FOLDER`: the plots and the figures of docs/simulators.md.

Drawn by plotly in a Chromium, as the page draws; both are packages of the tests.
"""

import asyncio
import base64
import json
import sys
import tempfile
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from playwright.async_api import async_playwright

from gateway.indicators.icone import icone
from simulators.town import Town, demo_town
from simulators.weather import DAY_S
from tests.servers import require

PARIS = ZoneInfo("Europe/Paris")
SEED = 1
YEAR_FROM = int(datetime(2025, 9, 1, tzinfo=UTC).timestamp())
SHOWN = {"prevert/cp": "#1f77b4", "prevert/cm1": "#d62728", "prevert/ce1-ce2": "#2ca02c"}
WEEK_FROM = int(datetime(2026, 11, 16, tzinfo=PARIS).timestamp())


def local(times: np.ndarray) -> list[str]:
    return [datetime.fromtimestamp(t, PARIS).strftime("%Y-%m-%d %H:%M") for t in times]


def line(x: list[str], y: np.ndarray, name: str, colour: str, **more: object) -> dict[str, object]:
    values = [round(float(v), 2) for v in y]
    return {"x": x, "y": values, "name": name, "line": {"color": colour, "width": 1.5}, **more}


def week(town: Town) -> dict[str, object]:
    """Temperature and CO2 of three classrooms from Monday to Sunday."""
    times = WEEK_FROM + np.arange(0, 7 * DAY_S, 600.0)
    x = local(times)
    outdoors = town.air.weather.over(times).temperature_c
    traces = [line(x, outdoors, "outdoors", "#888", yaxis="y2")]
    for room in town.rooms:
        if room.ref in SHOWN:
            course, colour = room.model.course_at(times), SHOWN[room.ref]
            traces.append(line(x, course.temperature_c, room.name, colour, yaxis="y2"))
            traces.append(line(x, course.co2_ppm, room.name, colour, showlegend=False))
    layout = {
        "yaxis": {"title": {"text": "CO2, ppm"}, "domain": [0, 0.47]},
        "yaxis2": {"title": {"text": "°C"}, "domain": [0.53, 1]},
    }
    return {"data": traces, "layout": layout}


def year(town: Town) -> dict[str, object]:
    """Daily means of two classrooms and outdoors through a school year."""
    times = YEAR_FROM + np.arange(0, 365 * DAY_S, 1800.0)
    days = local(times[::48])
    outdoors = town.air.weather.over(times).temperature_c.reshape(-1, 48).mean(axis=1)
    traces = [line(days, outdoors, "outdoors", "#888")]
    for room in town.rooms:
        if room.ref in {"prevert/cp", "prevert/ce1-ce2"}:
            means = room.model.course_at(times).temperature_c.reshape(-1, 48).mean(axis=1)
            traces.append(line(days, means, room.name, SHOWN[room.ref]))
    return {"data": traces, "layout": {"yaxis": {"title": {"text": "mean of the day, °C"}}}}


def figures(town: Town) -> None:
    """A school year of the weather and of every room."""
    times = YEAR_FROM + np.arange(0, 365 * DAY_S, 1800.0)
    sky = town.air.weather.over(times)
    days = sky.temperature_c.reshape(-1, 48)
    degree_days = np.maximum(0, 18 - (days.min(axis=1) + days.max(axis=1)) / 2).sum()
    sun = sky.light.horizontal_w_m2.sum() * 1800 / 3.6e6
    print(f"degree days {degree_days:.0f}, sun {sun:.0f} kWh/m2, mean {days.mean():.1f} °C")
    stretches = [town.air.stretch((YEAR_FROM - 4 * DAY_S) // (14 * DAY_S) + n) for n in range(26)]
    joules = sum(stretch.heating_w[1:].sum(axis=0) * 300 for stretch in stretches)
    for place, room in enumerate(town.air.rooms):
        print(_row(town, room.ref, times, float(joules[place]) / 3.6e6 / room.fabric.floor_m2))


def _row(town: Town, ref: str, times: np.ndarray, heat_kwh_m2: float) -> str:
    course = town.air.room(ref).course_at(times)
    occupied = [
        (s.start_ms, s.end_ms)
        for s in town.air.calendar.stretches(ref, int(times[0] * 1000), int(times[-1] * 1000))
        if s.state == "occupied"
    ]
    inside = np.zeros(len(times), bool)
    for begin_ms, end_ms in occupied:
        inside |= (begin_ms <= times * 1000) & (times * 1000 < end_ms)
    winter = np.array([datetime.fromtimestamp(t, PARIS).month in {12, 1, 2} for t in times])
    index = icone(zip((times * 1000).astype(int).tolist(), course.co2_ppm, strict=True), occupied)
    hot_h = float(np.maximum(0, course.temperature_c[inside] - 26).sum() / 2)
    return (
        f"| {ref} | {course.temperature_c[winter & inside].mean():.1f}"
        f" | {course.temperature_c.min():.1f} | {course.temperature_c[inside].max():.1f}"
        f" | {hot_h:.0f} | {course.co2_ppm[inside].mean():.0f} | {course.co2_ppm.max():.0f}"
        f" | {index.level if index else '-'} | {heat_kwh_m2:.0f} |"
    )


async def draw(plots: dict[str, dict[str, object]], folder: Path) -> None:
    spec = find_spec("plotly")
    script = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    async with async_playwright() as playwright:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            context = await playwright.chromium.launch_persistent_context(
                profile, executable_path=require("chromium"), args=["--no-sandbox"]
            )
            page = await context.new_page()
            await page.set_content("<div id=plot></div>")
            await page.add_script_tag(path=script)
            for name, plot in plots.items():
                (folder / f"{name}.png").write_bytes(await _png(page, plot))
            await context.close()


async def _png(page, plot: dict[str, object]) -> bytes:
    layout = {
        "width": 900, "height": 480, "margin": {"t": 20, "r": 10, "b": 40, "l": 60},
        "template": None, "legend": {"orientation": "h"},
    }  # fmt: skip
    figure = json.dumps({"data": plot["data"], "layout": layout | plot["layout"]})
    address = await page.evaluate(
        f"(async () => Plotly.toImage({figure}, {{format: 'png', width: 900, height: 480}}))()"
    )
    return base64.b64decode(address.partition(",")[2])


def main() -> None:
    town = demo_town(SEED)
    figures(town)
    folder = Path(sys.argv[1])
    asyncio.run(draw({"simulated-week": week(town), "simulated-year": year(town)}, folder))


if __name__ == "__main__":
    main()
