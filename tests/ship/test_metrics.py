"""The catalogue of metrics, the page that is written from it, and what is exported are one."""

import re
from pathlib import Path

import pytest

from cleaner.happened import Requested
from cleaner.metrics import CATALOGUE, GUARDS, LABELS, RUNS, GuardMetrics
from docs import generate
from tests.edge.telling import OPENMETRICS, Told, families, full

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
COLLIDE = {"namespace", "job", "pod", "instance", "service", "container", "endpoint"}
IDENTIFY = {"name", "uid", "commit", "message", "detail", "job_name"}


def test_the_page_is_the_codes() -> None:
    assert PAGE.read_text(encoding="utf-8") == generate.metrics()


@pytest.mark.parametrize("told", [Told(), full(), full(per_gitrepo=False)], ids=["fresh", "full", "summed"])
def test_exactly_the_catalogue_is_exported(told: Told) -> None:
    exported = families(told.metrics.exposition(OPENMETRICS, ""))
    suffixes = {"counter": "_total", "info": "_info"}

    assert sorted((f.name + suffixes.get(f.type, ""), f.type) for f in exported) == sorted((m.name, m.kind) for m in CATALOGUE)


@pytest.mark.parametrize("told", [Told(), full(), full(per_gitrepo=False)], ids=["fresh", "full", "summed"])
def test_no_label_collides_or_identifies(told: Told) -> None:
    exported = families(told.metrics.exposition("", ""))
    labels = {label for family in exported for sample in family.samples for label in sample.labels}

    assert labels & (COLLIDE | IDENTIFY) == set()


def test_a_full_exposition_leaves_no_metric_without_a_value() -> None:
    assert [family.name for family in families(full().metrics.exposition("", "")) if not family.samples] == []


def test_every_label_is_explained() -> None:
    assert {label for metric in (*CATALOGUE, *RUNS) for label in metric.labels} == set(LABELS)


def test_every_own_name_has_the_prefix_and_every_help_is_a_sentence() -> None:
    named = [metric.name for metric in (*CATALOGUE, *RUNS) if not metric.name.startswith(("gitjob_cleaner_", "process_"))]
    helped = [metric.name for metric in (*CATALOGUE, *RUNS) if not re.fullmatch(r"[^|\n]+\.", metric.help)]

    assert (named, helped) == ([], [])


def test_every_metric_of_the_guard_is_exported_and_on_its_page() -> None:
    metrics = GuardMetrics("1", lambda: (1, 2, 3), lambda: True)
    metrics(Requested("get", "gitrepos", "200", 0.1))
    exported = families(metrics.exposition("", ""))
    page = (PAGE.parent / "guard.md").read_text(encoding="utf-8")
    suffixes = {"counter": "_total", "info": "_info"}
    own = sorted(f.name + suffixes.get(f.type, "") for f in exported if f.name.startswith("gitjob_cleaner_") and f.samples)

    assert own == sorted(metric.name for metric in GUARDS)
    assert [metric.name for metric in GUARDS if f"`{metric.name}`" not in page] == []


def test_every_question_asks_for_what_is_exported() -> None:
    names = {metric.name for metric in CATALOGUE}
    parts = {metric.name + part for metric in CATALOGUE if metric.kind == "histogram" for part in ("_bucket", "_sum", "_count")}
    asked = {name for query in generate.QUERIES.values() for name in re.findall(r"gitjob_cleaner_\w+", query)}

    assert asked - names - parts == set()
