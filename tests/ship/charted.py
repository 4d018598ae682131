"""What the dashboard, the rules and the docs ask Prometheus for, read from what is shipped, and what there is to be asked for."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from cleaner.metrics import CATALOGUE, GUARDS, Metric
from cleaner.metrics.run_totals import RUNS

ROOT = Path(__file__).parents[2]
DASHBOARD: Any = json.loads((ROOT / "grafana/gitjob-cleaner.json").read_text(encoding="utf-8"))
RULES = ROOT / "k8s/prometheus/rules.yaml"
PAGES = sorted((ROOT / "docs/runbooks").glob("*.md"))

EXPORTED: Mapping[str, Metric] = {metric.name: metric for metric in (*CATALOGUE, *GUARDS, *RUNS)}
"""All metrics, of the service, the guard and runs."""

PARTS = {m.name + part: m.name for m in EXPORTED.values() if m.kind == "histogram" for part in ("_bucket", "_sum", "_count")}
"""What a histogram is made of."""

AROUND = {"cluster", "namespace", "job", "instance"}
"""Labels that a scrape gives to what it reads."""

_NAME = re.compile(r"\b(?:gitjob_cleaner|process)_\w+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def panels(rows: bool = False) -> list[Any]:
    """All panels, those of collapsed rows too; the rows themselves only if asked for."""
    every = [each for panel in DASHBOARD["panels"] for each in (panel, *panel.get("panels", ()))]
    return [panel for panel in every if rows or panel["type"] != "row"]


def charted() -> Iterator[str]:
    """The expressions of the panels."""
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])


def marked() -> list[str]:
    """The expressions of the annotations."""
    return [annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]]


def listed() -> Iterator[str]:
    """The selectors of the variables: what is within `label_values(SELECTOR, LABEL)`."""
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"^label_values\((.*), \w+\)$", r"\1", variable["query"]["query"])


def ruled() -> list[str]:
    """The expressions of the recording and alerting rules."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def advised() -> list[str]:
    """The expressions that the runbooks give."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    return [block for text in texts for block in re.findall(r"```promql\n(.*?)```", text, re.DOTALL)]


def names(expression: str) -> set[str]:
    """The metrics that an expression names, a histogram by its own name; what a rule records is none of them."""
    spoken = _STRING.sub("", expression)
    found = set(re.findall(r"(?<![\w:])" + _NAME.pattern.removeprefix(r"\b") + r"(?![\w:])", spoken))
    return {PARTS.get(name, name) for name in found}


def labels(expression: str) -> set[str]:
    """The labels by which an expression chooses, groups or joins."""
    spoken = _STRING.sub('""', expression)
    chosen = {label for inner in re.findall(r"\{([^}]*)\}", spoken) for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inner)}
    grouped = {
        label
        for inner in re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", spoken)
        for label in re.findall(r"\w+", inner)
    }
    return (chosen | grouped) - {"__name__"}


def labels_of(metrics: set[str]) -> set[str]:
    """The labels that series of these metrics can have; an operator may give a pushed one more, which nobody can know."""
    known = {label for name in metrics for label in EXPORTED[name].labels} | AROUND
    known |= {"le"} if any(EXPORTED[name].kind == "histogram" for name in metrics) else set()
    return known | ({"mode", "dry_run", "installation"} if any("_run_" in name for name in metrics) else set())


def substituted(expression: str) -> str:
    """An expression as Grafana sends it while nothing is chosen, for scrapes each second and a minute that is looked at."""
    for variable, value in {"$__rate_interval": "15s", "$__range": "1m"}.items():
        expression = expression.replace(variable, value)
    return re.sub(r"\$(cluster|gitrepo_namespace|gitrepo)\b", ".*", expression)
