"""An upgrade of the Fleet that the stand-in plays: the same objects, and what the new version made of them when it was seen."""

from collections.abc import Iterator

import pytest

from cleaner.demo.caller import Caller, path_of
from cleaner.demo.family import V0_10_2, V0_10_4, V0_12_4, V0_14_10, V0_16_1, Family
from cleaner.demo.sandbox import Sandbox
from tests.edge.stand_in_world import FORCE, PLAIN, World, commit_of, ended_as, of, recorded, told

LATER = (V0_10_4, V0_12_4, V0_14_10, V0_16_1)


@pytest.fixture
def world() -> Iterator[World]:
    """Fleet v0.10.2 after three commits each."""
    with Sandbox() as sandbox, Caller(sandbox.url) as caller:
        world = World(sandbox.url, caller, V0_10_2, PLAIN)
        world.pass_time(6)
        for name in ("good", "bad"):
            world.deploy(name)
            world.deploy(name)
        yield world


def ends(world: World, name: str) -> list[str]:
    return [ended_as(job) for job in world.jobs(name)]


@of(*LATER)
def test_only_the_succeeded_current_jobs_go(world: World, family: Family) -> None:
    """Seen from v0.10.2 to v0.10.4 and to v0.16.1: those are gone within 15 s, all others stay, and nothing runs."""
    before = {name: ends(world, name) for name in ("good", "bad")}
    bad, error = world.uids("bad"), told(world.gitrepo("bad"))
    world.fleet.upgrade(family)
    world.pass_time(15)

    assert before == {"good": ["Complete"] * 3, "bad": ["Failed"] * 3}
    assert ends(world, "good") == ["Complete"] * 2
    assert world.uids("bad") == bad
    assert told(world.gitrepo("bad"))[:2] == error[:2] == ("Failed", "True")


@of(V0_14_10, V0_16_1)
def test_later_commits_leave_the_older_legacy_jobs(world: World, family: Family) -> None:
    """Seen on v0.16.1: only the Job of the commit just before is deleted, the older ones never."""
    world.fleet.upgrade(family)
    world.pass_time(5)
    before = world.uids("bad")
    world.deploy("bad")
    first = world.uids("bad")
    world.deploy("bad")

    assert len(before & first) == len(before) - 1
    assert before & first == before & world.uids("bad")
    assert len(world.uids("bad")) == len(before)


@of(*LATER)
def test_a_legacy_job_blocks_a_force_update_until_it_has_the_labels(world: World, family: Family) -> None:
    """Seen on v0.10.4, v0.14.10 and v0.16.1: never run, `updateGeneration` never written; after the labels it runs."""
    world.fleet.upgrade(family)
    world.pass_time(3)
    repo = world.gitrepo("bad")
    commit = repo["status"]["commit"]
    current = next(job for job in world.jobs("bad") if job["metadata"]["annotations"]["commit"] == commit)
    before = world.uids("bad")
    world.force("bad", 1)
    world.pass_time(3)
    world.force("bad", 2)
    world.pass_time(8)
    blocked, still = world.gitrepo("bad"), world.uids("bad")
    world.label(current, "0")
    world.force("bad", 3)
    world.pass_time(8)
    [new] = [job for job in world.jobs("bad") if job["metadata"]["uid"] not in before]

    assert "updateGeneration" not in blocked["status"]
    assert blocked["status"]["observedGeneration"] == blocked["metadata"]["generation"]
    assert still == before
    assert new["metadata"]["name"] == current["metadata"]["name"]
    assert new["metadata"]["labels"][FORCE] == "3"
    assert world.gitrepo("bad")["status"]["updateGeneration"] == 3


@of(*LATER)
def test_an_adopted_legacy_job_is_run_again_by_a_force_update(world: World, family: Family) -> None:
    """
    Seen on v0.14.10: labelled first, then deleted and run again; on v0.16.1 the same by a changed spec.

    Seen on v0.16.1 (`jobs-failed-current-legacy-then-labelled`): the four labels that it had stay beside the two.
    """
    world.fleet.upgrade(family)
    world.pass_time(3)
    commit = world.gitrepo("bad")["status"]["commit"]
    [current] = (job for job in world.jobs("bad") if commit_of(job) == commit)
    world.label(current, "0")
    world.pass_time(12)
    [adopted] = (job for job in world.jobs("bad") if commit_of(job) == commit)
    seen = recorded("v0.16.1", "jobs-failed-current-legacy-then-labelled")
    world.force("bad", 1)
    world.pass_time(8)
    [again] = (job for job in world.jobs("bad") if commit_of(job) == commit)

    assert adopted["metadata"]["uid"] == current["metadata"]["uid"] != again["metadata"]["uid"]
    assert adopted["metadata"]["labels"].keys() == seen["metadata"]["labels"].keys()
    assert again["metadata"]["labels"][FORCE] == "1"
    assert world.gitrepo("bad")["status"]["updateGeneration"] == 1


@of(V0_14_10, V0_16_1)
def test_a_restart_clears_an_error_that_outlived_its_job(world: World, family: Family) -> None:
    """Seen on both: at once; so an upgrade heals a GitRepo in silence, and its failed commit never runs."""
    world.fleet.upgrade(family)
    world.pass_time(5)
    for job in world.jobs("bad"):
        world.delete(job)
    world.pass_time(15)
    kept = told(world.gitrepo("bad"))
    world.fleet.upgrade(family)
    world.pass_time(0.5)

    assert kept[0] == "Failed"
    assert told(world.gitrepo("bad")) == told(recorded("v0.16.1", "gitrepo-failed-after-job-deleted"))
    assert world.jobs("bad") == []


def test_orphans_survive(world: World) -> None:
    """Seen from v0.14.10 to v0.16.1."""
    world.fleet.upgrade(V0_14_10)
    world.pass_time(5)
    before = world.deploy("bad")
    world.deploy("bad")
    [orphan] = world.pods(before)
    world.fleet.upgrade(V0_16_1)
    world.deploy("bad")

    assert world.pods(before) == [orphan]
    assert "ownerReferences" not in orphan["metadata"]


def test_a_restart_brings_polling_back(world: World) -> None:
    """Read: its timers are made anew at every start."""
    world.fleet.lose_timers()
    commit = world.push("good")
    world.pass_time(30)
    silent = world.gitrepo("good")["status"]["commit"]
    world.fleet.upgrade(V0_10_2)
    world.pass_time(1)

    assert silent != commit
    assert world.gitrepo("good")["status"]["commit"] == commit


def test_a_failure_is_told_as_the_version_tells_it_that_saw_it_last(world: World) -> None:
    """Seen: v0.10 writes all that the Pod left, v0.14 and later only the text in it."""
    raw = told(world.gitrepo("bad"))[2]
    world.fleet.upgrade(V0_16_1)
    world.pass_time(1)

    assert raw.startswith("Job Failed. failed: 3/1{")
    assert told(world.gitrepo("bad")) == told(recorded("v0.16.1", "gitrepo-unsettled-legacy-blocked"))


def test_the_deployments_are_rolled_out_with_the_new_image(world: World) -> None:
    world.fleet.upgrade(V0_16_1)
    deployments = world.caller.items(path_of("deployments", "cattle-fleet-system"))

    assert len(deployments) == 2
    for deployment in deployments:
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "rancher/fleet:v0.16.1"
        assert deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"] == 2
