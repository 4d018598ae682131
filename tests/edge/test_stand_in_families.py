"""Each version of Fleet that the stand-in plays does with its Jobs what the real one was seen to do."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.cast import Temper
from cleaner.demo.family import FAMILIES, V0_10_2, V0_10_4, V0_12_4, V0_14_10, V0_16_1, Family
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.stand_in import Stage
from tests.edge.stand_in_world import (
    FAULT,
    FORCE,
    GENERATION,
    NAMESPACE,
    PLAIN,
    Object,
    World,
    commit_of,
    condition,
    ended_as,
    of,
    recorded,
    told,
)

HEALTHY = ("Current", "False", "")
LATE = ("Failed", "True", FAULT)
"""What a GitRepo tells of a failure from v0.14 on."""

Start = Callable[[Family], World]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a world with this version of Fleet, and three GitRepos that have had their first commit."""
    with ExitStack() as stack:

        def begin(family: Family) -> World:
            sandbox = stack.enter_context(Sandbox())
            world = World(sandbox.url, stack.enter_context(Caller(sandbox.url)), family, PLAIN)
            world.pass_time(6)
            return world

        yield begin


def unlabelled(world: World, name: str) -> Object:
    """The failed current Job, as a Fleet before v0.10.4 would have made it."""
    job = world.job(name)
    world.label(job, None)
    world.pass_time(0.5)
    return job


# --- until v0.10.3


def test_v0_10_2_makes_a_missing_current_job_again_for_ever(start: Start) -> None:
    """Seen: the new Job was there 0.3 s after the deletion, and in a minute ten deletions led to ten new Jobs."""
    world = start(V0_10_2)
    name = world.job("good")["metadata"]["name"]
    uids = {world.job("good")["metadata"]["uid"]}
    for _ in range(10):
        world.delete(world.job("good"))
        world.pass_time(0.5)
        assert world.job("good")["metadata"]["name"] == name
        uids.add(world.job("good")["metadata"]["uid"])
        world.until(lambda: ended_as(world.job("good")))

    assert len(uids) == 11


def test_v0_10_2_makes_a_failed_current_job_again_and_tells_no_error_meanwhile(start: Start) -> None:
    """Seen: re-created in 0.3 s; the GitRepo went from Failed to Current, without its message, until it failed again."""
    world = start(V0_10_2)
    before = told(world.gitrepo("bad"))
    world.delete(world.job("bad"))
    world.pass_time(0.5)
    during = told(world.gitrepo("bad"))
    world.pass_time(4)

    assert before[2].startswith('Job Failed. failed: 3/1{"fleetErrorMessage":"')
    assert during == HEALTHY
    assert told(world.gitrepo("bad"))[:2] == before[:2]


def test_v0_10_2_keeps_a_job_for_every_commit_and_makes_no_old_one_again(start: Start) -> None:
    """Seen: 14 succeeded and 10 failed Jobs of old commits; 20 s after one was deleted only that one was missing."""
    world = start(V0_10_2)
    for name in ("good", "bad"):
        first = world.job(name)
        second, third = world.deploy(name), world.deploy(name)
        assert world.uids(name) == {job["metadata"]["uid"] for job in (first, second, third)}
        world.delete(first)
        world.pass_time(20)
        assert world.uids(name) == {job["metadata"]["uid"] for job in (second, third)}


def test_v0_10_2_labels_its_jobs_with_what_the_api_server_copies(start: Start) -> None:
    """Seen: never no labels, but the four of the Pod template, and neither of Fleet's two."""
    labels = start(V0_10_2).job("good")["metadata"]["labels"]

    assert labels.keys() == recorded("v0.10.2", "jobs-succeeded-current")["metadata"]["labels"].keys()
    assert len(labels) == 4


