#!/usr/bin/env python3
"""Draws dashboard.json from what a Prometheus knows, where there is no Grafana: to look at it after a change.

    pip install matplotlib
    deploy/grafana/render.py http://127.0.0.1:9090 picture.png [MINUTES] [NAME=VALUE...]

It asks for what the panels ask for and puts them where they stand, with their titles, units and legends. NAME=VALUE sets a
variable of the dashboard; left alone, each stands for all there is. Of Grafana's options it knows those that are used there.
"""

import json
import re
import sys
import time
import urllib.parse
import urllib.request
from datetime import datetime
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.dates as dates
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter

# Steps in the course of the time that is shown, at most; the shortest time that a rate is taken of; and inches for a unit of
# the dashboard's grid.
STEPS = 360
RATE_S = 20
WIDTH, HEIGHT = 0.85, 0.42

COLORS = {"green": "#56a64b", "yellow": "#e0b400", "red": "#e02f44", "orange": "#ff780a", "blue": "#3274d9"}
COLORS |= {"light-blue": "#8ab8ff", "dark-blue": "#1f60c4", "purple": "#a352cc", "dark-purple": "#7c2ea3"}
COLORS |= {"dark-red": "#ad0317", "text": "#888888"}


def scaled(value, base, units):
    for unit in units[:-1]:
        if abs(value) < base:
            return f"{value:.3g} {unit}"
        value /= base
    return f"{value:.3g} {units[-1]}"


def seconds(value):
    for limit, factor, unit in [(1e-3, 1e6, "µs"), (1, 1e3, "ms"), (120, 1, "s"), (7200, 1 / 60, "min")]:
        if abs(value) < limit:
            return f"{value * factor:.3g} {unit}"
    return f"{value / 3600:.3g} h"


UNITS = {
    "s": seconds,
    "percentunit": lambda value: f"{value * 100:.3g} %",
    "bytes": lambda value: scaled(value, 1024, ["B", "KiB", "MiB", "GiB"]),
    "reqps": lambda value: f"{value:.3g} req/s",
    "cps": lambda value: f"{value:.3g} c/s",
    "short": lambda value: f"{value:.4g}",
}


def step_of(start, end):
    """Whole seconds, so that all series have the same moments."""
    return -(-(end - start) // STEPS)


def asked(prometheus, target, variables, start, end):
    """The series of a query: a name for the legend, moments and values."""
    step = step_of(start, end)
    known = {"__rate_interval": f"{max(RATE_S, step)}s", **variables}
    expr = re.sub(r"\$(\w+)", lambda found: known[found[1]], target["expr"])
    query = urllib.parse.urlencode({"query": expr, "start": start, "end": end, "step": step})
    with urllib.request.urlopen(f"{prometheus}/api/v1/query_range?{query}", timeout=60) as answer:
        result = json.load(answer)["data"]["result"]
    for one in result:
        name = re.sub(r"{{(\w+)}}", lambda found: one["metric"].get(found[1], ""), target["legendFormat"])
        yield name, [float(moment) for moment, _ in one["values"]], [float(value) for _, value in one["values"]]


def color_of(panel, name):
    for override in panel["fieldConfig"]["overrides"]:
        for what in override["properties"]:
            if override["matcher"]["options"] == name and what["id"] == "color":
                return COLORS[what["value"]["fixedColor"]]
    return None


def draw_stat(figure, box, panel, found):
    defaults = panel["fieldConfig"]["defaults"]
    values = [value for _, _, values in found for value in values if value == value]
    figure.text(box.x0, box.y1, panel["title"], fontsize=8, weight="bold", va="bottom")
    if not values:
        figure.text((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, "No data", fontsize=14, ha="center", va="center")
        return
    last = values[-1]
    reached = [step["color"] for step in defaults["thresholds"]["steps"] if step["value"] is None or last >= step["value"]]
    text = UNITS[defaults["unit"]](last)
    figure.text(
        (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, text, fontsize=18, ha="center", va="center", color=COLORS[reached[-1]]
    )


def moments(times):
    return [datetime.fromtimestamp(time) for time in times]


def draw_series(axes, panel, found, start, end):
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    axes.set_title(panel["title"], fontsize=8, weight="bold", loc="left", pad=4)
    if custom["stacking"]["mode"] == "normal" and found:
        # What is not there at a moment is nothing.
        times = range(start, end + 1, step_of(start, end))
        rows = [dict(zip(times_of, values)) for _, times_of, values in found]
        heights = [[row.get(time, 0.0) for time in times] for row in rows]
        colors = [color_of(panel, name) or f"C{place % 10}" for place, (name, _, _) in enumerate(found)]
        axes.stackplot(moments(times), heights, labels=[name for name, _, _ in found], colors=colors, alpha=0.6)
    else:
        for name, times, values in found:
            # Where nothing is known, no line is drawn.
            step = step_of(start, end)
            gaps = [place for place in range(1, len(times)) if times[place] - times[place - 1] > step]
            for place in reversed(gaps):
                times.insert(place, times[place - 1] + 1)
                values.insert(place, float("nan"))
            axes.plot(moments(times), values, label=name, linewidth=1, color=color_of(panel, name))
    if custom.get("thresholdsStyle"):
        for threshold in defaults["thresholds"]["steps"][1:]:
            axes.axhline(threshold["value"], color=COLORS[threshold["color"]], linewidth=0.8, linestyle="--")
    if custom.get("scaleDistribution", {}).get("type") == "log":
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=defaults.get("min"), top=defaults.get("max"))
    axes.set_xlim(datetime.fromtimestamp(start), datetime.fromtimestamp(end))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: UNITS[defaults["unit"]](value)))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.25)
    if found:
        axes.legend(fontsize=6, ncols=4, loc="upper left", bbox_to_anchor=(0, -0.12), frameon=False)
    else:
        axes.text(0.5, 0.5, "No data", transform=axes.transAxes, ha="center", va="center", fontsize=9)


def main(prometheus, picture, *more):
    minutes = next((float(word) for word in more if "=" not in word), 30)
    dashboard = json.loads(Path(__file__).with_name("dashboard.json").read_text())
    variables = {variable["name"]: variable.get("allValue", "") for variable in dashboard["templating"]["list"]}
    variables |= dict(word.split("=", 1) for word in more if "=" in word)
    end = int(time.time())
    start = end - int(minutes * 60)
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    figure = plt.figure(figsize=(24 * WIDTH, rows * HEIGHT), dpi=80)
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        left, bottom = place["x"] / 24, 1 - (place["y"] + place["h"]) / rows
        if panel["type"] == "row":
            figure.text(0.005, bottom + 0.3 / rows, panel["title"], fontsize=12, weight="bold")
            continue
        queries = panel["targets"]
        found = [series for target in queries for series in asked(prometheus, target, variables, start, end)]
        within = [left + 0.035, bottom + 1.6 / rows, place["w"] / 24 - 0.045, (place["h"] - 2.6) / rows]
        if panel["type"] == "stat":
            box = matplotlib.transforms.Bbox.from_bounds(left + 0.01, bottom + 0.6 / rows, place["w"] / 24 - 0.02, 2.2 / rows)
            draw_stat(figure, box, panel, found)
        else:
            draw_series(figure.add_axes(within), panel, found, start, end)
    figure.savefig(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
