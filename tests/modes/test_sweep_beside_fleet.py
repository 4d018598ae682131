"""`sweep` beside the stand-in for Fleet, where a deletion decides what Fleet runs next: reverts, and polling that has died."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from cleaner.cluster import Clock
from cleaner.demo.caller import Caller
from cleaner.demo.family import V0_10_2, V0_10_4, V0_12_4, V0_14_10, V0_16_1, Family
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.stand_in import Pace
from cleaner.retention import Policy, Rule
from tests.edge.passes import sweep
from tests.edge.servers import SandboxServer
from tests.edge.stand_in_world import NAMESPACE, PLAIN, Object, World, commit_of, ended_as, of, told
from tests.modes.running import Said, run

FORGETFUL = Pace(commit_every=1e9, run_seconds=(1.0, 1.0), poll=2.0, overlooked=1, past=0)
"""Fleet overlooks each success, so that its Job stays until somebody else deletes it."""
ALL_OLD = Policy(succeeded=Rule(0, 0.0), failed=Rule(0, 0.0), settle=0.0)
AT_ONCE = ("--settle", "0s", "--succeeded-age", "0s", "--failed-age", "0s", "--failed-keep", "0")

Begin = Callable[[Family], World]
Clean = Callable[[World], set[str]]


# --- reverts


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[tuple[Begin, Clean]]:
    """Begins a world of its own time, and cleans it in that time; the names of the Jobs that went."""
    with ExitStack() as stack:
        sandboxes: dict[str, Sandbox] = {}
        moment = [1_800_000_000.0]

        def start(family: Family) -> World:
            sandbox = stack.enter_context(Sandbox(now=lambda: moment[0]))
            sandboxes[sandbox.url] = sandbox
            world = World(sandbox.url, stack.enter_context(Caller(sandbox.url)), family, PLAIN, FORGETFUL)
            world.pass_time(6)
            return world

        def clean(world: World) -> set[str]:
            moment[0] = world.at
            server = SandboxServer(sandboxes[world.url], tmp_path)
            timer = Clock(lambda: world.at, time.monotonic, time.sleep)
            return sweep(server.kubeconfig(), NAMESPACE, policy=ALL_OLD, timer=timer).of("deleted")

        yield start, clean


def go_back(world: World, name: str, clean: Clean) -> tuple[Object, list[Object]]:
    """Push a commit, then force the one before it back: the Job that this had, and the Jobs that it has in the end."""
    before = world.job(name)
    world.deploy(name)
    clean(world)
    world.push(name, commit_of(before))
    world.until(lambda: world.gitrepo(name)["status"]["commit"] == commit_of(before))
    world.pass_time(6)
    return before, [job for job in world.jobs(name) if commit_of(job) == commit_of(before)]


def leave(_: World) -> set[str]:
    """Clean nothing: the control."""
    return set()


@pytest.mark.parametrize("name", ["good", "bad"])
@of(V0_10_2, V0_10_4, V0_12_4)
def test_a_revert_runs_since_the_job_that_would_stand_for_it_is_gone(
    begin: tuple[Begin, Clean], family: Family, name: str
) -> None:
    """
    Without the cleaner the Job left over from the first time is found, nothing runs, and its old result is told.

    Seen on v0.10.4, a failed Job: same uid, no run, the old error. Read: the same on v0.10.2, and with a succeeded one.
    """
    start, clean = begin
    before, alone = go_back(start(family), name, leave)
    assert [job["metadata"]["uid"] for job in alone] == [before["metadata"]["uid"]]

    world = start(family)
    cleaned, [again] = go_back(world, name, clean)

    assert again["metadata"]["name"] == cleaned["metadata"]["name"] == before["metadata"]["name"]
    assert again["metadata"]["uid"] != cleaned["metadata"]["uid"]
    assert ended_as(again) == ended_as(before) == {"good": "Complete", "bad": "Failed"}[name]
    assert told(world.gitrepo(name))[0] == {"good": "Current", "bad": "Failed"}[name]


@of(V0_14_10, V0_16_1)
def test_later_versions_run_a_revert_by_themselves(begin: tuple[Begin, Clean], family: Family) -> None:
    """Read: they delete the Job of the commit before themselves, so there is none to find. The cleaner changes nothing."""
    start, clean = begin
    for way in (leave, clean):
        before, [again] = go_back(start(family), "bad", way)
        assert again["metadata"]["uid"] != before["metadata"]["uid"]


# --- polling that has died


class Asleep(NamedTuple):
    """A world whose `good` has not been polled for minutes, with a commit that Fleet has not seen."""

    world: World
    kubeconfig: Path
    newest: str

    def sweep(self, *flags: str) -> Said:
        """The command, as a process of its own."""
        return run("sweep", *AT_ONCE, *flags, kubeconfig=self.kubeconfig)

    def state(self) -> tuple[set[str], str]:
        """The Jobs of `good` by uid, and the commit that Fleet knows of."""
        return self.world.uids("good"), self.world.gitrepo("good")["status"]["commit"]


@pytest.fixture
def asleep(tmp_path: Path) -> Iterator[Asleep]:
    """Fleet v0.10.2 that lost its timers ten minutes ago; beside `good`, `bad` is polled once an hour, and misses nothing yet."""
    with Sandbox() as sandbox, Caller(sandbox.url) as caller:
        world = World(sandbox.url, caller, V0_10_2, PLAIN, at=time.time() - 700)
        world.pass_time(6)
        for name in ("good", "bad"):
            world.deploy(name)
            world.deploy(name)
        world.change("bad", {"spec": {"pollingInterval": "1h"}})
        world.pass_time(6)
        world.fleet.lose_timers()
        newest = world.push("good")
        world.pass_time(60)
        yield Asleep(world, SandboxServer(sandbox, tmp_path).kubeconfig(), newest)


def reasons(said: Said, gitrepo: str) -> Counter[tuple[str, str]]:
    """What became of the Jobs of a GitRepo, and why."""
    return Counter((line["reason"], line["result"]) for line in said.document["jobs"] if line["gitrepo"] == gitrepo)


def test_a_gitrepo_that_fleet_has_stopped_polling_is_left_asleep(asleep: Asleep) -> None:
    """Seen on v0.10.2: with polling dead, the deletion of any Job leads to the run of a commit that nobody had noticed."""
    before, known = asleep.state()

    said = asleep.sweep("--output", "json")
    again = asleep.sweep()
    asleep.world.pass_time(20)

    assert (said.code, again.code) == (0, 0)
    assert said.document["fleet"]["recreates"] is True
    assert reasons(said, "good") == {("current", "kept"): 1, ("asleep", "kept"): 2}
    assert reasons(said, "bad") == {("current", "kept"): 1, ("superseded", "deleted"): 2}
    assert re.search(rf"^{NAMESPACE}/good +3 +0 +3 +2 asleep, 1 current$", again.out, re.MULTILINE)
    assert asleep.state() == (before, known)
    assert known != asleep.newest


def test_explain_says_what_a_deletion_would_do(asleep: Asleep) -> None:
    said = run("explain", f"{NAMESPACE}/good", kubeconfig=asleep.kubeconfig)

    assert len(re.findall(r" keep +asleep$", said.out, re.MULTILINE)) == 2
    assert "any deletion would wake it into the newest commit" in said.out


def test_wake_deletes_and_fleet_wakes_into_the_newest_commit(asleep: Asleep) -> None:
    """The danger is real: what the flag is asked for is a deployment that nobody else had started."""
    before, known = asleep.state()

    said = asleep.sweep("--output", "json", "--wake")
    asleep.world.pass_time(3)

    after, commit = asleep.state()
    assert reasons(said, "good") == {("current", "kept"): 1, ("superseded", "deleted"): 2}
    assert known != commit == asleep.newest
    assert len(after & before) == 1
    assert [commit_of(job) for job in asleep.world.jobs("good") if job["metadata"]["uid"] not in before] == [asleep.newest]