@of(V0_10_2, V0_10_4)
def test_polling_falls_silent_until_something_else_wakes_the_gitrepo(start: Start, family: Family) -> None:
    """Seen: 105 s without a look at an interval of 2 s on v0.10.2, and 226 s at 15 s on v0.10.4."""
    world = start(family)
    world.fleet.lose_timers()
    commit = world.push("good")
    world.pass_time(60)
    silent = world.gitrepo("good")["status"]["commit"]
    world.touch("good")
    world.pass_time(1)
    touched = world.gitrepo("good")["status"]["commit"]
    later = world.push("good")
    world.pass_time(3)

    assert silent != touched == commit
    assert world.gitrepo("good")["status"]["commit"] == later


@of(V0_12_4, V0_14_10, V0_16_1)
def test_later_versions_never_stop_polling(start: Start, family: Family) -> None:
    """Read: fixed in v0.10.9, v0.11.4 and v0.12.0, and polled by a scheduler from v0.14 on."""
    world = start(family)
    world.fleet.lose_timers()
    commit = world.push("good")
    world.until(lambda: world.gitrepo("good")["status"]["commit"] == commit)


def test_v0_10_2_is_woken_by_the_deletion_of_any_job(start: Start) -> None:
    """Seen: with polling dead, the deletion of a Job led to the run of a commit that nobody had noticed."""
    world = start(V0_10_2)
    old = world.job("good")
    world.deploy("good")
    world.fleet.lose_timers()
    commit = world.push("good")
    world.pass_time(20)
    before = world.gitrepo("good")["status"]["commit"]
    world.delete(old)
    world.pass_time(1)

    assert before != commit
    assert world.gitrepo("good")["status"]["commit"] == commit
    assert commit in map(commit_of, world.jobs("good"))


def test_v0_10_2_runs_a_force_update_by_making_the_job_again(start: Start) -> None:
    """Seen: the same name with a new uid in less than 2 s, and `updateGeneration` follows."""
    world = start(V0_10_2)
    job = world.job("bad")
    world.force("bad", 1)
    world.pass_time(2)
    repo = world.gitrepo("bad")

    assert world.job("bad")["metadata"]["name"] == job["metadata"]["name"]
    assert world.job("bad")["metadata"]["uid"] != job["metadata"]["uid"]
    assert repo["status"]["updateGeneration"] == 1
    assert repo["status"]["observedGeneration"] == repo["metadata"]["generation"]


def test_v0_10_2_goes_back_to_a_commit_without_a_run(start: Start) -> None:
    """Read: the Job of that commit is found, so nothing runs, and its old result is told."""
    world = start(V0_10_2)
    old = world.job("bad")
    world.deploy("bad")
    world.push("bad", commit_of(old))
    before = world.uids("bad")
    world.pass_time(6)

    assert world.gitrepo("bad")["status"]["commit"] == commit_of(old)
    assert world.uids("bad") == before
    assert told(world.gitrepo("bad"))[0] == "Failed"


@pytest.mark.parametrize(("family", "tries"), [(V0_10_2, 3), (V0_10_4, 3), (V0_12_4, 1), (V0_16_1, 1)])
def test_until_v0_10_a_failing_job_tries_three_times(family: Family, tries: int) -> None:
    """Seen: three Pods in 40 to 60 s, one from v0.11 on; until the last has failed, the Job has not."""
    stage = Stage((Temper(NAMESPACE, "bad", failing=1.0, slowness=20.0),))
    with Sandbox() as sandbox, Caller(sandbox.url) as caller:
        world = World(sandbox.url, caller, family, stage)
        world.until(lambda: world.jobs("bad"))
        seen = set()
        while not ended_as(job := world.job("bad")):
            seen.add(job["status"].get("failed", 0))
            world.pass_time(0.5)
        pods = world.pods(job)

    assert seen == set(range(tries))
    assert (job["status"]["failed"], len(pods)) == (tries, tries)
    assert {pod["status"]["phase"] for pod in pods} == {"Failed"}


# --- v0.10.4 to v0.13


