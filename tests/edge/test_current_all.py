"""`current = all` over each Fleet that allows it: the GitRepo does what the README says, and its error stays known."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from cleaner.cluster import Clock
from cleaner.demo.caller import Caller
from cleaner.demo.family import V0_10_4, V0_12_4, V0_14_10, V0_16_1, Family
from cleaner.demo.sandbox import Sandbox
from cleaner.explain import explain, find_gitrepo
from cleaner.model import KeptError
from cleaner.retention import Current, Policy, Rule
from cleaner.scope import Scope
from cleaner.sweep import Order
from tests.edge.passes import Passed, cluster, sweep
from tests.edge.stand_in_world import FAULT, NAMESPACE, PLAIN, World, commit_of, ended_as, of, told

HEALTHY = ("Current", "False", "")
POLICY = Policy(failed=Rule(0, 1.0), settle=1.0, current=Current.ALL)
SINCE_0_10_4 = (V0_10_4, V0_12_4, V0_14_10, V0_16_1)


class Stage(NamedTuple):
    """A world whose API and whose cleaner have the stand-in's time."""

    world: World
    kubeconfig: Path

    @property
    def clock(self) -> Clock:
        """The stand-in's time, with real waits."""
        return Clock(lambda: self.world.at, time.monotonic, time.sleep)

    def sweep(self) -> Passed:
        """Sweep, as of now."""
        return sweep(self.kubeconfig, NAMESPACE, policy=POLICY, timer=self.clock)

    def kept(self) -> list[KeptError]:
        """What `explain` reads back of `bad`."""
        port, order = cluster(self.kubeconfig, self.clock), Order(Scope((NAMESPACE,)), POLICY)
        gitrepo = find_gitrepo(port, order.scope, f"{NAMESPACE}/bad")
        return explain(port, port, order, self.clock, gitrepo).kept_errors


@pytest.fixture
def stage(family: Family, tmp_path: Path) -> Iterator[Stage]:
    """`bad` has failed, and that was a while ago."""
    with ExitStack() as stack:
        at = [1_800_000_000.0]
        sandbox = stack.enter_context(Sandbox(now=lambda: at[0]))
        world = begun(at, sandbox.url, stack.enter_context(Caller(sandbox.url)), family)
        world.until(lambda: any(ended_as(job) for job in world.jobs("bad")))
        world.pass_time(30)
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(sandbox.kubeconfig()))
        yield Stage(world, kubeconfig)


def begun(at: list[float], url: str, caller: Caller, family: Family) -> World:
    """A world whose time is the sandbox's."""

    class Timed(World):
        @property
        def at(self) -> float:
            return at[0]

        @at.setter
        def at(self, moment: float) -> None:
            at[0] = moment

    return Timed(url, caller, family, PLAIN)


def error_of_fleet(family: Family) -> str:
    """What its GitRepo tells of a failure."""
    return FAULT if family.plain_errors else "Job Failed. failed: "


@of(*SINCE_0_10_4)
def test_the_error_stays_known_where_fleet_forgets_it_and_no_job_is_made(stage: Stage, family: Family) -> None:
    world, job = stage.world, stage.world.job("bad")
    before = told(world.gitrepo("bad"))

    passed = stage.sweep()
    at_once = told(world.gitrepo("bad"))
    world.pass_time(20)
    later = told(world.gitrepo("bad"))
    world.touch("bad")
    world.pass_time(20)

    assert before[:2] == ("Failed", "True")
    assert before[2].startswith(error_of_fleet(family))
    assert job["metadata"]["name"] in passed.of("deleted")
    assert at_once == before
    assert later == (before if family in (V0_14_10, V0_16_1) else HEALTHY)
    assert told(world.gitrepo("bad")) == HEALTHY
    assert world.jobs("bad") == []
    assert [(kept.job, kept.commit, kept.text) for kept in stage.kept()] == [(job["metadata"]["name"], commit_of(job), FAULT)]


@of(V0_14_10, V0_16_1)
def test_a_restart_of_fleet_forgets_it_too(stage: Stage, family: Family) -> None:
    stage.sweep()
    stage.world.fleet.upgrade(family)
    stage.world.pass_time(2)

    assert told(stage.world.gitrepo("bad")) == HEALTHY
    assert [kept.text for kept in stage.kept()] == [FAULT]


@of(*SINCE_0_10_4)
def test_a_gitrepo_that_does_not_poll_keeps_its_failed_job(stage: Stage) -> None:
    world = stage.world
    world.change("bad", {"spec": {"disablePolling": True}})
    world.pass_time(5)
    world.until(lambda: any(ended_as(job) for job in world.jobs("bad")))
    world.pass_time(30)
    uids = world.uids("bad")

    reasons = stage.sweep().reasons()

    assert reasons[world.job("bad")["metadata"]["name"]] == "unsettled"
    assert (world.uids("bad"), stage.kept()) == (uids, [])


@of(*SINCE_0_10_4)
def test_a_gitrepo_that_a_legacy_job_blocks_keeps_it(stage: Stage) -> None:
    world = stage.world
    world.label(world.job("bad"), None)
    world.force("bad", 1)
    world.pass_time(20)
    uids = world.uids("bad")

    reasons = stage.sweep().reasons()

    assert reasons[world.job("bad")["metadata"]["name"]] == "unsettled"
    assert (world.uids("bad"), stage.kept()) == (uids, [])
