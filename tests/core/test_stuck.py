"""What does not move and is not ours to delete is told."""

from typing import Any

import msgspec
import pytest

from cleaner.fleet import job_name, read_gitrepo
from cleaner.retention import Stuck, polling_dies, stuck
from cleaner.retention.stuck import StuckKind
from tests.core.worlds import (
    AT,
    COMMIT,
    FIXED,
    HOUR,
    RECREATES,
    REPO,
    UNKNOWN,
    Raw,
    current_job,
    fleet_facts,
    gitrepo,
    job,
    job_facts,
    stamp,
)

CURRENT_NAME = job_name("shop", REPO, COMMIT)


def told(
    jobs: list[Raw], of: Raw | None = None, version: tuple[int, ...] | None = FIXED, foreign: frozenset[str] = frozenset()
) -> list[Stuck]:
    """Tell what is stuck around the GitRepo."""
    known = read_gitrepo(msgspec.json.encode(of or gitrepo()))
    return stuck(known, job_facts(jobs), fleet_facts(version), AT, foreign)


@pytest.mark.parametrize(
    ("one", "version", "blocks"),
    [
        pytest.param(current_job(labels={}), FIXED, True, id="failed-current-legacy"),
        pytest.param(current_job(labels={}), (0, 10, 4), True, id="on-0.10.4"),
        pytest.param(current_job(labels={}), RECREATES, False, id="not-on-0.10.2"),
        pytest.param(current_job(labels={}), UNKNOWN, False, id="not-on-an-unknown-one"),
        pytest.param(current_job(), FIXED, False, id="labelled"),
        pytest.param(current_job("succeeded", labels={}), FIXED, False, id="succeeded"),
        pytest.param(current_job(None, ago=9, labels={}), FIXED, False, id="running"),
        pytest.param(job(labels={}), FIXED, False, id="old"),
    ],
)
def test_a_failed_current_job_of_an_old_fleet_blocks_its_gitrepo(one: Raw, version: Any, blocks: bool) -> None:
    assert ([StuckKind.BLOCKED_BY_LEGACY] if blocks else []) == [found.kind for found in told([one], version=version)]


def test_what_helps_a_blocked_gitrepo_is_told() -> None:
    (found,) = told([current_job(labels={})])

    assert (found.gitrepo, found.job) == ("team/shop", CURRENT_NAME)
    assert found.text.endswith(": gitjob-cleaner retry team/shop")


@pytest.mark.parametrize(
    ("jobs", "of", "expected"),
    [
        pytest.param([job(outcome=None, created_ago=HOUR)], gitrepo(), [], id="running-for-an-hour"),
        pytest.param([job(outcome=None, created_ago=HOUR + 1)], gitrepo(), ["running-long"], id="running-for-longer"),
        pytest.param([{**job(created_ago=2 * HOUR), "status": 3}], gitrepo(), [], id="unreadable-is-not-running"),
        pytest.param([], gitrepo(deletionTimestamp=stamp(HOUR)), [], id="leaving-for-an-hour"),
        pytest.param([], gitrepo(deletionTimestamp=stamp(HOUR + 1)), ["leaving-long"], id="leaving-for-longer"),
        pytest.param([], gitrepo(status_lastPollingTriggered=stamp(600)), [], id="silent-for-ten-minutes"),
        pytest.param([], gitrepo(status_lastPollingTriggered=stamp(601)), ["polling-died"], id="silent-for-longer"),
        pytest.param([], gitrepo(status_lastPollingTriggered=None), [], id="never-polled"),
        pytest.param([], gitrepo(status_lastPollingTriggered=stamp(9 * HOUR), spec_disablePolling=True), [], id="does-not-poll"),
        pytest.param(
            [], gitrepo(status_lastPollingTriggered=stamp(8 * HOUR), spec_pollingInterval="2h"), [], id="4-long-intervals"
        ),
        pytest.param(
            [],
            gitrepo(status_lastPollingTriggered=stamp(8 * HOUR + 1), spec_pollingInterval="2h"),
            ["polling-died"],
            id="more-than-4-long-intervals",
        ),
    ],
)
def test_what_takes_too_long(jobs: list[Raw], of: Raw, expected: list[str]) -> None:
    assert expected == [found.kind.value for found in told(jobs, of)]


def test_a_job_of_another_owner_under_the_current_name_is_in_the_way() -> None:
    found = told([], foreign=frozenset({CURRENT_NAME, "unrelated"}))

    assert [(one.kind, one.gitrepo, one.job) for one in found] == [(StuckKind.NAME_TAKEN, "team/shop", CURRENT_NAME)]


def test_nothing_is_stuck_around_a_healthy_gitrepo() -> None:
    assert told([job(), current_job()]) == []


@pytest.mark.parametrize(
    ("version", "dies"),
    [
        ("0.10.0", False),
        ("0.10.1", True),
        ("0.10.8", True),
        ("0.10.9", False),
        ("0.10.16", False),
        ("0.11.0", True),
        ("0.11.3", True),
        ("0.11.4", False),
        ("0.12.0", False),
        ("0.16.1", False),
        ("0.9.5", False),
        ("unknown", False),
        ("0.10", False),
        ("", False),
    ],
)
def test_polling_dies_by_itself_in_two_lines_of_fleet(version: str, *, dies: bool) -> None:
    assert polling_dies(version) is dies


@pytest.mark.parametrize(("version", "upgrade"), [((0, 10, 4), True), ((0, 11, 3), True), ((0, 10, 9), False), (None, False)])
def test_dead_polling_is_told_with_what_wakes_it_and_whose_fault_it_is(version: Any, *, upgrade: bool) -> None:
    (found,) = told([], gitrepo(status_lastPollingTriggered=stamp(HOUR)), version)

    assert "gitjob-cleaner retry --nudge team/shop" in found.text
    assert ("upgrade Fleet" in found.text) is upgrade
