"""The rules for Prometheus: each alert can be understood, is tried, leads to a runbook, and asks for what is exported."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cleaner.cli.parser import COMMANDS, parse
from cleaner.cluster import Fate
from cleaner.metrics import CATALOGUE, GUARDS, RUNS
from cleaner.metrics.guarding import STATES
from cleaner.model import Outcome
from cleaner.retention import Reason

ROOT = Path(__file__).parents[2]
RULES_FILE = ROOT / "k8s/prometheus/rules.yaml"
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDS = {rule["record"]: rule for rule in RULES if "record" in rule}

RUNBOOKS = ROOT / "docs/runbooks"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted(RUNBOOKS.glob("*.md")) if page.name != "README.md"}
INDEX = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
LINK = "https://github.com/gitjob-cleaner/gitjob-cleaner/blob/main/"

CASES: list[dict[str, Any]] = [
    case
    for page in sorted((ROOT / "tests/data/rules").glob("*.yaml"))
    for test in yaml.safe_load(page.read_text(encoding="utf-8"))["tests"]
    for case in test["alert_rule_test"]
]

RUN_LABELS = {metric.name: metric.labels for metric in RUNS}
RUN = {"mode": {"sweep", "migrate"}, "dry_run": {"true", "false"}}
"""Labels of every run, with their values."""

TARGET = {"cluster", "namespace", "job", "instance"}
"""Labels that a scrape adds, or an operator."""

LABELS = {metric.name: metric.labels for metric in (*CATALOGUE, *GUARDS)}
LABELS |= {name: (*labels, *RUN, "installation") for name, labels in RUN_LABELS.items()}
LABELS |= dict.fromkeys(RECORDS, ())
VALUES = {
    (metric.name, label): set(values)
    for metric in (*CATALOGUE, *GUARDS, *RUNS)
    if metric.starts
    for label, values in zip(metric.labels[-len(metric.starts[0]) :], zip(*metric.starts, strict=True), strict=True)
}
KNOWN: dict[str, set[str]] = {
    "outcome": {outcome.value for outcome in Outcome},
    "reason": {reason.value for reason in Reason},
    "state": set(STATES),
    **RUN,
}
"""Values of labels that do not begin at zero."""

_NAME = re.compile(r"(?<![\w:])(?:\w+:)?(?:gitjob_cleaner|process)_\w+(?::\w+)?(?:\{[^}]*\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


def exprs_of(page: str) -> list[str]:
    return re.findall(r"```promql\n(.*?)```", page, re.DOTALL)


EXPRS = [rule["expr"] for rule in RULES] + [expr for page in PAGES.values() for expr in exprs_of(page)]


def asked(expr: str) -> Iterator[tuple[str, str]]:
    """The metrics that an expression names, each with its selector, or without one."""
    for found in _NAME.findall(expr):
        name, _, selector = found.partition("{")
        yield name, selector.rstrip("}")


def values_asked(expr: str) -> Iterator[tuple[str, str, str]]:
    """The values that an expression compares labels with: metric, label, value. Codes and the empty one can be any."""
    for name, selector in asked(expr):
        for label, operator, text in _MATCHER.findall(selector):
            parts = text.split("|") if "~" in operator else [text]
            yield from ((name, label, part) for part in parts if part and label != "code")


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_is_whole(name: str) -> None:
    alert = ALERTS[name]

    assert re.fullmatch(r"GitJobCleaner[A-Z][A-Za-z]+", name)
    assert alert["labels"] == {"severity": alert["labels"]["severity"]}
    assert alert["labels"]["severity"] in {"warning", "info"}
    assert re.fullmatch(r"[1-9]\d*[mh]", alert["for"])
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert all(re.fullmatch(r"\S.*\.|http\S+", text) for text in alert["annotations"].values())
    assert "{{" not in alert["annotations"]["summary"]


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_waits_for_ten_minutes_at_least(name: str) -> None:
    number, unit = int(ALERTS[name]["for"][:-1]), ALERTS[name]["for"][-1]

    assert number * {"m": 1, "h": 60}[unit] >= 10


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_says_which_cluster_it_is_about(name: str) -> None:
    assert "$labels.cluster" in ALERTS[name]["annotations"]["description"]


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_leads_to_its_runbook(name: str) -> None:
    link = ALERTS[name]["annotations"]["runbook_url"]

    assert link == f"{LINK}docs/runbooks/{name}.md"
    assert (ROOT / link.removeprefix(LINK)).is_file()


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_is_seen_to_fire_and_not_to(name: str) -> None:
    fires = [bool(case["exp_alerts"]) for case in CASES if case["alertname"] == name]

    assert set(fires) == {True, False}


def test_what_is_tried_exists() -> None:
    assert {case["alertname"] for case in CASES} == set(ALERTS)


def test_every_runbook_belongs_to_an_alert_and_is_in_the_index() -> None:
    listed = dict(re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| (\w+) \|", INDEX, re.MULTILINE))

    assert set(PAGES) == set(ALERTS)
    assert listed == {name: alert["labels"]["severity"] for name, alert in ALERTS.items()}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_runbook_has_its_four_sections_with_something_in_each(name: str) -> None:
    title, *sections = re.split(r"^## ", PAGES[name], flags=re.MULTILINE)

    assert title == f"# {name}\n\n"
    assert [section.partition("\n")[0] for section in sections] == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert all(section.partition("\n")[2].strip() for section in sections)


def test_every_command_of_the_runbooks_can_be_parsed() -> None:
    blocks = [block for page in (INDEX, *PAGES.values()) for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)]
    lines = [line.split("#")[0].partition("|")[0].strip() for block in blocks for line in block.splitlines()]
    lines += [text for page in PAGES.values() for text in re.findall(r"`(gitjob-cleaner (?!\W)[^`/]+/?[^`]*)`", page)]
    ours = [line for line in lines if line.startswith("gitjob-cleaner ")]

    assert len(ours) > 10
    assert {parse(shlex.split(line)[1:])[0] for line in ours} <= set(COMMANDS)


def test_what_the_runbooks_look_for_in_the_log_is_logged() -> None:
    source = (ROOT / "cleaner/logs/log.py").read_text(encoding="utf-8")
    logged = {*re.findall(r'"([a-zA-Z ]+)"', source), *(fate.value for fate in Fate)}
    greps = [line for page in PAGES.values() for line in page.splitlines() if "kubectl logs" in line and "grep" in line]
    sought = {word for line in greps for quoted in re.findall(r"'([^']*)'", line) for word in re.findall(r'"([^"]+)"', quoted)}

    assert len(sought) > 8
    assert sought - {"event"} - logged == set()


@pytest.mark.parametrize("expr", EXPRS)
def test_an_expression_asks_for_what_is_exported(expr: str) -> None:
    names = {name for name, _ in asked(expr)}

    assert names or expr.strip() == "up"
    assert {name for name in names if name not in LABELS} == set()


@pytest.mark.parametrize("expr", EXPRS)
def test_an_expression_chooses_by_labels_that_are_there(expr: str) -> None:
    chosen = [(name, label) for name, selector in asked(expr) for label, _, _ in _MATCHER.findall(selector)]
    grouped = {
        label.strip() for inner in re.findall(r"\b(?:by|on|without|ignoring) \(([^)]*)\)", expr) for label in inner.split(",")
    }
    anywhere = TARGET.union(*(LABELS[name] for name, _ in asked(expr)))

    assert [(name, label) for name, label in chosen if label not in LABELS[name]] == []
    assert grouped - anywhere == set()


@pytest.mark.parametrize("expr", EXPRS)
def test_an_expression_asks_for_values_that_are_there(expr: str) -> None:
    unknown = [
        (name, label, value)
        for name, label, value in values_asked(expr)
        if value not in VALUES.get((name, label), KNOWN.get(label, set()))
    ]

    assert unknown == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_what_is_asked_of_runs_is_asked_of_one_mode(rule: dict[str, Any]) -> None:
    """A gateway keeps what was pushed for ever: a migration long ago, or a dry run by hand, is not what a sweep says."""
    chosen = [(name, {label for label, _, _ in _MATCHER.findall(by)}) for name, by in asked(rule["expr"]) if name in RUN_LABELS]

    assert [name for name, labels in chosen if {"mode", "dry_run"} - labels] == []


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_a_recorded_series_has_its_level_its_metric_and_its_operation(name: str) -> None:
    level, metric, operation = name.split(":")
    by = re.search(r"\bby \(([^)]*)\)", RECORDS[name]["expr"])

    assert by is not None
    assert level == by[1].replace(", ", "_")
    assert metric in RECORDS[name]["expr"]
    assert RECORDS[name]["expr"].startswith(f"{operation} ")


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_a_recorded_series_is_used_and_made_before_that(name: str) -> None:
    users = [n for n, rule in enumerate(RULES) if name in rule["expr"]]

    assert users
    assert RULES.index(RECORDS[name]) < min(users)