def test_v0_10_4_deletes_its_succeeded_job_when_it_looks_next(start: Start) -> None:
    """Seen: there is a while with the ended Job (`gitrepo-healthy-with-job`); with polling dead, it stays for good."""
    world = start(V0_10_4)
    gone = world.jobs("good")
    world.push("good")
    world.until(lambda: world.jobs("good"))
    world.fleet.lose_timers()
    world.pass_time(30)
    stray = world.job("good")
    beside = told(world.gitrepo("good"))
    world.touch("good")
    world.pass_time(0.5)

    assert (gone, ended_as(stray)) == ([], "Complete")
    assert beside == told(recorded("v0.10.4", "gitrepo-healthy-with-job")) == HEALTHY
    assert world.jobs("good") == []


@of(V0_12_4)
def test_a_watch_of_its_jobs_makes_it_prompt(start: Start, family: Family) -> None:
    """Read: from v0.10.5 on a Job's changed status wakes the GitRepo, so its deletion waits for no poll."""
    world = start(family)
    world.change("good", {"spec": {"pollingInterval": "1h"}})
    world.until(lambda: world.jobs("good"))
    world.until(lambda: not world.jobs("good"))


def test_v0_10_4_sleeps_on_when_a_job_is_deleted(start: Start) -> None:
    """Read: it does not watch its Jobs any more, so with polling dead a deletion starts nothing, whatever waits upstream."""
    world = start(V0_10_4)
    old = world.job("bad")
    world.deploy("bad")
    world.fleet.lose_timers()
    commit = world.push("bad")
    world.pass_time(5)
    world.delete(old)
    world.pass_time(30)

    assert world.gitrepo("bad")["status"]["commit"] != commit
    assert commit not in map(commit_of, world.jobs("bad"))


@of(V0_10_4, V0_12_4)
def test_failed_jobs_of_old_commits_stay(start: Start, family: Family) -> None:
    """Seen on v0.10.4: four failing commits leave three old Jobs beside the current one."""
    world = start(family)
    first, seen = world.job("bad"), recorded("v0.10.4", "jobs-failed-old")
    for _ in range(3):
        world.deploy("bad")
    [old] = (job for job in world.jobs("bad") if job["metadata"]["uid"] == first["metadata"]["uid"])

    assert [ended_as(job) for job in world.jobs("bad")] == ["Failed"] * 4
    assert old["metadata"]["labels"].keys() == seen["metadata"]["labels"].keys()
    assert ended_as(old) == ended_as(seen)


@of(V0_10_4, V0_12_4)
def test_an_error_is_lost_with_its_job_at_the_next_poll(start: Start, family: Family) -> None:
    """Seen on v0.10.4: Current, not stalled and without a message 2 s later, and no Job comes (`...-after-job-deleted`)."""
    world = start(family)
    before = told(world.gitrepo("bad"))
    world.delete(world.job("bad"))
    world.pass_time(2.5)
    after = told(world.gitrepo("bad"))
    world.pass_time(20)

    assert before[:2] == ("Failed", "True")
    assert after == told(recorded("v0.10.4", "gitrepo-failed-after-job-deleted")) == HEALTHY
    assert world.jobs("bad") == []


@of(V0_10_4, V0_12_4)
def test_going_back_to_a_failed_commit_shows_its_old_error_and_runs_nothing(start: Start, family: Family) -> None:
    """Seen on v0.10.4: a forced push to a commit whose failed Job exists keeps that Job and its error."""
    world = start(family)
    old = world.job("bad")
    newer = world.deploy("bad")
    world.push("bad", commit_of(old))
    world.pass_time(10)

    assert world.gitrepo("bad")["status"]["commit"] == commit_of(old)
    assert world.uids("bad") == {job["metadata"]["uid"] for job in (old, newer)}
    assert told(world.gitrepo("bad"))[:2] == ("Failed", "True")


