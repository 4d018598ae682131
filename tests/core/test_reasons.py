"""Every reason: where it just holds, where it just does not, until when, and which comes first."""

from typing import Any

import pytest

from cleaner.retention import Reason
from tests.core import oracle
from tests.core.worlds import (
    AT,
    COMMIT,
    DAY,
    FIXED,
    HOUR,
    OLD,
    RECREATES,
    UNKNOWN,
    Raw,
    conditions,
    current_job,
    gitrepo,
    job,
    judge,
    reasons,
    stamp,
)

ALL = {"current": "all", "failed_keep": 0}
NONE_KEPT = {"failed_keep": 0, "succeeded_keep": 0}


def reason(
    one: Raw,
    of: Raw | None = None,
    settings: dict[str, Any] | None = None,
    version: tuple[int, ...] | None = FIXED,
    around: Raw | None = None,
) -> str:
    """Judge a Job that is alone; without settings, none is kept for its place."""
    settings = NONE_KEPT if settings is None else settings
    (verdict,) = judge([one], of or gitrepo(), around, settings, version).verdicts
    return verdict.reason.value


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(job(), "superseded", id="finished-long-ago"),
        pytest.param(job(owner_uid="gone"), "not-owned", id="the-gitrepo-has-another-uid"),
        pytest.param(job(owner_uid="gone", outcome=None), "not-owned", id="running-and-not-owned"),
        pytest.param(job(outcome=None), "running", id="running"),
        pytest.param({**job(), "status": {}}, "running", id="no-status-yet"),
        pytest.param({**job(), "status": {"conditions": conditions("failed", stamp(DAY))[:1]}}, "running", id="failure-target"),
        pytest.param(job(deletionTimestamp=stamp(1)), "deleting", id="deleting"),
        pytest.param(current_job(deletionTimestamp=stamp(1)), "deleting", id="deleting-and-current"),
        pytest.param(job(ago=-30), "settling", id="in-the-future-exactly-by-the-bound"),
        pytest.param(job(ago=-31), "unreadable", id="in-the-future-beyond-the-bound"),
        pytest.param({**job(), "status": {"conditions": 3}}, "unreadable", id="cannot-be-decoded"),
        pytest.param(job(commit="c" * 201), "unreadable", id="a-commit-that-is-none"),
        pytest.param(job(outcome=None, commit="c" * 201), "running", id="running-for-a-commit-that-is-none"),
        pytest.param(job(commit="c" * 200), "superseded", id="the-longest-commit"),
        pytest.param(job(finalizers=["a/b"]), "superseded", id="an-old-job-with-a-finalizer"),
        pytest.param(current_job(finalizers=["a/b"]), "protected", id="a-current-job-with-a-finalizer"),
        pytest.param(current_job(), "current", id="by-name-and-commit"),
        pytest.param(job(commit=COMMIT), "current", id="by-commit-alone"),
        pytest.param({**current_job(), "metadata": {**current_job()["metadata"], "annotations": None}}, "current", id="by-name"),
        pytest.param(job(ago=299), "settling", id="one-second-before-it-has-settled"),
        pytest.param(job(ago=300), "young", id="exactly-when-it-has-settled"),
        pytest.param(job(ago=72 * HOUR - 1), "young", id="one-second-young"),
        pytest.param(job(ago=72 * HOUR), "superseded", id="exactly-of-age"),
        pytest.param(job(outcome="succeeded", ago=599), "young", id="succeeded-one-second-young"),
        pytest.param(job(outcome="succeeded", ago=600), "superseded", id="succeeded-exactly-of-age"),
    ],
)
def test_a_job_by_itself(one: Raw, expected: str) -> None:
    assert expected == reason(one)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(gitrepo(status_commit=""), "unreadable", id="no-commit-yet"),
        pytest.param(gitrepo(status_commit=None), "unreadable", id="commit-is-null"),
        pytest.param(gitrepo(spec_pollingInterval="often"), "unreadable", id="bad-interval"),
        pytest.param(gitrepo(deletionTimestamp=stamp(1)), "leaving", id="being-deleted"),
        pytest.param(gitrepo(status_pollingCommit=OLD), "current", id="the-old-commit-was-polled"),
        pytest.param(gitrepo(status_commit=OLD), "current", id="its-commit-is-current"),
        pytest.param(gitrepo(spec_forceSyncGeneration=1), "superseded", id="unsettled-is-no-reason-for-an-old-job"),
        pytest.param(gitrepo(spec_disablePolling=True), "superseded", id="nor-is-disabled-polling"),
        pytest.param(gitrepo(status_lastPollingTriggered=stamp(DAY)), "superseded", id="nor-is-sleep-where-fleet-is-new"),
    ],
)
def test_an_old_job_by_its_gitrepo(of: Raw, expected: str) -> None:
    assert expected == reason(job(), of)


