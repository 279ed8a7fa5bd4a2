"""What must be true of the rules, the dashboard and the runbook together. For `.ci/rules`, which has promtool and Grafana's
types judge the rest.

    rules.py files FOLDER                   what can be seen from the files; leaves FOLDER/queries.yaml for promtool: every
                                            query of the dashboard, as a rule
    rules.py live PROMETHEUS OPERATORS      what a running service and a Prometheus that scrapes it know of it
"""

import json
import re
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

RULES = Path("deploy/prometheus/rules.yaml")
TESTS = Path("deploy/prometheus/rules.test.yaml")
DASHBOARD = Path("deploy/grafana/dashboard.json")
RUNBOOK = Path("docs/runbook.md")

# Words of PromQL that stand where a metric might.
WORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan"}

# What Prometheus makes itself.
ITS_OWN = {"up", "ALERTS"}

faults = []


def must(holds, fault):
    if not holds:
        faults.append(fault)


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard():
    return json.loads(DASHBOARD.read_text())


def queries(values):
    """Every query of the dashboard, with the panel it is of, its variables replaced."""
    shown = dashboard()

    def filled(expr):
        return re.sub(r"\$(\w+)", lambda found: values[found[1]], expr)

    for panel in shown["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], filled(target["expr"])
    for mark in shown["annotations"]["list"]:
        yield f"the marks {mark['name']}", filled(mark["expr"])


def selectors(expr):
    """Every metric that is named, with its matchers."""
    # Spans and grouping hold no metric; what is in quotes holds anything.
    strings = []
    expr = re.sub(r'"[^"]*"', lambda found: strings.append(found[0]) or f"\0{len(strings) - 1}\0", expr)
    expr = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", expr)
    expr = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", " ", expr)
    for name, matchers in re.findall(r"(?<![\w:{,.\0])([a-zA-Z_:][\w:]*)(?![\w:])(?!\s*\()(\{[^}]*\})?", expr):
        if name.lower() not in WORDS:
            yield name, re.sub(r"\0(\d+)\0", lambda found: strings[int(found[1])], matchers)


def each(matchers):
    """The matchers, and, of each of them that lists words, every word by itself: one that nothing is called would not be
    missed among others."""
    yield matchers
    for label, words in re.findall(r'(\w+)[=!]~"(\w+(?:\|\w+)+)"', matchers):
        for word in words.split("|"):
            yield f'{{{label}="{word}"}}'


def slug(heading):
    """The anchor that GitHub gives a heading: lower case, punctuation gone, a dash for each space."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def entries():
    """The runbook's entries, by their anchors."""
    parts = re.split(r"^## (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    return {slug(heading): text for heading, text in zip(parts[1::2], parts[2::2])}


def check_alerts():
    known = entries()
    fires, rests = set(), set()
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            (fires if case.get("exp_alerts") else rests).add(case["alertname"])
    alerts = [rule for rule in rules() if "alert" in rule]
    for rule in alerts:
        name = rule["alert"]
        must(name in fires, f"{name}: no test has it fire")
        must(name in rests, f"{name}: no test has it not fire")
        must(rule.get("for"), f"{name}: it has no `for`")
        severity = rule["labels"].get("severity")
        must(severity in {"page", "ticket"}, f"{name}: its severity is {severity}")
        notes = rule["annotations"]
        must({"summary", "description", "runbook_url"} == set(notes), f"{name}: its annotations are {sorted(notes)}")
        path, _, anchor = notes.get("runbook_url", "").partition("#")
        must(Path(path) == RUNBOOK, f"{name}: its runbook is {path}")
        must(anchor in known, f"{name}: {path} has no entry #{anchor}")
        told = re.search(rf"`{name}`[^(\n]*\({severity}\)|`{name}`, `\w+` \({severity}\)", known.get(anchor, ""))
        must(told, f"{name} ({severity}): the entry #{anchor} does not name it so")
    # Both ways: no entry is of an alert that is gone.
    names = {rule["alert"] for rule in alerts}
    text = RUNBOOK.read_text()
    for name in re.findall(r"`(WecomProxy\w+)`", text):
        must(name in names, f"{RUNBOOK}: there is no alert {name}")
    for anchor in re.findall(r"\]\(#([^)]+)\)", re.sub(r"\s+", " ", text)):
        must(anchor in known, f"{RUNBOOK}: it has no entry #{anchor}")


def check_runbook_base():
    """The line that operators are told to use does what it says."""
    pattern, base = re.search(r"sed 's\|([^|]+)\|([^|]+)\|'", RULES.read_text()).groups()
    for rule in rules():
        url = rule.get("annotations", {}).get("runbook_url", pattern)
        must(url.replace(pattern, base, 1).startswith("https://"), f"{url}: the line with sed leaves it as it is")


def files(folder):
    check_alerts()
    check_runbook_base()
    values = {"instance": "a", "app": "default", "__rate_interval": "1m", "datasource": "x"}
    records = [{"record": f"query:{place}", "expr": expr} for place, (_, expr) in enumerate(queries(values))]
    Path(folder, "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))


def ask(prometheus, path, **parameters):
    url = f"http://{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)["data"]


def live(prometheus, operators):
    with urllib.request.urlopen(f"http://{operators}/metrics", timeout=30) as answer:
        exported = re.findall(r"^([a-zA-Z_:][\w:]*)", answer.read().decode(), flags=re.MULTILINE)
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in exported if name.startswith("wecom_proxy_")}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    values = {"instance": operators, "app": "default", "__rate_interval": "10s"}
    shown = list(queries(values))
    used = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()] + shown

    for place, expr in used:
        for name, matchers in selectors(expr):
            if ":" in name:
                must(name in recorded, f"{place}: nothing records {name}")
                continue
            must(name in ITS_OWN or name in exported, f"{place}: the service does not export {name}")
            if name != "ALERTS":
                for one in each(matchers):
                    found = ask(prometheus, "query", query=f"count({name}{one})")["result"]
                    must(found, f"{place}: nothing is {name}{one}")
    for place, expr in shown:
        if expr.startswith("ALERTS"):
            continue
        result = ask(prometheus, "query", query=expr)["result"]
        must(any(one["value"][1] != "NaN" for one in result), f"{place}: nothing comes of {expr}")
    variables = {query for one in dashboard()["templating"]["list"] for query in re.findall(r"wecom_proxy_\w+", str(one["query"]))}
    must(variables <= set(exported), f"the variables of the dashboard: not all of {variables} are exported")
    on_it = {re.sub("_(bucket|sum|count)$", "", name) for _, expr in shown for name, _ in selectors(expr)} | variables
    must(families <= on_it, f"the dashboard does not show {sorted(families - on_it)}")

    for group in ask(prometheus, "rules")["groups"]:
        for rule in group["rules"]:
            must(rule["health"] == "ok", f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}")
    print(f"{len(used)} expressions, {len(families)} families of metrics")


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    {"files": files, "live": live}[what](*arguments)
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)