def test_going_back_to_a_succeeded_commit_costs_its_stray_and_runs_nothing(start: Start) -> None:
    """Read: the Job that is there stands for a run; the look after that deletes it, as it does with any that succeeded."""
    world = start(V0_10_4)
    world.push("good")
    world.until(lambda: world.jobs("good"))
    world.fleet.lose_timers()
    world.pass_time(5)
    stray = world.job("good")
    newer = world.push("good")
    world.touch("good")
    world.until(lambda: len(world.jobs("good")) == 2)
    world.until(lambda: len(world.jobs("good")) == 1)
    world.push("good", commit_of(stray))
    world.until(lambda: world.gitrepo("good")["status"]["commit"] != newer)
    back = world.uids("good")
    world.until(lambda: not world.jobs("good"))
    world.pass_time(10)

    assert back == {stray["metadata"]["uid"]}
    assert world.gitrepo("good")["status"]["commit"] == commit_of(stray)
    assert world.jobs("good") == []


def test_a_force_update_waits_while_fleet_goes_back_to_a_commit(start: Start) -> None:
    """Read: what is pending is held against a Job only when its commit is not new in the same look."""
    world = start(V0_10_4)
    old = world.job("bad")
    world.deploy("bad")
    world.fleet.lose_timers()
    world.pass_time(5)
    world.push("bad", commit_of(old))
    world.force("bad", 1)
    world.pass_time(0.5)
    commit, uids = world.gitrepo("bad")["status"]["commit"], world.uids("bad")
    world.pass_time(6)
    [again] = (job for job in world.jobs("bad") if commit_of(job) == commit)

    assert commit == commit_of(old)
    assert old["metadata"]["uid"] in uids
    assert (again["metadata"]["uid"] in uids, again["metadata"]["labels"][FORCE]) == (False, "1")


@of(V0_10_4, V0_12_4)
def test_a_force_update_runs_as_soon_as_the_legacy_job_that_blocks_it_is_gone(start: Start, family: Family) -> None:
    """Seen on v0.10.4: 2 s after the deletion a Job ran, with the labels of the Force Update."""
    world = start(family)
    job = unlabelled(world, "bad")
    world.force("bad", 2)
    world.pass_time(10)
    blocked = world.job("bad")
    world.delete(blocked)
    world.pass_time(2.5)

    assert blocked["metadata"]["uid"] == job["metadata"]["uid"]
    assert world.job("bad")["metadata"]["labels"][FORCE] == "2"


@of(V0_10_4, V0_12_4)
def test_a_pending_force_update_runs_at_the_next_poll_after_the_labels(start: Start, family: Family) -> None:
    """Seen on v0.10.4: Fleet itself replaced the labelled Job within 12 s, and `updateGeneration` became 1."""
    world = start(family)
    job = unlabelled(world, "bad")
    world.force("bad", 1)
    world.pass_time(5)
    waiting, seen = world.gitrepo("bad")["status"], recorded("v0.10.4", "gitrepo-unsettled-legacy-blocked")["status"]
    world.label(job, "0")
    world.pass_time(3)

    assert "updateGeneration" not in waiting.keys() | seen.keys()
    assert waiting["gitJobStatus"] == seen["gitJobStatus"] == "Failed"
    assert world.job("bad")["metadata"]["uid"] != job["metadata"]["uid"]
    assert world.gitrepo("bad")["status"]["updateGeneration"] == 1


# --- all from v0.10.4 on

LATER = (V0_10_4, V0_12_4, V0_14_10, V0_16_1)


@of(*LATER)
def test_the_labels_alone_start_nothing_and_lose_no_error(start: Start, family: Family) -> None:
    """Seen on v0.10.4: 18 s later the same Job and the same message."""
    world = start(family)
    job = unlabelled(world, "bad")
    before = told(world.gitrepo("bad"))
    world.label(job, "0")
    world.pass_time(18)

    assert world.uids("bad") == {job["metadata"]["uid"]}
    assert told(world.gitrepo("bad")) == before


