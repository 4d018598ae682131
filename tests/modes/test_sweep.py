"""`sweep` on a real API that holds every class of Job there is: each verdict is the oracle's, and only what is doomed goes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleaner.retention import Reason
from tests.edge.servers import put_gitjob
from tests.modes import judging
from tests.modes.everything import FINALIZER, fill
from tests.modes.judging import Key
from tests.modes.running import Said, run
from tests.world.control_plane import ControlPlane

DOOMED = {"superseded", "expired"}
HOUR = 3600.0


@pytest.fixture(scope="module")
def world() -> Iterator[ControlPlane]:
    """An API of its own, for these tests sweep the whole cluster: 2,000 Jobs, and a Fleet 0.16.1 that can be seen."""
    with ControlPlane(audit=True) as started:
        fill(started.with_crd())
        put_gitjob(started, "cattle-fleet-system", "rancher/fleet:v0.16.1")
        yield started


@pytest.fixture(scope="module")
def kubeconfig(world: ControlPlane) -> Path:
    """As an administrator."""
    return world.kubeconfig()


def swept(kubeconfig: Path, *flags: str) -> Said:
    """What `sweep` says as JSON."""
    return run("sweep", "--output", "json", "--delete-rate", "0", *flags, kubeconfig=kubeconfig)


def versions(world: ControlPlane) -> dict[Key, str]:
    """The resourceVersion of each Job: changed by whatever is done to it."""
    return {key: job["metadata"]["resourceVersion"] for key, job in judging.jobs(world).items()}


RUNS: list[Any] = [
    pytest.param((), {}, (0, 16, 1), id="defaults"),
    pytest.param(("--current", "all"), {"current": "all"}, (0, 16, 1), id="all current ones"),
    pytest.param(("--current", "succeeded"), {"current": "succeeded"}, (0, 16, 1), id="succeeded current ones"),
    pytest.param(("--fleet-version", "v0.10.2", "--current", "all"), {"current": "all"}, (0, 10, 2), id="an old Fleet"),
    pytest.param(("--fleet-version", "v0.10.3", "--wake"), {"wake": True}, (0, 10, 3), id="an old Fleet, to be woken"),
    pytest.param(("--fleet-version", "v0.99.0"), {}, (0, 16, 1), id="a setting that would raise what is seen"),
    pytest.param(
        ("--failed-keep", "3", "--failed-age", "90h", "--succeeded-keep", "2", "--succeeded-age", "1h", "--settle", "5m"),
        {"failed_keep": 3, "failed_age": 90 * HOUR, "succeeded_keep": 2, "succeeded_age": HOUR},
        (0, 16, 1),
        id="counts and ages",
    ),
    pytest.param(
        ("--annotated-age-min", "0s", "--annotated-keep-min", "0", "--annotated-keep-max", "2", "--annotated-age-max", "80h"),
        {"annotated_age_min": 0.0, "annotated_keep_min": 0, "annotated_keep_max": 2, "annotated_age_max": 80 * HOUR},
        (0, 16, 1),
        id="bounds of annotations",
    ),
]


def test_these_jobs_have_every_reason_of_the_table(world: ControlPlane) -> None:
    """By the oracle alone: so that no class is missing from what follows. One reason is a Pod's, one a migration's."""
    seen = {reason for run in (RUNS[1], RUNS[3]) for reason in judging.verdicts(world, *run.values[1:]).values()}

    assert seen == {reason.value for reason in Reason if reason not in (Reason.ORPHANED, Reason.LEGACY)}


@pytest.mark.parametrize(("flags", "settings", "version"), RUNS)
def test_a_dry_run_deletes_nothing_and_gives_every_job_the_oracles_reason(
    world: ControlPlane,
    kubeconfig: Path,
    flags: tuple[str, ...],
    settings: dict[str, Any],
    version: tuple[int, ...],
) -> None:
    before = versions(world)

    said = swept(kubeconfig, "--dry-run", *flags)

    document = said.document
    expected = judging.verdicts(world, settings, version, document["started"])
    assert judging.told(document) == expected
    assert len(expected) >= 2000
    assert len({(line["namespace"], line["gitrepo"]) for line in document["jobs"]}) >= 40
    assert judging.with_result(document, "would-delete") == {key for key, reason in expected.items() if reason in DOOMED}
    assert versions(world) == before
    assert (said.code, document["totals"]["other_jobs"], said.err) == (0, 3, "")


def test_a_sweep_deletes_exactly_what_the_dry_run_named_and_a_second_one_nothing(world: ControlPlane, kubeconfig: Path) -> None:
    before = judging.jobs(world)
    named = judging.with_result(swept(kubeconfig, "--dry-run").document, "would-delete")
    mark = world.audit_end

    said = swept(kubeconfig)

    after = judging.jobs(world)
    document = said.document
    held = {key for key in named if FINALIZER in before[key]["metadata"].get("finalizers", [])}
    assert named == {key for key, reason in judging.told(document).items() if reason in DOOMED}
    assert set(before) - set(after) == named - held == judging.with_result(document, "deleted")
    assert {key for key in held if "deletionTimestamp" in after[key]["metadata"]} == held
    assert held == judging.with_result(document, "terminating")
    untouched = set(before) - named
    assert {key: after[key] for key in untouched} == {key: before[key] for key in untouched}
    assert said.code == 0
    assert _deletions(world, mark) == named

    again = swept(kubeconfig)

    assert (again.code, again.document["totals"]["results"]) == (0, {})
    assert set(judging.jobs(world)) == set(after)


def test_current_jobs_go_behind_a_canary_and_only_those_that_may(world: ControlPlane, kubeconfig: Path) -> None:
    before = judging.jobs(world)
    mark = world.audit_end

    said = swept(kubeconfig, "--current", "all")

    expected = judging.with_result(said.document, "deleted")
    assert expected
    assert set(before) - set(judging.jobs(world)) == expected
    assert {line["reason"] for line in said.document["jobs"] if line["result"] == "deleted"} == {"expired"}
    assert _deletions(world, mark) == expected
    assert (said.code, said.document["canary_tripped"]) == (0, [])


def test_where_fleet_cannot_be_seen_no_current_job_goes(kubeconfig: Path) -> None:
    said = swept(kubeconfig, "--current", "all", "--fleet-namespace", "team-a", "--dry-run")

    assert "expired" not in judging.told(said.document).values()
    assert said.document["fleet"]["recreates"] is True


def _deletions(world: ControlPlane, since: int) -> set[Key]:
    """Jobs that the API was asked to delete."""
    asked = [event["objectRef"] for event in world.audit(since) if event["verb"] == "delete"]
    return {(one["namespace"], one["name"]) for one in asked if one["resource"] == "jobs"}
