"""What panels make of several services and runs: nothing is counted twice, and nothing bad hides behind something good."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ship.charted import panels, substituted
from tests.world.prometheus import promtool

pytestmark = pytest.mark.system

NOW = 6000
"""Seconds since the epoch, of promtool's clock."""

EARNEST = 'namespace="cattle-fleet-system",job="cleaner",instance="a"'
STANDBY = 'namespace="cattle-fleet-system",job="cleaner",instance="b"'
DRY = 'namespace="trial",job="cleaner",instance="c"'
OTHER = 'namespace="other",job="cleaner",instance="d"'
GITREPO = 'gitrepo_namespace="fleet-default",gitrepo="shop"'
SWEEP = 'job="gitjob-cleaner",mode="sweep",dry_run="false"'

World = dict[str, float]


def process(labels: str, *, success: float, leader: int = 1, dry: int = 0) -> World:
    """What one process of a service tells of seven GitRepos, one of them with five Jobs kept and three due."""
    kept = f'{labels},{GITREPO},outcome="failed",reason="current"'
    told = {
        f"leader{{{labels}}}": leader,
        f"dry_run{{{labels}}}": dry,
        f"gitrepos{{{labels}}}": 7,
        f'stuck{{{labels},kind="name-taken"}}': 2,
        f"jobs_retained{{{kept}}}": 5,
        f"backlog_jobs{{{labels},{GITREPO}}}": 3,
        f"last_success_timestamp_seconds{{{labels}}}": success,
        f'fleet_info{{{labels},version="0.12.3"}}': 1,
    }
    return {f"gitjob_cleaner_{series}": value for series, value in told.items()}


def run(fleet: str, success: float, installation: str) -> World:
    """What a sweep has pushed."""
    labels = f'{SWEEP},installation="{installation}"'
    return {
        f'gitjob_cleaner_run_info{{{labels},version="9.9.9",fleet="{fleet}"}}': 1,
        f"gitjob_cleaner_run_last_success_timestamp_seconds{{{labels}}}": success,
    }


BESIDE = {
    **process(EARNEST, success=1000),
    **process(STANDBY, success=5900, leader=0),
    **process(DRY, success=5990, dry=1),
}
"""A service with a standby, stale, and a dry run that is well."""

LEADERLESS = {**process(EARNEST, success=1000, leader=0), **process(DRY, success=5990, dry=1)}
DRY_ALONE = process(DRY, success=5990, dry=1)
TWO = {**process(EARNEST, success=1000), **process(OTHER, success=5990)}

SUMS = {"GitRepos": 7, "Stuck": 2, "Backlog": 3, "Backlog over time": 3}


def wanted(title: str, column: int) -> str:
    """What a panel asks."""
    (panel,) = [panel for panel in panels() if panel["title"] == title]
    return substituted(panel["targets"][column]["expr"])


def told(folder: Path, world: World, title: str, samples: Mapping[str, float], column: int = 0) -> str:
    """What promtool has to say to a panel that ought to show these samples; nothing if it does."""
    asked = {
        "expr": wanted(title, column),
        "eval_time": f"{NOW}s",
        "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()],
    }
    series = [{"series": name, "values": f"{value}x{NOW // 60}"} for name, value in world.items()]
    test: dict[str, Any] = {"interval": "1m", "input_series": series, "promql_expr_test": [asked]}
    page = folder / "test.yaml"
    page.write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}), encoding="utf-8")
    found = promtool("test", "rules", page)
    return "" if found.returncode == 0 else found.stdout + found.stderr


@pytest.mark.parametrize("title", SUMS)
@pytest.mark.parametrize("world", [BESIDE, DRY_ALONE], ids=["beside", "alone"])
def test_a_dry_run_is_counted_only_where_nothing_else_runs(tmp_path: Path, world: World, title: str) -> None:
    assert told(tmp_path, world, title, {"{}": SUMS[title]}) == ""


@pytest.mark.parametrize("world", [BESIDE, DRY_ALONE], ids=["beside", "alone"])
def test_jobs_that_are_kept_are_counted_once(tmp_path: Path, world: World) -> None:
    assert told(tmp_path, world, "Retained by reason", {'{reason="current"}': 5}) == ""
    assert told(tmp_path, world, "Most Jobs kept", {f"{{{GITREPO}}}": 5}) == ""


def test_a_dry_run_does_not_stand_in_for_a_service_without_a_leader(tmp_path: Path) -> None:
    assert told(tmp_path, LEADERLESS, "GitRepos", {}) == ""
    assert told(tmp_path, LEADERLESS, "Leaders", {'{namespace="cattle-fleet-system",job="cleaner"}': 0}) == ""


def test_two_services_are_counted_both(tmp_path: Path) -> None:
    assert told(tmp_path, TWO, "GitRepos", {"{}": 14}) == ""


def test_a_stale_success_is_not_hidden(tmp_path: Path) -> None:
    stale, fresh = '{namespace="cattle-fleet-system",job="cleaner"}', '{namespace="other",job="cleaner"}'

    assert told(tmp_path, BESIDE, "Last success", {stale: 5000}) == ""
    assert told(tmp_path, TWO, "Last success", {stale: 5000, fresh: 10}) == ""


def test_each_installation_of_a_cronjob_has_its_last_success(tmp_path: Path) -> None:
    world = {**run("0.12.3", 1000, "one"), **run("0.12.3", 5990, "two")}

    assert told(tmp_path, world, "Last success", {'{installation="one"}': 5000, '{installation="two"}': 10}, column=1) == ""


def test_services_in_two_namespaces_have_a_leader_each(tmp_path: Path) -> None:
    samples = {'{namespace="cattle-fleet-system",job="cleaner"}': 1, '{namespace="other",job="cleaner"}': 1}

    assert told(tmp_path, TWO, "Leaders", samples) == ""


def test_the_cleaners_version_is_never_fleets(tmp_path: Path) -> None:
    assert told(tmp_path, run("", 1000, "one"), "Fleet's version", {}) == ""
    assert told(tmp_path, run("0.12.3", 1000, "one"), "Fleet's version", {'{version="0.12.3"}': 1}) == ""