@of(*LATER)
def test_a_legacy_job_swallows_a_changed_spec(start: Start, family: Family) -> None:
    """Seen: never applied; once the Job is deleted nothing runs either, and the GitRepo looks healthy."""
    world = start(family)
    job = unlabelled(world, "bad")
    world.change("bad", {"spec": {"paths": ["elsewhere"]}})
    world.pass_time(8)
    repo, uids = world.gitrepo("bad"), world.uids("bad")
    world.delete(job)
    world.pass_time(3)
    world.touch("bad")
    world.pass_time(8)

    assert repo["status"]["observedGeneration"] == repo["metadata"]["generation"]
    assert uids == {job["metadata"]["uid"]}
    assert (world.jobs("bad"), told(world.gitrepo("bad"))) == ([], HEALTHY)


@of(*LATER)
def test_a_changed_spec_runs_a_labelled_job_again(start: Start, family: Family) -> None:
    """Seen on v0.16.1 after the labels: deleted and run again, and `observedGeneration` is the new one."""
    world = start(family)
    job = unlabelled(world, "bad")
    world.label(job, "0")
    world.change("bad", {"spec": {"paths": ["elsewhere"]}})
    world.pass_time(12)
    repo = world.gitrepo("bad")

    assert world.job("bad")["metadata"]["uid"] != job["metadata"]["uid"]
    assert world.job("bad")["metadata"]["labels"][GENERATION] == str(repo["metadata"]["generation"])
    assert repo["status"]["observedGeneration"] == repo["metadata"]["generation"]


@of(*FAMILIES)
def test_without_polling_a_missing_job_lets_a_newer_commit_in(start: Start, family: Family) -> None:
    """Seen on v0.10.4: beside its Job the commit stays; without it the next look deploys the newest."""
    world = start(family)
    world.change("bad", {"spec": {"disablePolling": True}})
    world.pass_time(12)
    before = world.gitrepo("bad")["status"]["commit"]
    newer = world.push("bad")
    world.touch("bad")
    world.pass_time(8)
    still = world.gitrepo("bad")["status"]["commit"]
    world.delete(world.job("bad"))
    world.touch("bad")
    world.pass_time(8)

    assert still == before
    assert world.gitrepo("bad")["status"]["commit"] == newer
    assert [commit_of(job) for job in world.jobs("bad")] == [newer]


# --- from v0.14 on


@of(V0_14_10, V0_16_1)
def test_a_succeeded_job_goes_as_soon_as_it_has_ended(start: Start, family: Family) -> None:
    """Seen on both: no list ever caught one; they are known from a watch (`jobs-succeeded-current`). No Job comes after it."""
    world = start(family)
    first = world.jobs("good")
    world.push("good")
    world.until(lambda: world.jobs("good"))
    seen: list[str] = []

    def gone() -> bool:
        jobs = world.jobs("good")
        seen.extend(map(ended_as, jobs))
        return not jobs

    world.until(gone)
    world.pass_time(15)

    assert first == world.jobs("good") == []
    assert seen.count(ended_as(recorded(family.version, "jobs-succeeded-current"))) == 1
    assert told(world.gitrepo("good")) == told(recorded(family.version, "gitrepo-healthy")) == HEALTHY


def test_v0_14_orphans_the_pods_of_the_job_before(start: Start) -> None:
    """Seen on v0.14.10 (`pod-orphan`): no owner, no finalizer, the phase as it was; and one more for each commit."""
    world = start(V0_14_10)
    jobs = [world.job("bad"), world.deploy("bad"), world.deploy("bad")]
    pods = [pod for job in jobs for pod in world.pods(job)]
    seen = recorded("v0.14.10", "pod-orphan")

    assert world.job("bad")["metadata"]["uid"] == jobs[-1]["metadata"]["uid"]
    assert ["ownerReferences" in pod["metadata"] for pod in pods] == [False, False, True]
    for pod in pods[:2]:
        assert pod["metadata"].keys() == seen["metadata"].keys() - {"managedFields"}
        assert pod["status"]["phase"] == seen["status"]["phase"]


