// Draws a room's history with Plotly: one panel a quantity above one time axis, colours from the
// page's own style sheet, light or dark. The data stand in the page; nothing is fetched here.
"use strict";

(() => {
  const LINES = ["--line-1", "--line-2", "--line-3", "--line-4"];
  const DASHES = ["solid", "dash", "dot", "dashdot"];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  let drawn = "";

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function faded(hex, alpha) {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    return `rgba(${r},${g},${b},${alpha})`;
  }

  function register(words, language) {
    Plotly.register({
      moduleType: "locale",
      // A name of its own: registered as "en", it would replace what every locale falls back to.
      name: "page",
      dictionary: {},
      format: {
        days: rotated(words.weekdays),
        shortDays: rotated(words.weekdays),
        months: words.months,
        shortMonths: words.short_months,
        date: "%d/%m/%Y",
        decimal: words.decimal,
        thousands: language === "fr" ? "\u202f" : ",",
        year: "%Y",
        month: "%B %Y",
        dayMonth: language === "fr" ? "%-d %b" : "%b %-d",
        dayMonthYear: language === "fr" ? "%-d %b %Y" : "%b %-d, %Y",
      },
    });
  }

  function rotated(mondayFirst) {
    return [mondayFirst[6], ...mondayFirst.slice(0, 6)];
  }

  function traces(panel, place, data) {
    const axis = place === 0 ? "" : String(place + 1);
    const found = [];
    panel.lines.forEach((line, number) => {
      const hue = colour(panel.lines.length === 1 ? `--${panel.quantity}` : LINES[number % LINES.length]);
      const common = { x: line.x, yaxis: "y" + axis, xaxis: "x", type: "scatter", mode: "lines", connectgaps: false };
      if (data.period !== "24h") {
        const edge = { ...common, line: { width: 0, color: hue }, hoverinfo: "skip", showlegend: false };
        found.push({ ...edge, y: line.min });
        found.push({ ...edge, y: line.max, fill: "tonexty", fillcolor: faded(hue, 0.16) });
      }
      found.push({
        ...common,
        y: line.mean,
        name: line.name,
        showlegend: panel.lines.length > 1,
        legend: "legend" + axis,
        line: { color: hue, width: 2.2, dash: DASHES[number % DASHES.length], shape: "linear" },
        customdata: line.x.map((_, at) => [line.min[at], line.max[at]]),
        hovertemplate:
          `%{y:,.${panel.decimals}f} ${panel.unit}` +
          (data.period === "24h" ? "" : ` (%{customdata[0]:,.${panel.decimals}f} – %{customdata[1]:,.${panel.decimals}f})`) +
          (line.name ? ` ${line.name}` : "") + "<extra></extra>",
      });
    });
    return found;
  }

  function bounds(panel) {
    const values = panel.lines.flatMap((line) => [...line.min, ...line.max]).filter((v) => v !== null);
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (panel.quantity === "co2") [low, high] = [Math.min(400, low), Math.max(1000, high)];
    const least = { temperature: 4, co2: 200, humidity: 20 }[panel.quantity] || 1;
    const room = Math.max(least - (high - low), (high - low) * 0.14) / 2;
    low -= room;
    high += room;
    // A limit just below the upper edge would have its words in the panel's title.
    for (const { at } of panel.limits) {
      if (at < high && at > high - (high - low) * 0.16) high = at + (high - low) * 0.19;
    }
    return [low, high];
  }

  function shapesOf(panel, axis, [low, high]) {
    const names = ["--soon", "--now"];
    const shapes = [];
    const notes = [];
    panel.limits.forEach((limit, number) => {
      if (limit.at >= high) return;
      const top = panel.limits[number + 1] ? Math.min(panel.limits[number + 1].at, high) : high;
      const hue = colour(names[number]);
      const place = { xref: "paper", yref: "y" + axis, x0: 0, x1: 1 };
      shapes.push({ ...place, type: "rect", y0: limit.at, y1: top, fillcolor: faded(hue, 0.09), line: { width: 0 }, layer: "below" });
      shapes.push({ ...place, type: "line", y0: limit.at, y1: limit.at, line: { color: hue, width: 1.2, dash: number ? "solid" : "dash" }, layer: "below" });
      if (limit.at >= low) {
        notes.push({
          xref: "paper", yref: "y" + axis, x: 0, y: limit.at, xanchor: "left", yanchor: "bottom", showarrow: false,
          text: `${limit.text} > ${limit.at}`, font: { size: 12, color: hue }, bgcolor: faded(colour("--card"), 0.75),
        });
      }
    });
    return [shapes, notes];
  }

  function layout(data) {
    const ink = colour("--ink-soft");
    const grid = colour("--grid");
    const gap = narrow.matches ? 0.11 : 0.095;
    const count = data.panels.length;
    const height = (1 - gap * (count - 1)) / count;
    const made = {
      height: (narrow.matches ? 205 : 220) * count + 68,
      margin: { l: narrow.matches ? 40 : 52, r: 8, t: 30, b: 54 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: ink },
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--edge"), font: { color: colour("--ink") } },
      dragmode: false,
      showlegend: true,
      separators: data.words.decimal === "," ? ",\u202f" : ".,",
      shapes: [],
      annotations: [],
      xaxis: {
        type: "date", range: [data.from, data.to], anchor: "y" + (count > 1 ? count : ""), fixedrange: true,
        gridcolor: grid, linecolor: grid, tickcolor: grid, ticks: "outside", nticks: narrow.matches ? 5 : 9,
        hoverformat: data.period === "1y" ? "%a %-d %B %Y" : "%a %-d %B, %H:%M",
        tickformatstops: [
          { dtickrange: [null, 86399999], value: "%H:%M\n%a %-d" },
          { dtickrange: [86400000, 604800000], value: "%-d %b" },
          { dtickrange: [604800000, null], value: "%b\n%Y" },
        ],
      },
    };
    data.panels.forEach((panel, place) => {
      const axis = place === 0 ? "" : String(place + 1);
      const top = 1 - place * (height + gap);
      const range = bounds(panel);
      made["yaxis" + axis] = {
        domain: [Math.max(0, top - height), top], range, fixedrange: true, gridcolor: grid, zeroline: false,
        nticks: 5, tickformat: ",~f", anchor: "x",
      };
      made["legend" + axis] = { orientation: "h", x: 1, xanchor: "right", y: top, yanchor: "bottom", font: { size: 11 } };
      const [shapes, notes] = shapesOf(panel, axis, range);
      made.shapes.push(...shapes);
      made.annotations.push(...notes, {
        xref: "paper", yref: "paper", x: 0, y: top, xanchor: "left", yanchor: "bottom", yshift: 5, showarrow: false,
        text: `<b>${panel.title}</b>`, font: { size: 13, color: colour("--ink") },
      });
    });
    return made;
  }

  async function draw() {
    const box = document.getElementById("chart");
    const source = document.getElementById("chart-data");
    if (!box || !source) return;
    const look = `${source.textContent}|${dark.matches}|${narrow.matches}`;
    if (look === drawn && box.classList.contains("js-plotly-plot")) return;
    try {
      const data = JSON.parse(source.textContent);
      const language = document.documentElement.lang;
      register(data.words, language);
      const lines = data.panels.flatMap((panel, place) => traces(panel, place, data));
      const loading = box.querySelector(".loading");
      await Plotly.react(box, lines, layout(data), { locale: "page", responsive: true, displayModeBar: false, doubleClick: false });
      if (loading) loading.remove();
      drawn = look;
      box.dataset.drawn = String(Number(box.dataset.drawn || 0) + 1);
    } catch (error) {
      box.textContent = box.dataset.failed;
      console.error(error);
    }
  }

  document.addEventListener("preau:updated", draw);
  dark.addEventListener("change", draw);
  narrow.addEventListener("change", draw);
  draw();
})();