@pytest.mark.parametrize(
    ("policy", "outcome", "version", "expected"),
    [
        pytest.param("keep", "succeeded", FIXED, "current", id="keep-succeeded"),
        pytest.param("keep", "failed", FIXED, "current", id="keep-failed"),
        pytest.param("succeeded", "succeeded", FIXED, "expired", id="succeeded-succeeded"),
        pytest.param("succeeded", "failed", FIXED, "current", id="succeeded-failed"),
        pytest.param("all", "succeeded", FIXED, "expired", id="all-succeeded"),
        pytest.param("all", "failed", FIXED, "expired", id="all-failed"),
        pytest.param("all", "failed", (0, 10, 4), "expired", id="all-failed-0.10.4"),
        pytest.param("all", "failed", (0, 10, 3), "current", id="all-failed-0.10.3"),
        pytest.param("all", "succeeded", (0, 10, 0), "current", id="all-succeeded-0.10.0"),
        pytest.param("all", "succeeded", (0, 9, 18), "current", id="all-succeeded-0.9"),
        pytest.param("succeeded", "succeeded", RECREATES, "current", id="succeeded-succeeded-0.10.2"),
        pytest.param("all", "failed", UNKNOWN, "current", id="all-failed-unknown"),
    ],
)
def test_a_current_job_by_policy_outcome_and_fleet(
    policy: str, outcome: str, version: tuple[int, ...] | None, expected: str
) -> None:
    assert expected == reason(current_job(outcome), settings={"current": policy}, version=version)


@pytest.mark.parametrize(
    ("one", "of", "expected"),
    [
        pytest.param(current_job(), gitrepo(), "expired", id="settled"),
        pytest.param(current_job(), gitrepo(generation=2), "unsettled", id="spec-change-pends"),
        pytest.param(current_job(), gitrepo(spec_forceSyncGeneration=1), "unsettled", id="force-update-pends"),
        pytest.param(current_job(), gitrepo(spec_disablePolling=True), "unsettled", id="polling-is-off"),
        pytest.param(current_job(ago=299), gitrepo(), "settling", id="settling"),
        pytest.param(current_job(ago=72 * HOUR - 1), gitrepo(), "young", id="young"),
        pytest.param(current_job(ago=72 * HOUR), gitrepo(), "expired", id="of-age"),
        pytest.param(current_job(labels={}), gitrepo(), "expired", id="legacy"),
    ],
)
def test_a_current_job_that_the_policy_lets_go(one: Raw, of: Raw, expected: str) -> None:
    """It needs a settled GitRepo that polls, and the same ages as any other; its place never keeps it."""
    assert expected == reason(one, of, {"current": "all", "failed_keep": 9})


@pytest.mark.parametrize(
    ("version", "of", "settings", "expected"),
    [
        pytest.param(RECREATES, gitrepo(status_lastPollingTriggered=stamp(45)), {}, "superseded", id="exactly-3-intervals"),
        pytest.param(RECREATES, gitrepo(status_lastPollingTriggered=stamp(46)), {}, "asleep", id="more-than-3-intervals"),
        pytest.param((0, 10, 3), gitrepo(status_lastPollingTriggered=stamp(46)), {}, "asleep", id="0.10.3"),
        pytest.param((0, 10, 4), gitrepo(status_lastPollingTriggered=stamp(46)), {}, "superseded", id="0.10.4"),
        pytest.param(UNKNOWN, gitrepo(status_lastPollingTriggered=stamp(46)), {}, "asleep", id="unknown-fleet"),
        pytest.param(RECREATES, gitrepo(status_lastPollingTriggered=stamp(46)), {"wake": True}, "superseded", id="wake"),
        pytest.param(RECREATES, gitrepo(status_lastPollingTriggered=None), {}, "superseded", id="never-polled"),
        pytest.param(
            RECREATES,
            gitrepo(status_lastPollingTriggered=stamp(DAY), spec_disablePolling=True),
            {},
            "superseded",
            id="does-not-poll",
        ),
        pytest.param(
            RECREATES,
            gitrepo(status_lastPollingTriggered=stamp(3 * HOUR), spec_pollingInterval="1h"),
            {},
            "superseded",
            id="3-of-its-own-intervals",
        ),
        pytest.param(
            RECREATES,
            gitrepo(status_lastPollingTriggered=stamp(3 * HOUR + 1), spec_pollingInterval="1h"),
            {},
            "asleep",
            id="more-than-3-of-its-own-intervals",
        ),
        pytest.param(
            RECREATES, gitrepo(status_lastPollingTriggered=stamp(46), spec_pollingInterval="0s"), {}, "asleep", id="0-is-15s"
        ),
    ],
)
def test_a_gitrepo_that_has_stopped_polling_is_not_woken_where_fleet_is_old(
    version: tuple[int, ...] | None, of: Raw, settings: dict[str, Any], expected: str
) -> None:
    assert expected == reason(job(), of, NONE_KEPT | settings, version)