def test_v0_14_leaves_a_running_pod_running_beside_the_new_one(start: Start) -> None:
    """Seen on v0.14.10 (`pod-orphan-still-running`): its Job is gone, and it goes on to its own end."""
    world = start(V0_14_10)
    before = world.job("slow")
    world.push("slow")
    world.until(lambda: world.uids("slow").isdisjoint({before["metadata"]["uid"]}))
    world.pass_time(2)
    [alone], [beside] = world.pods(before), world.pods(world.job("slow"))
    world.until(lambda: world.pods(before)[0]["status"]["phase"] != "Running")

    assert [pod["status"]["phase"] for pod in (alone, beside)] == ["Running", "Running"]
    assert alone["metadata"].keys() == recorded("v0.14.10", "pod-orphan-still-running")["metadata"].keys() - {"managedFields"}
    assert world.pods(before)[0]["status"]["phase"] == "Succeeded"


def test_v0_16_deletes_the_job_before_with_its_pods(start: Start) -> None:
    """Seen on v0.16.1: DELETED the one, then ADDED the other, and the Pods of the old one are gone too."""
    world = start(V0_16_1)
    before = world.job("bad")
    after = world.deploy("bad")

    assert world.uids("bad") == {after["metadata"]["uid"]}
    assert world.pods(before) == []
    assert len(world.pods(after)) == 1


def test_v0_16_waits_between_the_job_before_and_the_new_one(start: Start) -> None:
    """Read: it looks again 5 s after the deletion; until then the GitRepo tells of the commit before."""
    world = start(V0_16_1)
    before = world.gitrepo("bad")["status"]
    world.push("bad")
    world.until(lambda: not world.jobs("bad"))
    world.pass_time(4.5)
    during = world.gitrepo("bad")["status"]
    gone = world.jobs("bad")
    world.pass_time(0.5)

    assert (gone, len(world.jobs("bad"))) == ([], 1)
    assert during["commit"] == before["commit"] != during["pollingCommit"]
    assert world.gitrepo("bad")["status"]["commit"] == during["pollingCommit"]


@of(V0_14_10, V0_16_1)
def test_an_error_outlives_its_job_until_something_wakes_the_gitrepo(start: Start, family: Family) -> None:
    """Seen on both: unchanged 15 s after a deletion in the background, gone once an annotation changes; no Job comes."""
    world = start(family)
    world.delete(world.job("bad"))
    world.pass_time(15)
    kept = told(world.gitrepo("bad"))
    world.touch("bad")
    world.pass_time(1)
    after = told(world.gitrepo("bad"))
    world.pass_time(15)

    assert kept == LATE == told(recorded("v0.16.1", "gitrepo-failed-after-background-delete"))
    assert after == HEALTHY == told(recorded("v0.16.1", "gitrepo-failed-after-job-deleted"))
    assert world.jobs("bad") == []


@of(V0_14_10, V0_16_1)
def test_an_error_outlives_its_job_for_two_hours_at_most(start: Start, family: Family) -> None:
    """Read: the resync of `gitops.syncPeriod` looks at every GitRepo."""
    world = start(family)
    world.delete(world.job("bad"))
    world.at += 7200 - 60
    world.pass_time(1)
    kept = told(world.gitrepo("bad"))
    world.at += 60
    world.pass_time(1)

    assert (kept, told(world.gitrepo("bad"))) == (LATE, HEALTHY)


@of(V0_14_10, V0_16_1)
def test_a_foreground_deletion_leaves_a_gitrepo_terminating(start: Start, family: Family) -> None:
    """Seen on both: the message is gone, and with the Job gone too nothing wakes the GitRepo for 12 s."""
    world = start(family)
    [pod] = world.pods(job := world.job("bad"))
    held = world.caller.patch(path_to("pods", pod), {"metadata": {"finalizers": ["test/slow-garbage-collector"]}})
    world.delete(job, "Foreground")
    world.pass_time(1)
    assert held
    world.caller.patch(path_to("pods", held), {"metadata": {"finalizers": None}})
    world.pass_time(12)
    repo = world.gitrepo("bad")

    assert world.jobs("bad") == []
    assert told(repo) == told(recorded("v0.16.1", "gitrepo-terminating-after-foreground-delete")) == ("Terminating", "False", "")
    assert repo["status"]["display"] == {"readyBundleDeployments": "0/0", "state": "GitUpdating"}


