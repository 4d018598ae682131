"""Jobs that finish by themselves: what the real controllers, a scheduler and kwok make of them, and what they remove."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cleaner.retention import Policy, Rule
from tests.edge.passes import sweep
from tests.world import binaries, fleet_load, seed
from tests.world.control_plane import ControlPlane
from tests.world.controllers import CONTROLLERS, TTL_AFTER_FINISHED, Controllers
from tests.world.fleet_load import Commit, Load

pytestmark = pytest.mark.long

Json = dict[str, Any]


@pytest.fixture(scope="module")
def controllers() -> Iterator[Controllers]:
    """Beside a control plane of their own: what other tests make must not finish by itself."""
    with (
        ControlPlane() as own,
        Controllers(own.with_crd(), controllers=[*CONTROLLERS, TTL_AFTER_FINISHED]) as started,
    ):
        yield started
        started.must_live()


@pytest.fixture
def world(controllers: Controllers) -> ControlPlane:
    return controllers.control_plane


@pytest.fixture
def place(world: ControlPlane) -> str:
    return seed.namespace(world)


def taken_up(world: ControlPlane, place: str, gitrepo: str, ttl: int | None = None) -> Commit:
    """The first commit of a GitRepo."""
    (made,) = fleet_load.gitrepos(world, place, [gitrepo])
    return fleet_load.take_up(world, made, seed.sha("first"), ttl)


def ended(world: ControlPlane, place: str, commit: Commit) -> Json:
    """Its Job, once that has ended."""
    await_that(lambda: {"Complete", "Failed"} & {each[0] for each in conditions(job_of(world, place, commit))} != set())
    return job_of(world, place, commit)


def job_of(world: ControlPlane, place: str, commit: Commit) -> Json:
    status, job = world.request("GET", f"/apis/batch/v1/namespaces/{place}/jobs/{commit.job}")
    assert status == 200, job
    return dict(job)


def conditions(job: Json) -> list[tuple[str, str, str]]:
    return [(each["type"], each["status"], each["reason"]) for each in job["status"].get("conditions", [])]


def pods(world: ControlPlane, place: str) -> list[Json]:
    return list(world.request("GET", f"/api/v1/namespaces/{place}/pods")[1]["items"])


def gone(world: ControlPlane, path: str) -> bool:
    return world.request("GET", path)[0] == 404


def await_that(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.1)


@pytest.mark.parametrize(("gitrepo", "outcome"), [("shop", "succeeded"), ("bad-shop", "failed")])
def test_a_job_ends_as_a_recorded_one_did(world: ControlPlane, place: str, gitrepo: str, outcome: str) -> None:
    job = ended(world, place, taken_up(world, place, gitrepo))

    recorded = seed.fixture(f"v0.16.1/jobs-{outcome}-current.json")
    assert conditions(recorded) == conditions(job)
    assert recorded["status"].keys() == job["status"].keys()


def test_a_pod_that_failed_says_why(world: ControlPlane, place: str) -> None:
    ended(world, place, taken_up(world, place, "bad-shop"))

    (pod,) = pods(world, place)
    (container,) = pod["status"]["containerStatuses"]
    recorded = seed.fixture("v0.16.1/pod-failed.json")["status"]["containerStatuses"][0]
    assert recorded["state"]["terminated"]["message"] == container["state"]["terminated"]["message"]
    assert (pod["status"]["phase"], container["state"]["terminated"]["exitCode"]) == ("Failed", 1)


def test_a_pod_that_a_job_has_left_behind_goes_and_one_that_has_its_job_stays(world: ControlPlane, place: str) -> None:
    left, kept = (ended(world, place, taken_up(world, place, gitrepo)) for gitrepo in ("bad-shop", "shop"))
    path = f"/apis/batch/v1/namespaces/{place}/jobs/{left['metadata']['name']}"
    world.request("DELETE", path, {"propagationPolicy": "Orphan"})
    await_that(lambda: gone(world, path))
    assert len(pods(world, place)) == 2

    at_once = Policy(Rule(0, 0.0), Rule(0, 0.0), settle=0.0)
    done = sweep(world.kubeconfig(), place, policy=at_once, orphaned_pods=True)

    (orphan,) = done.result.pods.deletions.values()
    assert (orphan.fate.value, orphan.doomed.job.owner.name) == ("deleted", "bad-shop")
    assert [pod["metadata"]["labels"]["job-name"] for pod in pods(world, place)] == [kept["metadata"]["name"]]


@pytest.mark.parametrize("gitrepo", ["shop", "bad-shop"])
def test_background_deletion_removes_the_pods(world: ControlPlane, place: str, gitrepo: str) -> None:
    job = ended(world, place, taken_up(world, place, gitrepo))
    (pod,) = pods(world, place)
    assert pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
    path = f"/apis/batch/v1/namespaces/{place}/jobs/{job['metadata']['name']}"

    status, _ = world.request("DELETE", path, {"propagationPolicy": "Background"})

    assert status == 200
    await_that(lambda: gone(world, path) and not pods(world, place))


def test_a_deleted_gitrepo_takes_its_jobs_along(world: ControlPlane, place: str) -> None:
    commit = taken_up(world, place, "shop")
    ended(world, place, commit)

    world.request("DELETE", f"/apis/fleet.cattle.io/v1alpha1/namespaces/{place}/gitrepos/shop")

    await_that(lambda: gone(world, f"/apis/batch/v1/namespaces/{place}/jobs/{commit.job}") and not pods(world, place))


def test_a_deleted_namespace_goes(world: ControlPlane, place: str) -> None:
    ended(world, place, taken_up(world, place, "shop"))

    world.request("DELETE", f"/api/v1/namespaces/{place}")

    await_that(lambda: gone(world, f"/api/v1/namespaces/{place}"))


def test_a_job_with_a_time_to_live_is_deleted(world: ControlPlane, place: str) -> None:
    commit = taken_up(world, place, "shop", ttl=1)

    await_that(lambda: gone(world, f"/apis/batch/v1/namespaces/{place}/jobs/{commit.job}") and not pods(world, place))


def test_a_load_commits_in_turn(world: ControlPlane, place: str) -> None:
    with Load(world, place, gitrepos=3, failing=1, rate=20) as load:
        await_that(lambda: len(load.commits) >= 7)

    _, listed = world.request("GET", f"/apis/fleet.cattle.io/v1alpha1/namespaces/{place}/gitrepos")
    latest = {each.gitrepo: each.commit for each in sorted(load.commits, key=lambda each: each.written)}
    assert latest == {each["metadata"]["name"]: each["status"]["commit"] for each in listed["items"]}
    assert latest.keys() == {"bad-0", "shop-1", "shop-2"}
    assert all(each.written <= each.created for each in load.commits)
    for commit in load.commits:
        expected = "Failed" if commit.gitrepo == "bad-0" else "Complete"
        assert conditions(ended(world, place, commit))[-1][0] == expected


def test_a_load_that_is_refused_says_so(world: ControlPlane, place: str) -> None:
    load = Load(world, place, gitrepos=1, rate=20).prepare()
    world.request("DELETE", f"/apis/fleet.cattle.io/v1alpha1/namespaces/{place}/gitrepos/shop-0")

    load.start().wait(60)

    with pytest.raises(RuntimeError, match=r"gitrepos/shop-0/status was refused: .*NotFound"):
        load.stop()


def test_nothing_outlives_its_end() -> None:
    with ControlPlane() as own:
        with Controllers(own, controllers=["job-controller"]) as first:
            groups = first.pids()
        with Controllers(own) as second:  # over the same data, with the Node that is there
            second.must_live()

    assert set(groups) == {"kube-controller-manager", "kube-scheduler", "kwok"}
    for group in groups.values():
        with pytest.raises(ProcessLookupError):
            os.killpg(group, 0)


def test_programs_that_are_given_win_and_the_others_are_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given, cache = tmp_path / "given", tmp_path / "cache"
    given.mkdir()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    filled = binaries.cache_folder()
    filled.mkdir(parents=True)
    for program in (given / "kwok", filled / "kwok", filled / "kube-scheduler", filled / "kube-controller-manager"):
        program.touch(0o755)

    assert binaries.controllers() == {
        "kube-controller-manager": filled / "kube-controller-manager",
        "kube-scheduler": filled / "kube-scheduler",
        "kwok": given / "kwok",
    }


def test_what_renders_manifests_comes_from_the_same_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    filled = binaries.cache_folder()
    filled.mkdir(parents=True)
    for program in (given / "helm", filled / "helm", filled / "kustomize"):
        program.touch(0o755)

    assert binaries.packaging() == {"kustomize": filled / "kustomize", "helm": given / "helm"}
