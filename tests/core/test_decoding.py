"""Jobs, GitRepos and Namespaces as they travel into facts: outcome, finish, owner, annotations."""

from typing import Any

import msgspec
import pytest

from cleaner import fleet, model
from tests.core.worlds import COMMIT, HOUR, NOW, OLD, REPO, UID, Raw, conditions, gitrepo, job, namespace, page, stamp

AT_END, AT_COMPLETION, AT_START, AT_CREATION = 1000.0, 2000.0, 3000.0, 4000.0


def _read(raw: Raw) -> model.Job:
    found = fleet.read_job(msgspec.json.encode(raw))
    assert found is not None
    return found


def _read_gitrepo(raw: Raw) -> model.GitRepo:
    return fleet.read_gitrepo(msgspec.json.encode(raw))


def _with_status(**status: Any) -> model.Job:
    return _read({**job(), "status": status})


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        pytest.param({"conditions": conditions("succeeded", stamp(9))}, model.Outcome.SUCCEEDED, id="complete"),
        pytest.param({"conditions": conditions("failed", stamp(9))}, model.Outcome.FAILED, id="failed"),
        pytest.param({"conditions": conditions("failed", stamp(9))[:1]}, None, id="failure-target-only"),
        pytest.param({"conditions": conditions("succeeded", stamp(9))[:1]}, None, id="success-criteria-met-only"),
        pytest.param({"conditions": [{"type": "Failed", "status": "False"}]}, None, id="failed-is-false"),
        pytest.param({"conditions": [{"type": "Complete", "status": "Unknown"}]}, None, id="complete-is-unknown"),
        pytest.param({"conditions": [{"type": "Suspended", "status": "True"}]}, None, id="suspended"),
        pytest.param({"conditions": [], "failed": 3}, None, id="three-failures-and-still-at-it"),
        pytest.param({"conditions": None, "succeeded": 1}, None, id="counted-but-not-complete"),
        pytest.param({"active": 1}, None, id="active"),
        pytest.param(
            {"conditions": conditions("succeeded", stamp(9)), "succeeded": 1, "failed": 2},
            model.Outcome.SUCCEEDED,
            id="complete-after-two-failures",
        ),
    ],
)
def test_the_outcome_comes_from_the_terminal_condition_and_never_from_counters(
    status: Raw, outcome: model.Outcome | None
) -> None:
    read = _with_status(**status)

    assert outcome is read.outcome
    assert (read.finished is None, read.problem) == (outcome is None, "")


def test_complete_and_failed_at_once_is_a_problem() -> None:
    read = _with_status(conditions=conditions("failed", stamp(9)) + conditions("succeeded", stamp(9)))

    assert (read.outcome, read.finished) == (None, None)
    assert read.problem == "its status says both Complete and Failed"


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        pytest.param((), AT_END, id="condition"),
        pytest.param(("condition",), AT_COMPLETION, id="completion"),
        pytest.param(("condition", "completion"), AT_START - HOUR, id="start-and-deadline"),
        pytest.param(("condition", "completion", "start"), AT_CREATION, id="creation-without-a-start"),
        pytest.param(("condition", "completion", "deadline"), AT_CREATION, id="creation-without-a-deadline"),
        pytest.param(("completion", "start", "deadline"), AT_END, id="a-failed-job-has-no-completion-time"),
    ],
)
def test_the_time_of_the_finish_falls_back_and_is_never_the_present(missing: tuple[str, ...], expected: float) -> None:
    raw = job(created_ago=AT_CREATION)
    raw["spec"] = {} if "deadline" in missing else {"activeDeadlineSeconds": HOUR}
    raw["status"] = {"conditions": conditions("failed", None if "condition" in missing else stamp(AT_END))}
    raw["status"] |= {} if "completion" in missing else {"completionTime": stamp(AT_COMPLETION)}
    raw["status"] |= {} if "start" in missing else {"startTime": stamp(AT_START)}

    assert NOW.timestamp() - expected == _read(raw).finished


