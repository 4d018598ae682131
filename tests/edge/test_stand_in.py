"""The stand-in makes what the real Fleet was seen to make, and answers a user as the real one did."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cleaner.demo import job_form
from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.cast import CAST, Temper, gitrepo
from cleaner.demo.family import V0_10_2, V0_12_4, job_name, safe_concat
from cleaner.demo.runs import Run, record
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.stand_in import FleetStandIn, Pace

RECORDED = Path(__file__).parents[1] / "data" / "fleet"
QUIET = Pace(commit_every=1e9, run_seconds=(1.0, 1.0), poll=2.0, overlooked=0, past=0)
"""Nobody pushes unless the test does; every run takes a second (search-index: four)."""

Object = dict[str, Any]


class World:
    """A sandbox with a stand-in that is stepped by hand; `at` is the moment, in seconds since the epoch."""

    def __init__(self, sandbox: Sandbox, caller: Caller) -> None:
        self.url = sandbox.url
        self.caller = caller
        self.at = 1_800_000_000.0
        self.fleet = FleetStandIn(sandbox.url, lambda: self.at, random.Random(7), QUIET)
        self.fleet.set_up()

    def pass_time(self, seconds: float) -> None:
        """Step through the time, half a second at once."""
        for _ in range(round(seconds * 2)):
            self.at += 0.5
            self.fleet.step(self.at)

    def gitrepo(self, name: str, namespace: str = "fleet-default") -> Object:
        found = self.caller.get(path_of("gitrepos", namespace, name))
        assert found
        return found

    def jobs(self, name: str, namespace: str = "fleet-default") -> list[Object]:
        """The GitRepo's Jobs."""
        jobs = self.caller.items(path_of("jobs", namespace))
        return [job for job in jobs if job["metadata"]["ownerReferences"][0]["name"] == name]

    def unfinished(self, name: str) -> list[Object]:
        return [job for job in self.jobs(name) if len(job["status"].get("conditions", ())) < 2]

    def push(self, name: str) -> str:
        return self.fleet.upstream.push(self.gitrepo(name))

    def change(self, name: str, change: Object) -> None:
        assert self.caller.patch(path_of("gitrepos", "fleet-default", name), change)

    def until(self, holds: Callable[[], object]) -> None:
        for _ in range(200):
            if holds():
                return
            self.pass_time(0.5)
        raise AssertionError("it never came to be")


@pytest.fixture
def world() -> Iterator[World]:
    with Sandbox() as sandbox, Caller(sandbox.url) as caller:
        yield World(sandbox, caller)


def recorded(version: str, name: str) -> Object:
    read: Object = json.loads((RECORDED / version / f"{name}.json").read_text())
    return read["items"][0] if "items" in read else read


def keys(value: Any, path: str = "") -> set[str]:
    """Every path of keys in an object; elements of lists are taken together, free-form maps as a whole."""
    if path.endswith((".annotations", ".fieldsV1")):
        return {path}
    if isinstance(value, dict):
        return {path}.union(*(keys(inner, f"{path}.{key}") for key, inner in value.items()))
    if isinstance(value, list):
        return {path}.union(*(keys(inner, f"{path}[]") for inner in value))
    return {path}


def form(obj: Object, *apart: str) -> set[str]:
    """The keys of an object (items of lists lack two), apart from bookkeeping and what begins with the paths given."""
    return {
        path for path in keys({"kind": "", "apiVersion": "", **obj}) if not path.startswith((".metadata.managedFields", *apart))
    }


def stalled(gitrepo: Object) -> Object:
    return next(c for c in gitrepo["status"]["conditions"] if c["type"] == "Stalled")


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


# --- form


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*/jobs-*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_names_are_those_that_fleet_gave(path: Path) -> None:
    job = recorded(path.parent.name, path.stem)
    owner = job["metadata"]["ownerReferences"][0]["name"]
    args = job["spec"]["template"]["spec"]["initContainers"][0]["args"]
    repo = args[args.index("gitcloner") + 1]

    assert job_name(owner, repo, job["metadata"]["annotations"]["commit"]) == job["metadata"]["name"]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("a" * 63,), "a" * 63),
        (("a" * 64,), "a" * 57 + "-ffe05"),
        (("a" * 56, "a" * 7), "a" * 56 + "-768c62"),
    ],
)
def test_long_names_are_cut_as_fleet_cuts_them(parts: tuple[str, ...], name: str) -> None:
    """Fleet's own vectors (`internal/names/safeconcat_test.go`)."""
    assert safe_concat(*parts) == name


def legacy_job(world: World, run: Run) -> Object:
    made = world.caller.create(
        path_of("jobs", "fleet-local"), job_form.job(V0_10_2, world.gitrepo("monitoring", "fleet-local"), "c" * 40)
    )
    assert made
    record(world.caller, made, run)
    found = world.caller.get(path_to("jobs", made))
    assert found
    return found


def test_a_legacy_job_has_the_recorded_form(world: World) -> None:
    assert form(legacy_job(world, Run(1e9, 1e9 + 5))) == form(recorded("v0.10.2", "jobs-succeeded-current"))
    world.caller.delete(
        path_to("jobs", world.jobs("monitoring", "fleet-local")[0]), world.jobs("monitoring", "fleet-local")[0]["metadata"]["uid"]
    )
    job = legacy_job(world, Run(1e9, 1e9 + 5, "no"))

    assert form(job) == form(recorded("v0.10.2", "jobs-failed-current"))
    assert job["status"]["failed"] == 3
    assert job["metadata"]["labels"].keys() == recorded("v0.10.2", "jobs-failed-current")["metadata"]["labels"].keys()


def test_a_running_job_and_its_pod_have_the_recorded_form(world: World) -> None:
    world.pass_time(1)
    job = world.jobs("search-index")[0]
    pods = world.caller.items(path_of("pods", "fleet-default"))
    pod = next(pod for pod in pods if pod["metadata"]["labels"]["job-name"] == job["metadata"]["name"])

    assert form(job) == form(recorded("v0.14.10", "jobs-running"))
    assert form(pod) == form(recorded("v0.10.2", "pod-running")) | known_hosts("initContainers")


def known_hosts(*groups: str) -> set[str]:
    """What the known_hosts variable adds to a Pod of v0.10."""
    return {f".spec.{group}{end}" for group in groups for end in ("[].env", "[].env[]", "[].env[].name", "[].env[].value")}


def test_a_failed_job_and_its_pod_have_the_recorded_form(world: World) -> None:
    job = make_fail(world, "shop-checkout")
    pods = world.caller.items(path_of("pods", "fleet-default"))
    pod = next(pod for pod in pods if pod["metadata"]["labels"]["job-name"] == job["metadata"]["name"])
    message = pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"]

    assert form(job) == form(recorded("v0.14.10", "jobs-failed-current"))
    assert form(pod) == form(recorded("v0.14.10", "pod-failed"))
    assert json.loads(message).keys() == {"fleetErrorMessage", "level", "msg", "time"}


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


def test_a_gitrepo_has_the_recorded_form(world: World) -> None:
    world.pass_time(3)
    healthy = form(world.gitrepo("monitoring", "fleet-local"), ".metadata.annotations")
    make_fail(world, "shop-checkout")
    failing = form(world.gitrepo("shop-checkout"), ".metadata.annotations")
    apart = (".metadata.annotations", ".status.pollingCommit")

    assert healthy == form(recorded("v0.14.10", "gitrepo-healthy"), *apart)
    assert failing == form(recorded("v0.14.10", "gitrepo-failed"), *apart)


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
