"""Adopting many: every brake is asked before each step, and a Force Update that comes in between is not lost."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cleaner.cluster import Brake, Refusal
from cleaner.demo.sandbox import Sandbox
from cleaner.migration.adopting import Adopting
from cleaner.model import Job
from cleaner.result import Migrated
from tests.edge.faults import Ahead
from tests.edge.passes import cluster, never
from tests.edge.servers import GITREPOS, JOBS, SandboxServer, must, patch
from tests.world import seed

HEAD = seed.sha("head")
NUDGE = "gitjob-cleaner/nudged"
LOST = Refusal("leader", "another leads")


class Blocked:
    """GitRepos whose failed current Job lacks Fleet's labels, and no Fleet that would do anything about it."""

    def __init__(self, server: SandboxServer) -> None:
        self.server, self.place, self.time = server, seed.namespace(server), Ahead()
        self.port = cluster(server.kubeconfig(), self.time.clock())
        self.migrated, self.noted = Migrated(), 0

    def add(self, name: str, **spec: Any) -> None:
        repo = seed.gitrepo(self.place, name, failed=True, spec=spec)
        seed.put(self.server, [repo, seed.job(repo, HEAD, "failed", finished=seed.ago(hours=1), legacy=True)])

    def jobs(self) -> list[Job]:
        return [job for page in self.port.jobs(self.place) for job in page.facts]

    def force(self, name: str) -> None:
        patch(self.server, f"{GITREPOS.format(self.place)}/{name}", {"spec": {"forceSyncGeneration": 1}})

    def acted(self, name: str) -> None:
        """Fleet has begun what was asked for."""
        gitrepo = must(self.server.request("GET", f"{GITREPOS.format(self.place)}/{name}"))
        gitrepo["status"]["updateGeneration"] = gitrepo["spec"]["forceSyncGeneration"]
        must(self.server.request("PUT", f"{GITREPOS.format(self.place)}/{name}/status", gitrepo))

    def nudged(self) -> set[str]:
        gitrepos = must(self.server.request("GET", GITREPOS.format(self.place)))["items"]
        return {each["metadata"]["name"] for each in gitrepos if NUDGE in (each["metadata"].get("annotations") or {})}

    def adopted(self) -> set[str]:
        jobs = must(self.server.request("GET", JOBS.format(self.place)))["items"]
        return {
            job["metadata"]["ownerReferences"][0]["name"]
            for job in jobs
            if seed.GENERATION in (job["metadata"].get("labels") or {})
        }

    def adopt(self, brake: Brake = never, note: Callable[[], None] | None = None) -> Refusal | None:
        adopting = Adopting(self.port, self.time.clock(), lambda _: None, self.migrated, dry_run=False)
        return adopting.adopt(self.jobs(), brake, note or self._note)

    def _note(self) -> None:
        self.noted += 1


@pytest.fixture
def blocked(tmp_path: Path) -> Iterator[Blocked]:
    with Sandbox(collect_garbage=False) as sandbox:
        server = SandboxServer(sandbox, tmp_path)
        yield Blocked(server)
        server.close()


def asked(times: int, then: Callable[[], Refusal | None]) -> Brake:
    """A brake that says nothing so many times, and calls `then` from there on."""
    left = iter(range(times))
    return lambda: None if next(left, None) is not None else then()


def test_a_force_update_that_comes_just_before_the_labels_is_not_lost(blocked: Blocked) -> None:
    """Fleet >= 0.14 has ignored it, for the Job had no labels, and labels wake nobody."""
    blocked.add("shop")
    refusal = blocked.adopt(asked(1, lambda: blocked.force("shop") if not blocked.adopted() else None))

    assert (refusal, blocked.adopted()) == (None, {"shop"})
    assert blocked.nudged() == {"shop"}
    assert blocked.migrated.forced == [f"{blocked.place}/shop"]
    assert blocked.migrated.waiting == [f"{blocked.place}/shop"]
    assert blocked.noted == 1


def test_whoever_does_not_lead_any_more_nudges_nobody_else(blocked: Blocked) -> None:
    for name in ("a", "b", "c"):
        blocked.add(name, forceSyncGeneration=1)

    refusal = blocked.adopt(lambda: LOST if blocked.nudged() else None)

    assert refusal == LOST
    assert len(blocked.nudged()) == 1
    assert len(blocked.migrated.waiting) == 3


def test_a_stop_is_heard_between_two_readings(blocked: Blocked) -> None:
    for name in ("a", "b", "c"):
        blocked.add(name, forceSyncGeneration=1)

    assert blocked.adopt(asked(1, lambda: LOST)) == LOST

    assert (blocked.adopted(), blocked.migrated.forced, blocked.noted) == (set(), [], 0)


def test_a_force_update_that_fleet_has_begun_needs_no_nudge(blocked: Blocked) -> None:
    blocked.add("shop", forceSyncGeneration=1)

    def meanwhile() -> None:
        if blocked.adopted():
            blocked.acted("shop")

    assert blocked.adopt(meanwhile) is None
    assert (blocked.adopted(), blocked.nudged()) == ({"shop"}, set())
    assert blocked.migrated.waiting == []


def test_without_polling_nothing_runs_that_nobody_has_agreed_to(blocked: Blocked) -> None:
    """A Force Update would run the newest commit there; what is not pending may be adopted all the same."""
    blocked.add("pending", disablePolling=True, forceSyncGeneration=1)
    blocked.add("calm", disablePolling=True)

    assert blocked.adopt() is None
    assert (blocked.adopted(), blocked.nudged()) == ({"calm"}, set())
    assert (blocked.migrated.complete, blocked.migrated.forced) == (True, [])