@pytest.mark.parametrize(
    ("changed", "owned"),
    [
        pytest.param({}, True, id="as-fleet-writes-it"),
        pytest.param({"controller": False}, False, id="not-controlling"),
        pytest.param({"controller": None}, False, id="controller-unset"),
        pytest.param({"apiVersion": "fleet.cattle.io/v1beta1"}, False, id="another-version"),
        pytest.param({"apiVersion": "v1alpha1"}, False, id="no-group"),
        pytest.param({"apiVersion": "gitjob.cattle.io/v1", "kind": "GitJob"}, False, id="gitjob-of-fleet-0.9"),
        pytest.param({"apiVersion": "batch/v1", "kind": "CronJob"}, False, id="cronjob"),
        pytest.param({"kind": "HelmOp"}, False, id="another-kind-of-fleet"),
    ],
)
def test_only_a_controlling_gitrepo_makes_a_job_ours(changed: Raw, owned: bool) -> None:
    raw = job()
    raw["metadata"]["ownerReferences"][0] |= changed

    read = fleet.job_page(page([raw]), {})

    assert (1 if owned else 0, 0 if owned else 1) == (len(read.facts), read.foreign)


@pytest.mark.parametrize("references", [pytest.param(None, id="null"), pytest.param([], id="none")])
def test_a_job_without_owners_is_foreign(references: list[Raw] | None) -> None:
    assert fleet.read_job(msgspec.json.encode(job(ownerReferences=references))) is None


def test_among_several_owners_the_controlling_one_counts() -> None:
    """Kubernetes allows many owners and one controller."""
    ours = job()["metadata"]["ownerReferences"][0]
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "shop", "uid": "another"}

    assert _read(job(ownerReferences=[other, ours])).owner == model.Owner("team", "shop", UID)
    assert (
        fleet.read_job(msgspec.json.encode(job(ownerReferences=[{**other, "controller": True}, {**ours, "controller": False}])))
        is None
    )


def test_all_facts_of_a_job() -> None:
    read = _read(job("shop-abcde", ago=60, created_ago=90, annotations={"protect": "true", "failed-age": "1h"}, finalizers=["x"]))

    assert (read.owner, read.namespace) == (model.Owner("team", "shop", UID), "team")
    assert (read.name, read.uid, read.version, read.commit) == ("shop-abcde", "uid-shop-abcde", "7", OLD)
    assert (read.created, read.finished) == (NOW.timestamp() - 90, NOW.timestamp() - 60)
    assert (read.generations, read.legacy) == (model.Generations("1", "0"), False)
    assert (read.annotations, read.deleting, read.has_finalizers) == ((("failed-age", "1h"), ("protect", "true")), False, True)
    assert _read(job(deletionTimestamp=stamp(1))).deleting


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param(None, None, id="null"),
        pytest.param({}, None, id="none"),
        pytest.param({"job-name": "x", "controller-uid": "y"}, None, id="those-of-the-job-controller"),
        pytest.param({"fleet.cattle.io/force-sync-generation": "3"}, None, id="only-force-sync"),
        pytest.param({"fleet.cattle.io/gitrepo-generation": "2"}, model.Generations("2", ""), id="only-the-generation"),
        pytest.param({"fleet.cattle.io/gitrepo-generation": ""}, model.Generations("", ""), id="an-empty-generation"),
    ],
)
def test_a_job_is_legacy_where_it_lacks_the_label_of_the_generation(
    labels: dict[str, str] | None, expected: model.Generations | None
) -> None:
    raw = job()
    raw["metadata"]["labels"] = labels

    assert expected == _read(raw).generations
    assert (expected is None) is _read(raw).legacy


def test_only_annotations_of_ours_are_kept_without_the_prefix_and_sorted() -> None:
    raw = job(annotations={"protect": "true", "failed-keep": "3"})
    raw["metadata"]["annotations"] |= {"kubectl.kubernetes.io/x": "y", "gitjob-cleaner.io/no": "1", "gitjob-cleaner": "2"}

    assert _read(raw).annotations == (("failed-keep", "3"), ("protect", "true"))


def test_a_protection_counts_where_it_is_the_only_annotation() -> None:
    """Fleet writes two annotations, but somebody may have taken them away, and an importer may never have written them."""
    raw = job()
    raw["metadata"]["annotations"] = {"gitjob-cleaner/protect": "true"}

    assert _read(raw).annotations == (("protect", "true"),)