def test_a_gitrepo_that_a_legacy_job_blocks_still_loses_its_old_jobs() -> None:
    """Such a GitRepo stays unsettled for ever: that must not keep its old commits' Jobs for ever."""
    blocked = gitrepo(spec_forceSyncGeneration=1)
    plan = judge([current_job(labels={}), job("shop-00001", labels={})], blocked, settings=ALL)

    assert list(reasons(plan).values()) == ["unsettled", "superseded"]


LEAVING = gitrepo(deletionTimestamp=stamp(1))
ASLEEP = gitrepo(status_lastPollingTriggered=stamp(DAY))


@pytest.mark.parametrize(
    ("one", "of", "settings", "version", "expected"),
    [
        pytest.param(job(outcome=None, owner_uid="x"), gitrepo(), {}, FIXED, "not-owned", id="not-owned-before-running"),
        pytest.param(
            job(outcome=None, deletionTimestamp=stamp(1)), gitrepo(), {}, FIXED, "running", id="running-before-deleting"
        ),
        pytest.param(job(ago=-99, deletionTimestamp=stamp(1)), gitrepo(), {}, FIXED, "deleting", id="deleting-before-unreadable"),
        pytest.param(
            job(ago=-99, annotations={"protect": "true"}), gitrepo(), {}, FIXED, "unreadable", id="unreadable-before-protected"
        ),
        pytest.param(job(annotations={"protect": "true"}), LEAVING, {}, FIXED, "protected", id="protected-before-leaving"),
        pytest.param(current_job(), LEAVING, {}, FIXED, "leaving", id="leaving-before-current"),
        pytest.param(current_job(), gitrepo(generation=2), {}, FIXED, "current", id="current-before-unsettled"),
        pytest.param(current_job(), ASLEEP, ALL, RECREATES, "current", id="current-before-asleep"),
        pytest.param(current_job(ago=9), gitrepo(generation=2), ALL, FIXED, "unsettled", id="unsettled-before-settling"),
        pytest.param(job(ago=9), ASLEEP, {}, RECREATES, "asleep", id="asleep-before-settling"),
        pytest.param(job(ago=9), gitrepo(), {}, FIXED, "settling", id="settling-before-newest-and-young"),
        pytest.param(job(ago=301), gitrepo(), {}, FIXED, "newest", id="newest-before-young"),
        pytest.param(job(ago=301), gitrepo(), NONE_KEPT, FIXED, "young", id="young-before-superseded"),
    ],
)
def test_of_two_reasons_that_hold_the_first_is_given(
    one: Raw, of: Raw, settings: dict[str, Any], version: tuple[int, ...] | None, expected: str
) -> None:
    assert expected == reason(one, of, settings, version)


@pytest.mark.parametrize(
    ("one", "until"),
    [
        pytest.param(job(ago=9), AT - 9 + 300, id="settling-until-it-has-settled"),
        pytest.param(job(ago=301), AT - 301 + 72 * HOUR, id="young-until-it-is-of-age"),
        pytest.param(job(ago=-100), AT + 100, id="unreadable-until-its-finish-has-passed"),
        pytest.param(job(annotations={"protect": stamp(-HOUR)}), AT + HOUR, id="protected-until-its-time"),
        pytest.param(job(annotations={"protect": "true"}), None, id="protected-for-good"),
        pytest.param(current_job(finalizers=["a/b"]), None, id="protected-by-a-finalizer"),
        pytest.param(job(outcome=None), None, id="running"),
        pytest.param(current_job(), None, id="current"),
        pytest.param(job(deletionTimestamp=stamp(1)), None, id="deleting"),
        pytest.param(job(), None, id="superseded"),
    ],
)
def test_until_when_a_verdict_stands(one: Raw, until: float | None) -> None:
    plan = judge([one], gitrepo(), settings=NONE_KEPT)

    assert [until] == [verdict.until for verdict in plan.verdicts]


