"""The totals of a run that ends by itself: what is counted, and what is told only if it is known."""

from typing import Any

import pytest

from cleaner.cluster import Fate, Refusal
from cleaner.happened import Adopted, Happened, NamespaceRefused, Requested, Spared, Unreadable
from cleaner.metrics import LABELS, RUNS, Ended, RunTotals
from cleaner.metrics.run_totals import BRAKES
from cleaner.model import Fleet, GitRepo, Outcome, Owner
from cleaner.result import Migrated, Result
from cleaner.retention import Plan, Reason, Stuck, Verdict
from cleaner.retention.stuck import StuckKind
from cleaner.settings.checks import TAKEN_LABELS
from tests.edge.telling import FAILED, SHOP, SUCCEEDED, attempted, everything, job, of_pods

GONE = Owner("team", "gone", "uid-gone")
Labels = tuple[str, ...]


def result(*verdicts: Verdict, **told: Any) -> Result:
    """What a run of two owners came to, one of whom lives no more; what was deleted is what was attempted."""
    fields: dict[str, Any] = {
        "dry_run": False,
        "fleet": Fleet("0.14.1", recreates=False),
        "started": 900.0,
        "ended": 1000.0,
        "plans": {
            SHOP: Plan([v for v in verdicts if v.job.owner == SHOP]),
            GONE: Plan([v for v in verdicts if v.job.owner == GONE]),
        },
        "gitrepos": {SHOP: GitRepo("team", "shop", SHOP.uid), GONE: None},
        "deletions": {},
        "refused": [],
        "unreadable": [],
        "stuck": [],
        "foreign": 0,
        "left_out": 0,
        "parts": 3,
    }
    return Result(**fields | told)


def told(
    came_to: Result | None, *happened: Happened, code: int = 0, per_gitrepo: bool = True, migrates: bool = False
) -> dict[str, dict[Labels, float]]:
    """What is told after all of that: by name without the prefix, and by the values of the labels in their order."""
    totals = RunTotals("1.2.3", per_gitrepo, migrates=migrates)
    for each in happened:
        totals(each)
    order = {metric.name: metric.labels for metric in RUNS}
    read: dict[str, dict[Labels, float]] = {}
    for family in totals.families(Ended(came_to, code, 5000.0, 12.5)):
        name = family.name.removeprefix("gitjob_cleaner_run_")
        assert name not in read, f"{name} is told twice"
        read[name] = {tuple(s.labels[label] for label in order[family.name]): s.value for s in family.samples}
    return read


def some(values: dict[Labels, float]) -> dict[Labels, float]:
    """The values that are not zero."""
    return {labels: value for labels, value in values.items() if value}


def test_exactly_the_table_is_told() -> None:
    migrated = result(Verdict(job(), Reason.CURRENT), migrated=Migrated())
    families = {f"gitjob_cleaner_run_{name}" for name in told(migrated, *everything(), migrates=True)}

    assert families == {metric.name for metric in RUNS}
    assert {metric.kind for metric in RUNS} == {"gauge"}


def test_every_label_is_explained_and_taken() -> None:
    labels = {label for metric in RUNS for label in metric.labels}

    assert labels <= set(LABELS)
    assert labels | {"job", "mode", "dry_run", "installation"} == set(TAKEN_LABELS)


def test_what_was_deleted_is_counted_by_gitrepo_outcome_and_reason() -> None:
    run = told(result(), attempted(Fate.DELETED), attempted(Fate.WOULD_DELETE), attempted(Fate.FAILED, outcome=SUCCEEDED))

    # All three are attempts on one Job, and the last word counts.
    assert some(run["jobs_deleted"]) == {}
    assert some(run["jobs_would_be_deleted"]) == {}
    assert some(run["job_errors"]) == {("team", "shop", "succeeded", "failed"): 1}


@pytest.mark.parametrize(
    ("fate", "where"),
    [
        (Fate.DELETED, {"jobs_deleted": {("team", "shop", "failed", "superseded"): 1}}),
        (Fate.WOULD_DELETE, {"jobs_would_be_deleted": {("team", "shop", "failed", "superseded"): 1}}),
        (Fate.FAILED, {"job_errors": {("team", "shop", "failed", "failed"): 1}}),
        (Fate.DENIED, {"job_errors": {("team", "shop", "failed", "denied"): 1}}),
        (Fate.UNCONFIRMED, {"job_errors": {("team", "shop", "failed", "unconfirmed"): 1}}),
        (Fate.GONE, {}),
        (Fate.CHANGED, {}),
        (Fate.TERMINATING, {}),
        (Fate.REFUSED, {}),
    ],
)
def test_a_deletion_is_counted_as_what_it_was(fate: Fate, where: dict[str, dict[Labels, float]]) -> None:
    run = told(result(), attempted(fate))

    for name in ("jobs_deleted", "jobs_would_be_deleted", "job_errors"):
        assert some(run[name]) == where.get(name, {})


def test_a_pod_is_no_job() -> None:
    run = told(result(), of_pods(Fate.DELETED))

    assert some(run["jobs_deleted"]) == {}
    assert some(run["pods_deleted"]) == {("team", "shop", "failed"): 1}
    assert some(told(result(), of_pods(Fate.DENIED))["pod_errors"]) == {("team", "shop", "failed", "denied"): 1}


def test_what_is_known_beforehand_begins_at_zero_for_nobody_in_particular() -> None:
    run = told(result())

    assert run["jobs_deleted"] == {
        ("", "", outcome, reason): 0 for outcome in ("succeeded", "failed") for reason in ("superseded", "expired", "legacy")
    }
    assert set(run["jobs_retained"].values()) == {0}
    assert run["braked"] == {(brake,): 0 for brake in BRAKES}
    assert run["backlog_jobs"] == {("team", "shop"): 0}


