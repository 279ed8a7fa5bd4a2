#!/usr/bin/env python3
"""Makes the tables and the plots of docs/sizing.md out of what the simulation told.

    draw.py            writes docs/sizing/*.svg, and the tables between the markers in docs/sizing.md
    draw.py --check    writes nothing, and fails if there is anything to write

Nothing but the standard library is needed. A plot says its colours twice, for pages that are light
and for pages that are dark, and has a background of its own, so that it can be read on either.
"""

import json
import math
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "sizing.md"
PLOTS = ROOT / "docs" / "sizing"
CASES = [json.loads(line) for line in (HERE / "results.jsonl").read_text().splitlines()]

QUOTA = 120_000
LIMIT = 150_000


def cases(group, **wanted):
    """The cases of a group, those only that are as wanted."""
    of_group = (case for case in CASES if case["group"] == group)
    return [case for case in of_group if all(case[key] == wanted[key] for key in wanted)]


def base():
    return cases("base")[0]


def sized(replicas):
    """Companies from the small to the large, each with so many replicas."""
    here = base() if replicas == 1 else cases("replicas", replicas=replicas, by_path=False)[0]
    return sorted([here, *cases("sizes", replicas=replicas)], key=lambda case: case["employees"])


def of_replicas(number):
    return f"{number} replica" if number == 1 else f"{number} replicas"


# Numbers, as the page writes them.


def count(number):
    return f"{number:,}"


def percent(part, whole):
    share = 100 * part / whole if whole else 0
    if share == 0:
        return "0"
    if share < 0.01:
        return "< 0.01 %"
    return f"{share:.2f} %" if share < 1 else f"{share:.1f} %"


def seconds(milliseconds):
    return "–" if milliseconds is None else f"{milliseconds / 1000:.0f} s"


def served_at_once(case):
    return case["fresh"] + case["stale"] + case["stale_if_error"]


# Tables.

COLUMNS = {
    "lookups": lambda case: count(case["lookups"]),
    "fresh": lambda case: percent(case["fresh"], case["lookups"]),
    "stale, renewed": lambda case: percent(case["stale"], case["lookups"]),
    "waited": lambda case: percent(case["waited"], case["lookups"]),
    "stale, not asked": lambda case: percent(case["stale_if_error"], case["lookups"]),
    "503": lambda case: percent(case["failed"], case["lookups"]),
    "questions a day": lambda case: count(case["questions"]),
    "busiest hour": lambda case: count(case["busiest_hour"]),
    "busiest minute": lambda case: count(case["busiest_minute"]),
    "superseded": lambda case: percent(case["superseded"], case["meetings_told"]),
    "any change": lambda case: percent(case["touched"], case["meetings_told"]),
    "behind, median": lambda case: seconds(case["lag_ms"]["p50"]),
    "99 %": lambda case: seconds(case["lag_ms"]["p99"]),
    "at most": lambda case: seconds(case["lag_ms"]["max"]),
    "kept, MiB": lambda case: f"{case['kept']['bytes'] / 2**20:.1f}",
}
USUAL = [
    "fresh",
    "stale, renewed",
    "waited",
    "questions a day",
    "busiest hour",
    "busiest minute",
    "superseded",
    "any change",
    "behind, median",
    "99 %",
    "at most",
]