@of(V0_14_10, V0_16_1)
def test_a_blocked_force_update_stays_blocked_when_its_job_is_deleted(start: Start, family: Family) -> None:
    """Seen on both: no sign of life for 20 s (v0.16.1: 16 s), then it ran 4 s after an annotation changed."""
    world = start(family)
    unlabelled(world, "bad")
    world.force("bad", 1)
    world.pass_time(3)
    blocked = world.gitrepo("bad")
    world.delete(world.job("bad"))
    world.pass_time(20)
    still = world.jobs("bad")
    world.touch("bad")
    world.pass_time(4)

    assert told(blocked) == told(recorded("v0.16.1", "gitrepo-unsettled-legacy-blocked")) == LATE
    assert still == []
    assert world.job("bad")["metadata"]["labels"][FORCE] == "1"


@of(V0_14_10, V0_16_1)
def test_a_force_update_from_before_the_labels_needs_another(start: Start, family: Family) -> None:
    """Seen on v0.14.10: a changed label wakes nothing for 12 s; the next Force Update replaced the Job."""
    world = start(family)
    job = unlabelled(world, "bad")
    world.force("bad", 1)
    world.pass_time(3)
    world.label(job, "0")
    world.pass_time(12)
    still = world.uids("bad")
    world.force("bad", 2)
    world.pass_time(8)

    assert still == {job["metadata"]["uid"]}
    assert world.job("bad")["metadata"]["uid"] != job["metadata"]["uid"]
    assert world.gitrepo("bad")["status"]["updateGeneration"] == 2


@of(V0_14_10, V0_16_1)
def test_a_force_update_from_before_the_labels_runs_when_an_annotation_changes(start: Start, family: Family) -> None:
    """Read: any look at the GitRepo does; seen on v0.14.10 that the labels alone lead to none."""
    world = start(family)
    job = unlabelled(world, "bad")
    world.force("bad", 1)
    world.pass_time(3)
    world.label(job, "0")
    world.pass_time(12)
    still = world.uids("bad")
    world.touch("bad")
    world.pass_time(8)

    assert still == {job["metadata"]["uid"]}
    assert world.job("bad")["metadata"]["labels"][FORCE] == "1"
    assert world.gitrepo("bad")["status"]["updateGeneration"] == 1


@of(V0_14_10, V0_16_1)
def test_going_back_to_a_failed_commit_runs_it_again(start: Start, family: Family) -> None:
    """Read: its Job went when the next commit came, so there is none that would stand for the run."""
    world = start(family)
    old = world.job("bad")
    world.deploy("bad")
    world.push("bad", commit_of(old))
    world.pass_time(12)

    assert world.gitrepo("bad")["status"]["commit"] == commit_of(old)
    assert world.job("bad")["metadata"]["name"] == old["metadata"]["name"]
    assert world.job("bad")["metadata"]["uid"] != old["metadata"]["uid"]


@of(V0_14_10, V0_16_1)
def test_a_force_update_leaves_a_gap_of_five_seconds(start: Start, family: Family) -> None:
    """Seen on v0.16.1: absent for 5 s, the GitRepo unsettled, then the same name, a new uid and a raised label."""
    world = start(family)
    job = world.job("bad")
    world.force("bad", 3)
    world.pass_time(0.5)
    gone = world.jobs("bad")
    world.pass_time(4.5)
    during, still_gone = world.gitrepo("bad"), world.jobs("bad")
    world.pass_time(0.5)
    again = world.job("bad")
    seen = recorded("v0.16.1", "gitrepo-unsettled-force-sync")

    assert (gone, still_gone) == ([], [])
    assert told(during) == told(seen) == LATE
    assert during["metadata"]["generation"] - during["status"]["observedGeneration"] == 1
    assert seen["metadata"]["generation"] - seen["status"]["observedGeneration"] == 1
    assert (again["metadata"]["name"], again["metadata"]["labels"][FORCE]) == (job["metadata"]["name"], "3")
    assert again["metadata"]["uid"] != job["metadata"]["uid"]