def test_what_is_kept_is_told_with_its_reason_and_dead_owners_share_a_place() -> None:
    kept = [Verdict(job(), Reason.CURRENT), Verdict(job(outcome=None), Reason.RUNNING), Verdict(job(GONE), Reason.NOT_OWNED)]

    assert some(told(result(*kept))["jobs_retained"]) == {
        ("team", "shop", "failed", "current"): 1,
        ("team", "shop", "running", "running"): 1,
        ("team", "", "failed", "not-owned"): 1,
    }
    assert some(told(result(*kept), per_gitrepo=False)["jobs_retained"]) == {
        ("", "", "failed", "current"): 1,
        ("", "", "running", "running"): 1,
        ("", "", "failed", "not-owned"): 1,
    }


def test_the_backlog_is_what_is_due_and_still_there() -> None:
    doomed = Verdict(job(), Reason.SUPERSEDED)
    uid = doomed.job.uid

    for fate, left in [(Fate.DELETED, 0), (Fate.GONE, 0), (Fate.CHANGED, 0), (Fate.TERMINATING, 0), (Fate.FAILED, 1), (None, 1)]:
        deletions = {} if fate is None else {uid: attempted(fate).deletion}
        assert told(result(doomed, deletions=deletions))["backlog_jobs"] == {("team", "shop"): left}, fate


def test_the_last_success_is_the_newest_job_that_succeeded() -> None:
    verdicts = [Verdict(job(outcome=SUCCEEDED, took=took), Reason.CURRENT) for took in (10.0, 30.0, 20.0)]

    assert told(result(*verdicts, Verdict(job(took=99.0), Reason.CURRENT)))["fleet_last_success_timestamp_seconds"] == {
        ("team", "shop"): 1030.0
    }


def test_the_rest_is_told_as_it_is() -> None:
    run = told(
        result(
            refused=[NamespaceRefused("other", "jobs", "", denied=True)],
            unreadable=[Unreadable("Job", "team", "x", "")],
            stuck=[Stuck(StuckKind.RUNNING_LONG, "team/shop", "x", "")],
            foreign=4,
            brake=Refusal("clock", ""),
            migrated=Migrated(adopted=["a/b", "a/c"], forced=["a/b"], problems=["x"], running=["a/d"], waiting=["a/e"]),
        ),
        Requested("list", "jobs", "200", 0.1),
        Requested("list", "jobs", "200", 0.1),
        Spared(Verdict(job(), Reason.CURRENT)),
        code=5,
        migrates=True,
    )

    numbers = {name: values[()] for name, values in run.items() if () in values}
    assert numbers == {
        "spared": 1,
        "canary_tripped": 0,
        "errors_kept": 0,
        "gitrepos": 1,
        "namespaces_refused": 1,
        "unreadable_objects": 1,
        "foreign_jobs": 4,
        "gitrepos_adopted": 2,
        "gitrepos_forced": 1,
        "problems": 3,
        "duration_seconds": 12.5,
        "exit_code": 5,
        "last_completion_timestamp_seconds": 5000,
    }
    assert some(run["stuck"]) == {("running-long",): 1}
    assert some(run["braked"]) == {("clock",): 1}
    assert run["api_requests"] == {("list", "jobs", "200"): 2}
    assert run["info"] == {("1.2.3", "0.14.1"): 1}


def test_after_an_error_nothing_is_told_of_what_is_there_but_what_was_done_is() -> None:
    run = told(None, attempted(Fate.DELETED), code=4)

    assert some(run["jobs_deleted"]) == {("team", "shop", "failed", "superseded"): 1}
    assert run["exit_code"] == {(): 4}
    assert run.keys().isdisjoint({"jobs_retained", "backlog_jobs", "gitrepos", "stuck", "last_success_timestamp_seconds"})


def test_what_a_migration_did_before_an_error_ended_it_counts() -> None:
    run = told(None, Adopted(job(), pending=False), Adopted(job(), pending=False), code=4, migrates=True)

    assert (run["gitrepos_adopted"], run["gitrepos_forced"], run["problems"]) == ({(): 1}, {(): 0}, {(): 1})


def test_without_any_request_there_is_a_zero_that_takes_the_place_of_what_was() -> None:
    assert told(None, code=2)["api_requests"] == {("list", "jobs", "200"): 0}


def test_a_run_that_read_nothing_tells_nothing_of_what_is_there() -> None:
    assert told(result(parts=0), code=3).keys().isdisjoint({"jobs_retained", "gitrepos", "foreign_jobs"})


@pytest.mark.parametrize(
    ("came_to", "code", "success"),
    [
        (result(), 0, True),
        (result(), 1, False),
        (None, 0, False),
        (result(brake=Refusal("stop", "SIGTERM")), 0, False),
    ],
)
def test_a_success_has_done_all_of_its_work(came_to: Result | None, code: int, success: bool) -> None:
    assert Ended(came_to, code, 5000.0, 1.0).success is success
    assert ("last_success_timestamp_seconds" in told(came_to, code=code)) is success


def test_a_sum_over_gitrepos_is_the_same_without_a_breakdown() -> None:
    happened = [attempted(Fate.DELETED, Owner("team", f"shop-{n}", f"uid-{n}"), Outcome.FAILED) for n in range(2)]
    # The two are the same Job by uid, so one of them counts.
    for per_gitrepo in (True, False):
        assert sum(told(result(), *happened, per_gitrepo=per_gitrepo)["jobs_deleted"].values()) == 1
    assert FAILED is Outcome.FAILED