@pytest.mark.parametrize(
    ("one", "due"),
    [
        pytest.param(job(ago=9), AT - 9 + 72 * HOUR, id="settling-and-then-young"),
        pytest.param(job(ago=-100), AT + 100 + 72 * HOUR, id="in-the-future-then-settling-then-young"),
        pytest.param(job(annotations={"protect": stamp(-HOUR)}), AT + HOUR, id="protected-and-of-age"),
        pytest.param(job(ago=9, annotations={"protect": stamp(-HOUR)}), AT - 9 + 72 * HOUR, id="protected-and-then-young"),
        pytest.param(current_job(ago=9), None, id="a-current-job-is-never-due"),
        pytest.param(job(), None, id="due-already"),
    ],
)
def test_the_next_due_moment_sees_through_all_reasons_that_end(one: Raw, due: float | None) -> None:
    assert due == judge([one], gitrepo(), settings=NONE_KEPT).next_due


def test_a_job_that_would_sleep_when_it_is_of_age_is_never_due() -> None:
    plan = judge([job(ago=9)], gitrepo(), settings=NONE_KEPT, version=RECREATES)

    assert plan.next_due is None


def test_every_reason_says_what_it_means() -> None:
    assert [one.value for one in Reason] == [name for name, _ in oracle.TABLE]
    assert len({one.meaning for one in Reason}) == len(Reason)
    assert [one.value for one in Reason if one.deletes] == ["superseded", "expired", "legacy"]


LEGACY: dict[str, str] = {"job-name": "shop-00000"}
"""The labels of a Job that Fleet <= 0.10.3 made, as far as they matter."""
MIGRATING = {"migrating": True, "failed_keep": 0}


@pytest.mark.parametrize(
    ("one", "of", "expected"),
    [
        pytest.param(job(ago=301, labels=LEGACY), gitrepo(), "legacy", id="old-and-of-no-age"),
        pytest.param(job(ago=299, labels=LEGACY), gitrepo(), "settling", id="settling-holds"),
        pytest.param(job(ago=301), gitrepo(), "young", id="labelled-ones-go-by-the-ordinary-rules"),
        pytest.param(job(ago=301, labels=LEGACY, annotations={"failed-age": "1h"}), gitrepo(), "young", id="annotated-ages-hold"),
        pytest.param(job(ago=301, labels=LEGACY), gitrepo({"failed-age": "1h"}), "young", id="its-gitrepos-too"),
        pytest.param(job(labels=LEGACY, annotations={"protect": "true"}), gitrepo(), "protected", id="protection-holds"),
        pytest.param(job(labels=LEGACY), gitrepo(spec_forceSyncGeneration=2), "legacy", id="old-in-an-unsettled-gitrepo"),
        pytest.param(current_job("failed", labels=LEGACY), gitrepo(), "current", id="a-failed-current-one-is-for-adoption"),
        pytest.param(current_job("succeeded", ago=301, labels=LEGACY), gitrepo(), "expired", id="a-succeeded-current-one"),
        pytest.param(current_job("succeeded", ago=301), gitrepo(), "expired", id="a-labelled-one-that-fleet-forgot"),
        pytest.param(current_job("succeeded"), gitrepo(spec_forceSyncGeneration=2), "unsettled", id="unsettled-holds"),
        pytest.param(current_job("succeeded"), gitrepo(spec_disablePolling=True), "unsettled", id="no-polling-holds"),
        pytest.param(job(outcome=None, labels=LEGACY), gitrepo(), "running", id="running-holds"),
    ],
)
def test_a_migration_asks_no_age_of_what_older_fleets_left(one: Raw, of: Raw, expected: str) -> None:
    assert reason(one, of, MIGRATING) == expected


def test_a_migration_keeps_the_newest() -> None:
    jobs = [job(f"shop-{n}", ago=HOUR - n, labels=LEGACY) for n in range(3)]
    plan = judge(jobs, gitrepo(), settings={"migrating": True, "failed_keep": 1})

    assert reasons(plan) == {"shop-0": "legacy", "shop-1": "legacy", "shop-2": "newest"}


def test_a_migration_lets_no_current_job_go_where_fleet_makes_it_again() -> None:
    assert reason(current_job("succeeded", labels=LEGACY), settings=MIGRATING, version=RECREATES) == "current"
