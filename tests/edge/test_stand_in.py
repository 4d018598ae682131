"""The stand-in as the demo shows it: Fleet 0.12 and its cast, and how it answers a user as the real one does."""

import random
import threading
import time
from collections.abc import Iterator

import pytest

from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.cast import CAST, Temper, gitrepo
from cleaner.demo.family import V0_12_4, job_name
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.stand_in import FleetStandIn, Pace
from tests.edge.stand_in_world import Object, World, stalled


@pytest.fixture
def world() -> Iterator[World]:
    with Sandbox() as sandbox, Caller(sandbox.url) as caller:
        yield World(sandbox.url, caller)


def make_fail(world: World, name: str) -> Object:
    """Push commits until one fails; returns the failed current Job."""
    for _ in range(20):
        commit = world.push(name)
        world.until(lambda: world.gitrepo(name).get("status", {}).get("commit") == commit)  # noqa: B023 - used at once
        world.until(lambda: not world.unfinished(name))
        world.pass_time(0.5)
        repo = world.gitrepo(name)
        if repo["status"]["gitJobStatus"] == "Failed":
            wanted = job_name(name, repo["spec"]["repo"], commit)
            return next(job for job in world.jobs(name) if job["metadata"]["name"] == wanted)
    raise AssertionError("none failed")