def table(rows, columns, head="setting", name=lambda case: case["name"]):
    lines = [f"| {head} | " + " | ".join(columns) + " |"]
    lines.append("|---|" + "---:|" * len(columns))
    for case in rows:
        cells = [COLUMNS[column](case) for column in columns]
        lines.append(f"| {name(case)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sizes_table():
    numbers = [1, 4]
    lines = ["| employees | meetings | lookups a day | " + " | ".join(map(of_replicas, numbers)) + " |"]
    lines.append("|---:|---:|---:|" + "---:|" * len(numbers))
    for row in zip(*map(sized, numbers)):
        hours = [case["busiest_hour"] for case in row]
        marked = [f"**{count(hour)}**" if hour > QUOTA else count(hour) for hour in hours]
        size = [count(row[0][key]) for key in ("employees", "meetings", "lookups")]
        lines.append("| " + " | ".join([*size, *marked]) + " |")
    return "\n".join(lines)


def tables():
    first = base()
    return {
        "base": table([first], ["lookups", *USUAL[:6]], head="day"),
        "lag": table([first], ["superseded", "any change", "behind, median", "99 %", "at most"], head="day"),
        "lifetimes": table([first, *cases("lifetimes")], USUAL),
        "windows": table([cases("windows")[0], cases("windows")[1], first, *cases("windows")[2:]], USUAL),
        "memory": table([*cases("memory"), first], ["kept, MiB", *USUAL[:5]]),
        "replicas": table([first, *cases("replicas")], USUAL, head="replicas"),
        "callers": table(
            [first, *cases("callers", replicas=1), sized(4)[1], *cases("callers", replicas=4)],
            ["lookups", *USUAL[:5]],
            head="callers",
            name=lambda case: f"{case['callers']} ×, {of_replicas(case['replicas'])}",
        ),
        "sizes": sizes_table(),
        "quotas": table(
            cases("quotas"),
            ["fresh", "stale, renewed", "stale, not asked", "waited", "503", "busiest hour", "superseded", "99 %", "at most"],
            head="day",
            name=lambda case: f"{case['name']}, {of_replicas(case['replicas'])}",
        ),
    }


# Plots.

STYLE = """
  .back { fill: #ffffff }
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px }
  .small { font-size: 12px; fill: #57606a }
  .grid { stroke: #d8dee4; stroke-width: 1 }
  .axis { stroke: #57606a; stroke-width: 1 }
  .limit { stroke: #b3261e; stroke-width: 1.5; stroke-dasharray: 6 4 }
  .limit-text { fill: #b3261e; font-size: 12px }
  .line { fill: none; stroke-width: 2.25; stroke-linejoin: round }
  .s0 { stroke: #0b62b5 } .f0 { fill: #0b62b5 }
  .s1 { stroke: #a34a00 } .f1 { fill: #a34a00 }
  .s2 { stroke: #0b7a4b } .f2 { fill: #0b7a4b }
  .s3 { stroke: #8a2f86 } .f3 { fill: #8a2f86 }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 }
    text { fill: #e6edf3 }
    .small { fill: #9da7b3 }
    .grid { stroke: #262c36 }
    .axis { stroke: #9da7b3 }
    .limit { stroke: #ff8a80 }
    .limit-text { fill: #ff8a80 }
    .s0 { stroke: #6cb6ff } .f0 { fill: #6cb6ff }
    .s1 { stroke: #ffb27a } .f1 { fill: #ffb27a }
    .s2 { stroke: #5fd6a0 } .f2 { fill: #5fd6a0 }
    .s3 { stroke: #e6a3e2 } .f3 { fill: #e6a3e2 }
  }
"""

WIDTH, HEIGHT = 820, 440
LEFT, RIGHT, TOP, BOTTOM = 84, 190, 54, 62


class Plot:
    """Axes, and what is drawn between them."""

    width = WIDTH - LEFT - RIGHT
    height = HEIGHT - TOP - BOTTOM

    def __init__(self, title, described, across, up, x_ticks, y_max, x_scale=float, x_label=None, y_label=None):
        self.x_ticks, self.y_max, self.x_scale = x_ticks, y_max, x_scale
        self.ends = []
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title described">',
            f'<title id="title">{escaped(title)}</title>',
            f'<desc id="described">{escaped(described)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="back" width="{WIDTH}" height="{HEIGHT}"/>',
            self.text(LEFT, 28, title, "title"),
            self.text(LEFT + self.width / 2, HEIGHT - 16, across, "small", "middle"),
            f'<text class="small" text-anchor="middle" transform="translate(18 {TOP + self.height / 2:.0f}) rotate(-90)">{escaped(up)}</text>',
        ]
        for tick in ticks(y_max):
            y = self.y(tick)
            self.parts.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + self.width}" y1="{y:.1f}" y2="{y:.1f}"/>')
            self.parts.append(self.text(LEFT - 8, y + 4, (y_label or count)(tick), "small", "end"))
        for tick in x_ticks:
            x = self.x(tick)
            self.parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP + self.height}" y2="{TOP + self.height + 5}"/>')
            self.parts.append(self.text(x, TOP + self.height + 20, (x_label or count)(tick), "small", "middle"))
        y = TOP + self.height
        self.parts.append(f'<line class="axis" x1="{LEFT}" x2="{LEFT + self.width}" y1="{y}" y2="{y}"/>')

    def x(self, value):
        first, last = self.x_scale(self.x_ticks[0]), self.x_scale(self.x_ticks[-1])
        return LEFT + self.width * (self.x_scale(value) - first) / (last - first)

    def y(self, value):
        return TOP + self.height * (1 - value / self.y_max)

    @staticmethod
    def text(x, y, words, kind="", anchor="start"):
        return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escaped(words)}</text>'

    def line(self, points, colour, name, dots=True):
        placed = [(self.x(x), self.y(y)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        self.parts.append(f'<polyline class="line s{colour}" points="{path}"/>')
        if dots:
            self.parts += [self.dot(x, y, colour) for x, y in placed]
        self.ends.append((placed[-1][1], colour, name))

    @staticmethod
    def dot(x, y, colour):
        """A shape of its own for each colour, for whoever cannot tell them apart."""
        if colour == 0:
            return f'<circle class="f0" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
        corners = {
            1: [(-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)],
            2: [(0, -5.5), (5.5, 4.5), (-5.5, 4.5)],
            3: [(0, -6), (6, 0), (0, 6), (-6, 0)],
        }[colour]
        path = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
        return f'<polygon class="f{colour}" points="{path}"/>'

    def point(self, x, y, colour, name, dx=9, dy=4, anchor="start"):
        self.parts.append(self.dot(self.x(x), self.y(y), colour))
        self.parts.append(self.text(self.x(x) + dx, self.y(y) + dy, name, f"small f{colour}", anchor))

    def limit(self, value, name):
        y = self.y(value)
        self.parts.append(f'<line class="limit" x1="{LEFT}" x2="{LEFT + self.width}" y1="{y:.1f}" y2="{y:.1f}"/>')
        self.parts.append(self.text(LEFT + 8, y - 6, name, "limit-text"))

    def drawn(self, names_on_top=False):
        """With the names of the lines at their ends, or one below the other; none on another."""
        lowest = -math.inf
        for y, colour, name in self.ends if names_on_top else sorted(self.ends):
            y = max(TOP + 14 if names_on_top else y, lowest + 20)
            lowest = y
            x = LEFT + self.width + 12
            self.parts.append(self.dot(x, y, colour))
            self.parts.append(self.text(x + 11, y + 4, name))
        return "\n".join([*self.parts, "</svg>", ""])


def escaped(words):
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def ticks(top):
    rough = top / 6
    power = 10 ** math.floor(math.log10(rough))
    step = next(step for step in (power, 2 * power, 2.5 * power, 5 * power, 10 * power) if step >= rough)
    numbers = [step * index for index in range(int(top / step) + 1)]
    return [int(number) if step >= 1 else number for number in numbers]


def rounded_up(number):
    power = 10 ** math.floor(math.log10(number))
    return next(step * power for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= number)


def thousands(number):
    return "0" if number == 0 else f"{number / 1000:g} k"


def day_plot():
    case = base()
    by_five = lambda series: [sum(series[index : index + 5]) / 5 for index in range(0, len(series), 5)]
    lookups, questions = by_five(case["lookups_a_minute"]), by_five(case["questions_a_minute"])
    plot = Plot(
        f"A day of {count(case['employees'])} employees, one replica",
        "Lookups of callers and questions to WeCom a minute, from 7 to 20 o'clock.",
        "time of day",
        "a minute (mean of five minutes)",
        [7, 9, 11, 13, 15, 17, 20],
        rounded_up(max(lookups)),
        x_label=lambda hour: f"{hour}:00",
    )
    hours = lambda series: [(7 + (index * 5 + 2.5) / 60, value) for index, value in enumerate(series)]
    plot.line(hours(lookups), 0, "lookups", dots=False)
    plot.line(hours(questions), 1, "questions to WeCom", dots=False)
    return plot.drawn(names_on_top=True)


def sizes_plot():
    employees = [case["employees"] for case in sized(1)]
    plot = Plot(
        "Questions to WeCom in the busiest hour, as shipped",
        "They grow with the number of employees; four replicas ask more than one, and less than four times as much.",
        "employees (350 meetings a day for each 1,000)",
        "questions in the busiest hour",
        [0, *employees],
        rounded_up(max(case["busiest_hour"] for case in sized(4))),
        x_label=count,
        y_label=thousands,
    )
    plot.limit(LIMIT, "WeCom's limit for a corp: 150,000")
    plot.limit(QUOTA, "calls_per_hour as shipped: 120,000")
    for colour, replicas in ((0, 1), (1, 4)):
        points = [(case["employees"], case["busiest_hour"]) for case in sized(replicas)]
        plot.line(points, colour, of_replicas(replicas))
    return plot.drawn()


def replicas_plot():
    plot = Plot(
        "What more replicas do",
        "More questions to WeCom; and, far more, callers who wait for an answer that another replica has.",
        "replicas",
        "for each 100 lookups",
        [1, 2, 4, 8],
        100,
        x_scale=math.log2,
    )
    anywhere = [base(), *cases("replicas", by_path=False)]
    by_path = [base(), *cases("replicas", by_path=True)]
    share = lambda rows, key: [(case["replicas"], 100 * case[key] / case["lookups"]) for case in rows]
    plot.line(share(anywhere, "questions"), 0, "questions")
    plot.line(share(by_path, "questions"), 2, "questions, by path")
    plot.line(share(anywhere, "waited"), 1, "waited")
    plot.line(share(by_path, "waited"), 3, "waited, by path")
    return plot.drawn()


def trade_plot():
    first = base()
    groups = [
        ("in_progress", [case for case in cases("lifetimes") if "in_progress" in case["name"]], "10s"),
        ("not_started", [case for case in cases("lifetimes") if "not_started" in case["name"]], "60s"),
        ("stale_while_revalidate", cases("windows"), "30s"),
    ]
    shown = [first, *(case for _, group, _ in groups for case in group)]
    left = min(case["busiest_hour"] for case in shown) * 0.9
    right = max(case["busiest_hour"] for case in shown) * 1.05
    share = lambda case: 100 * case["superseded"] / case["meetings_told"]
    plot = Plot(
        "What it costs to be less behind",
        "Each line turns one setting: fewer questions against more answers that were superseded.",
        "questions in the busiest hour",
        "answers superseded when served",
        [tick for tick in range(0, 200_000, 10_000) if left - 10_000 <= tick <= right + 10_000],
        rounded_up(max(share(case) for case in shown)),
        x_label=thousands,
        y_label=lambda share: f"{share:g} %",
    )
    for colour, (name, group, shipped) in enumerate(groups):
        named = [(case["name"].split()[-1], case) for case in group] + [(shipped, first)]
        named.sort(key=lambda pair: span_s(pair[0]))
        plot.line([(case["busiest_hour"], share(case)) for _, case in named], colour, name)
        for span, case in named:
            if case is not first:
                beside = {"dx": 9, "dy": 4} if group is groups[2][1] else {"dx": 7, "dy": -7}
                plot.point(case["busiest_hour"], share(case), colour, span, **beside)
    plot.parts.append(plot.text(plot.x(first["busiest_hour"]) - 9, plot.y(share(first)) + 18, "as shipped", "small", "end"))
    return plot.drawn(names_on_top=True)


def span_s(text):
    number, unit = re.fullmatch(r"(\d+)(s|m|h)", text).groups()
    return int(number) * {"s": 1, "m": 60, "h": 3600}[unit]


def memory_plot():
    mib = lambda case: int(case["name"].split()[1].removesuffix("MiB"))
    rows = cases("memory")
    plot = Plot(
        f"Memory, for {count(base()['meetings'])} meetings a day",
        "Below the size of what is in use, callers wait more; above it, more memory changes nothing.",
        "max_bytes, MiB",
        "of all lookups",
        [mib(case) for case in rows],
        100,
        x_scale=math.log2,
        y_label=lambda share: f"{share} %",
    )
    share = lambda part: [(mib(case), 100 * part(case) / case["lookups"]) for case in rows]
    plot.line(share(served_at_once), 0, "served at once")
    plot.line(share(lambda case: case["waited"]), 1, "waited for WeCom")
    plot.line(share(lambda case: case["questions"]), 2, "questions to WeCom")
    return plot.drawn()


def plots():
    return {
        "day": day_plot(),
        "sizes": sizes_plot(),
        "replicas": replicas_plot(),
        "trade": trade_plot(),
        "memory": memory_plot(),
    }


def filled(page):
    for name, rows in tables().items():
        marked = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        page, times = re.subn(marked, lambda found: f"{found[1]}{rows}\n{found[2]}", page, flags=re.DOTALL)
        if times != 1:
            sys.exit(f"{PAGE.name} has no place for the table {name}")
    return page


def main():
    written = {PAGE: filled(PAGE.read_text())}
    written |= {PLOTS / f"{name}.svg": drawn for name, drawn in plots().items()}
    stale = [path for path, text in written.items() if not path.exists() or path.read_text() != text]
    if sys.argv[1:] == ["--check"]:
        if stale:
            sys.exit(f"not what the results say: {', '.join(path.name for path in stale)}")
        return
    PLOTS.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(written[path])


main()