@of(V0_14_10, V0_16_1)
def test_a_changed_repo_leaves_the_job_of_the_old_one(start: Start, family: Family) -> None:
    """Seen on v0.16.1 (`jobs-failed-old`): it stays after the change and after one more commit."""
    world = start(family)
    old = world.job("bad")
    world.change("bad", {"spec": {"repo": "https://git.example.com/platform/elsewhere"}})
    world.pass_time(8)
    between = len(world.jobs("bad"))
    newest = world.deploy("bad")

    assert between == 2
    assert world.uids("bad") == {job["metadata"]["uid"] for job in (old, newest)}


@of(V0_14_10, V0_16_1)
def test_no_job_is_made_without_the_deployment_of_fleets_controller(start: Start, family: Family) -> None:
    """Seen on v0.14.10: not accepted, with this message; a Deployment with no replicas was enough."""
    world = start(family)
    path = path_of("deployments", "cattle-fleet-system", "fleet-controller")
    deployment = world.caller.get(path)
    assert deployment
    world.caller.delete(path, deployment["metadata"]["uid"])
    commit = world.push("good")
    world.pass_time(12)
    accepted, jobs = condition(world.gitrepo("good"), "Accepted"), world.jobs("good")
    world.caller.create(path_of("deployments", "cattle-fleet-system"), {**deployment, "metadata": {"name": "fleet-controller"}})
    world.until(lambda: world.gitrepo("good")["status"]["commit"] == commit)

    assert jobs == []
    assert (accepted["status"], accepted["reason"]) == ("False", "Error")
    assert accepted["message"] == 'error creating git job: Deployment.apps "fleet-controller" not found'
    assert condition(world.gitrepo("good"), "Accepted")["status"] == "True"


@of(V0_14_10, V0_16_1)
def test_a_poll_without_a_new_commit_wakes_nothing(start: Start, family: Family) -> None:
    """Seen: `lastPollingTriggered` goes on while the error of a deleted Job stays; the commit is in `pollingCommit`."""
    world = start(family)
    before = world.gitrepo("bad")["status"]
    world.delete(world.job("bad"))
    world.pass_time(6)
    after = world.gitrepo("bad")["status"]

    assert after["lastPollingTriggered"] > before["lastPollingTriggered"]
    assert {**after, "lastPollingTriggered": ""} == {**before, "lastPollingTriggered": ""}
    assert after["pollingCommit"] == after["commit"]


def test_v0_16_deletes_the_job_when_its_secret_changes_and_makes_none(start: Start) -> None:
    """Seen on v0.16.1: Failed became Current within 7 s, without a Job (`gitrepo-failed-after-secret-rotation`)."""
    world = start(V0_16_1)
    secrets = path_of("secrets", NAMESPACE)
    world.caller.create(secrets, {"metadata": {"name": "auth"}, "type": "Opaque", "data": {"password": "b25l"}})
    world.change("bad", {"spec": {"clientSecretName": "auth"}})
    world.pass_time(10)
    before, job = world.gitrepo("bad"), world.job("bad")
    world.caller.patch(f"{secrets}/auth", {"data": {"password": "dHdv"}})
    world.pass_time(0.5)
    gone = world.jobs("bad")
    world.pass_time(6.5)
    after, seen = world.gitrepo("bad"), recorded("v0.16.1", "gitrepo-failed-after-secret-rotation")

    assert (told(before), ended_as(job), gone) == (LATE, "Failed", [])
    assert (world.jobs("bad"), told(after)) == ([], told(seen))
    noted = [repo["metadata"]["annotations"]["fleet.cattle.io/client-secret-hash"] for repo in (before, after, seen)]
    assert len(set(noted)) == len(noted)
    assert {len(digest) for digest in noted} == {64}