def test_a_job_without_annotations_has_no_commit() -> None:
    raw = job()
    raw["metadata"]["annotations"] = None

    assert (_read(raw).commit, _read(raw).annotations) == ("", ())


def test_facts_that_many_jobs_share_are_one_object() -> None:
    first, second = fleet.job_page(page([job("shop-00000"), job("shop-00001")]), {}).facts

    assert first.owner is second.owner
    assert first.generations is second.generations


@pytest.mark.parametrize(
    ("parts", "settled"),
    [
        pytest.param({}, True, id="all-seen"),
        pytest.param({"generation": 2}, False, id="a-spec-change-pends"),
        pytest.param({"spec_forceSyncGeneration": 1}, False, id="a-force-update-pends"),
        pytest.param({"spec_forceSyncGeneration": 1, "status_updateGeneration": 1}, True, id="a-force-update-is-done"),
        pytest.param({"spec_forceSyncGeneration": 0}, True, id="missing-is-0"),
        pytest.param({"status_observedGeneration": None}, False, id="nothing-observed"),
    ],
)
def test_a_gitrepo_is_settled_where_fleet_has_seen_all_that_was_asked(parts: Raw, settled: bool) -> None:
    assert settled is _read_gitrepo(gitrepo(**parts)).settled


def test_all_facts_of_a_gitrepo() -> None:
    read = _read_gitrepo(
        gitrepo(
            {"failed-keep": "2"},
            labels={"b": "2", "a": "1"},
            deletionTimestamp=stamp(5),
            spec_pollingInterval="1h0m0s",
            spec_disablePolling=True,
            status_pollingCommit="feed",
        )
    )

    assert (read.namespace, read.name, read.uid, read.path) == ("team", "shop", UID, "team/shop")
    assert (read.commits, read.problem) == ((COMMIT, "feed"), "")
    assert read.current_names == (fleet.job_name("shop", REPO, COMMIT), fleet.job_name("shop", REPO, "feed"))
    assert (read.disable_polling, read.polling_interval) == (True, 3600.0)
    assert (read.last_polled, read.deleting_since) == (NOW.timestamp() - 5, NOW.timestamp() - 5)
    assert (read.labels, read.annotations) == ((("a", "1"), ("b", "2")), (("failed-keep", "2"),))


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        pytest.param({"status_commit": ""}, "its GitRepo has no status.commit", id="empty-commit"),
        pytest.param(
            {"status_commit": None, "status_pollingCommit": "f00"}, "its GitRepo has no status.commit", id="only-polled"
        ),
        pytest.param(
            {"spec_pollingInterval": "often"},
            "spec.pollingInterval of its GitRepo: 'often' is not a duration like 72h, 10m or 1h30m",
            id="bad-interval",
        ),
    ],
)
def test_what_is_wrong_with_a_gitrepo_is_its_problem(parts: Raw, problem: str) -> None:
    assert problem == _read_gitrepo(gitrepo(**parts)).problem


def test_a_gitrepo_without_spec_and_status_has_a_problem_and_no_current_name() -> None:
    read = _read_gitrepo({"metadata": {"name": "shop", "namespace": "team", "uid": UID, "generation": 1}})

    assert (read.commits, read.current_names, read.settled) == ((), (), False)
    assert read.problem == "its GitRepo has no status.commit"


@pytest.mark.parametrize(
    "interval", [pytest.param(None, id="unset"), pytest.param("0s", id="zero"), pytest.param("", id="empty")]
)
def test_the_polling_interval_is_15_seconds_where_none_is_given(interval: str | None) -> None:
    assert _read_gitrepo(gitrepo(spec_pollingInterval=interval)).polling_interval == 15.0


def test_facts_of_a_namespace() -> None:
    read = fleet.read_namespace(msgspec.json.encode(namespace({"protect": "true"})))

    assert read == model.Namespace("team", (("protect", "true"),))


def test_a_polled_commit_that_is_the_current_one_counts_once() -> None:
    assert _read_gitrepo(gitrepo(status_pollingCommit=COMMIT)).commits == (COMMIT,)