def test_labels_annotations_and_owner_are_fleets(world: World) -> None:
    world.pass_time(0.5)
    job, repo = world.jobs("payments")[0], world.gitrepo("payments")

    assert job["metadata"]["labels"] == {
        "fleet.cattle.io/force-sync-generation": "0",
        "fleet.cattle.io/gitrepo-generation": "1",
    }
    assert job["metadata"]["annotations"] == {"commit": repo["status"]["commit"], "generation": "1"}
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == V0_12_4.image
    assert job["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "fleet.cattle.io/v1alpha1",
            "kind": "GitRepo",
            "name": "payments",
            "uid": repo["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_the_cast_is_there_with_fleets_deployments(world: World) -> None:
    deployments = world.caller.items(path_of("deployments", "cattle-fleet-system"))
    protected = [r for r in world.caller.items(path_of("gitrepos", "")) if r["metadata"].get("annotations")]

    assert [d["metadata"]["name"] for d in deployments] == ["fleet-controller", "gitjob"]
    assert all(d["status"]["observedGeneration"] == d["metadata"]["generation"] for d in deployments)
    assert [r["metadata"]["annotations"] for r in protected] == [{"gitjob-cleaner/protect": "true"}]
    assert len(world.caller.items(path_of("gitrepos", ""))) == len(CAST)


# --- behaviour


def test_a_succeeded_current_job_goes_and_does_not_come_back(world: World) -> None:
    world.until(lambda: world.jobs("monitoring", "fleet-local"))
    world.until(lambda: not world.jobs("monitoring", "fleet-local"))
    world.pass_time(5)

    assert world.jobs("monitoring", "fleet-local") == []
    assert world.gitrepo("monitoring", "fleet-local")["status"]["gitJobStatus"] == "Current"


def test_failed_jobs_of_old_commits_pile_up(world: World) -> None:
    first = make_fail(world, "shop-checkout")
    world.push("shop-checkout")
    world.pass_time(3)
    second = make_fail(world, "shop-checkout")

    assert {first["metadata"]["name"], second["metadata"]["name"]} <= {j["metadata"]["name"] for j in world.jobs("shop-checkout")}


def test_a_failure_is_told_and_forgotten_with_its_job(world: World) -> None:
    """As seen live: a missing Job counts as Current, so the error is gone at the next poll, and nothing runs."""
    job = make_fail(world, "shop-checkout")
    told = stalled(world.gitrepo("shop-checkout"))
    world.caller.delete(path_to("jobs", job), job["metadata"]["uid"])
    world.pass_time(5)
    after = world.gitrepo("shop-checkout")

    assert told["message"].startswith('Job Failed. failed: 1/1{"fleetErrorMessage":"')
    assert (after["status"]["gitJobStatus"], stalled(after)["status"]) == ("Current", "False")
    assert not [j for j in world.jobs("shop-checkout") if j["metadata"]["name"] == job["metadata"]["name"]]


def test_a_force_update_runs_the_job_again(world: World) -> None:
    job = make_fail(world, "shop-checkout")
    world.change("shop-checkout", {"spec": {"forceSyncGeneration": 1}})

    def anew() -> list[Object]:
        return [
            j
            for j in world.jobs("shop-checkout")
            if j["metadata"]["name"] == job["metadata"]["name"] and j["metadata"]["uid"] != job["metadata"]["uid"]
        ]

    world.until(anew)
    world.pass_time(1)
    repo = world.gitrepo("shop-checkout")
    assert repo["status"]["updateGeneration"] == 1
    assert repo["status"]["observedGeneration"] == repo["metadata"]["generation"]


def test_a_changed_spec_runs_the_job_again(world: World) -> None:
    job = make_fail(world, "shop-checkout")
    world.change("shop-checkout", {"spec": {"paths": ["elsewhere"]}})
    world.until(lambda: job["metadata"]["uid"] not in [j["metadata"]["uid"] for j in world.jobs("shop-checkout")])
    world.until(lambda: [j for j in world.jobs("shop-checkout") if j["metadata"]["annotations"]["generation"] == "2"])


def test_a_legacy_job_blocks_a_force_update_until_it_is_labelled(world: World) -> None:
    job = make_fail(world, "shop-checkout")
    names = ("force-sync-generation", "gitrepo-generation")
    bare = {"metadata": {"labels": {f"fleet.cattle.io/{name}": None for name in names}}}
    world.caller.patch(path_to("jobs", job), bare)
    world.change("shop-checkout", {"spec": {"forceSyncGeneration": 1}})
    world.pass_time(5)
    blocked = world.caller.get(path_to("jobs", job))
    world.caller.patch(path_to("jobs", job), {"metadata": {"labels": {f"fleet.cattle.io/{name}": "0" for name in names}}})
    world.until(lambda: "updateGeneration" in world.gitrepo("shop-checkout")["status"])

    assert blocked
    assert blocked["metadata"]["uid"] == job["metadata"]["uid"]


def test_without_polling_a_deleted_job_lets_a_newer_commit_in(world: World) -> None:
    job = make_fail(world, "shop-checkout")
    world.change("shop-checkout", {"spec": {"disablePolling": True}})
    world.pass_time(6)
    before = world.gitrepo("shop-checkout")["status"]["commit"]
    newer = world.push("shop-checkout")
    world.pass_time(4)
    still = world.gitrepo("shop-checkout")["status"]["commit"]
    for current in world.jobs("shop-checkout"):
        world.caller.delete(path_to("jobs", current), current["metadata"]["uid"])
    world.change("shop-checkout", {"metadata": {"annotations": {"touched": "1"}}})
    world.pass_time(2)

    assert still == before == job["metadata"]["annotations"]["commit"]
    assert world.gitrepo("shop-checkout")["status"]["commit"] == newer


def test_a_deleted_gitrepo_takes_its_jobs_along(world: World) -> None:
    make_fail(world, "shop-checkout")
    world.caller.delete(path_of("gitrepos", "fleet-default", "shop-checkout"), world.gitrepo("shop-checkout")["metadata"]["uid"])
    world.pass_time(1)

    assert world.caller.get(path_of("gitrepos", "fleet-default", "shop-checkout")) is None
    assert world.jobs("shop-checkout") == []


def test_a_users_own_gitrepo_runs_too(world: World) -> None:
    world.caller.create(path_of("gitrepos", "fleet-local"), gitrepo(Temper("fleet-local", "mine"), 1.0))
    world.until(lambda: world.jobs("mine", "fleet-local"))


@pytest.mark.parametrize("plural", ["jobs", "pods", "gitrepos", "deployments", "namespaces"])
def test_it_survives_the_loss_of_anything(world: World, plural: str) -> None:
    world.pass_time(1)
    for obj in world.caller.items(path_of(plural, "")):
        path = path_of(plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        world.caller.delete(path, obj["metadata"]["uid"])
    world.pass_time(5)


def test_a_running_jobs_pod_goes_with_it(world: World) -> None:
    world.pass_time(1)
    job = world.jobs("search-index")[0]
    world.caller.delete(path_to("jobs", job), job["metadata"]["uid"])
    world.pass_time(1)
    pods = world.caller.items(path_of("pods", "fleet-default"))

    assert job["metadata"]["name"] not in [pod["metadata"]["labels"]["job-name"] for pod in pods]


# --- by itself


def test_it_starts_with_a_past_and_plays_until_it_is_stopped() -> None:
    threads = set(threading.enumerate())
    pace = Pace(commit_every=0.1, run_seconds=(0.05, 0.1), poll=0.1, past=6, step_every=0.02)
    with Sandbox() as sandbox, FleetStandIn(sandbox.url, rng=random.Random(3), pace=pace), Caller(sandbox.url) as caller:
        at_start = len(caller.items(path_of("jobs", "")))
        names = {job["metadata"]["name"] for job in caller.items(path_of("jobs", ""))}
        deadline = time.monotonic() + 20
        while names.issuperset(job["metadata"]["name"] for job in caller.items(path_of("jobs", ""))):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    assert at_start >= 30
    assert set(threading.enumerate()) == threads
