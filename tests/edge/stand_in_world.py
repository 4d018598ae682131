"""A sandbox with a stand-in for Fleet that is stepped by hand: what its tests look at and do."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.cast import Temper
from cleaner.demo.family import V0_12_4, Family
from cleaner.demo.stand_in import FleetStandIn, Pace, Stage

RECORDED = Path(__file__).parents[1] / "data" / "fleet"
QUIET = Pace(commit_every=1e9, run_seconds=(1.0, 1.0), poll=2.0, overlooked=0, past=0)
"""Nobody pushes unless the test does; every run takes a second."""
NAMESPACE = "fleet-default"
FAULT = "no resource found at the following paths to deploy: [does-not-exist]"


def plain(namespace: str) -> tuple[Temper, ...]:
    """One GitRepo that always succeeds, one that always fails, and one whose runs take twenty seconds."""
    return (
        Temper(namespace, "good", failing=0.0),
        Temper(namespace, "bad", failing=1.0, faults=(FAULT,)),
        Temper(namespace, "slow", failing=0.0, slowness=20.0),
    )


PLAIN = Stage(plain(NAMESPACE))
FORCE, GENERATION = "fleet.cattle.io/force-sync-generation", "fleet.cattle.io/gitrepo-generation"

Object = dict[str, Any]


def of(*families: Family) -> pytest.MarkDecorator:
    """Runs a test once for each of these versions, as its argument `family`."""
    return pytest.mark.parametrize("family", families, ids=[family.version for family in families])


class World:
    """The sandbox's objects and the stand-in over them; `at` is the moment, in seconds since the epoch."""

    def __init__(
        self,
        url: str,
        caller: Caller,
        family: Family = V0_12_4,
        stage: Stage | None = None,
        pace: Pace = QUIET,
        at: float = 1_800_000_000.0,
    ) -> None:
        self.url = url
        self.caller = caller
        self.at = at
        self.stage = stage or Stage()
        self.namespace = self.stage.namespace or NAMESPACE
        self.fleet = FleetStandIn(url, lambda: self.at, random.Random(7), pace, family, self.stage)
        self.fleet.set_up()

    def pass_time(self, seconds: float) -> None:
        """Step through the time, half a second at once."""
        for _ in range(round(seconds * 2)):
            self.at += 0.5
            self.fleet.step(self.at)

    def until(self, holds: Callable[[], object]) -> None:
        """Step until this holds, for no more than a minute and a half."""
        for _ in range(200):
            if holds():
                return
            self.pass_time(0.5)
        raise AssertionError("it never came to be")

    def gitrepo(self, name: str, namespace: str = "") -> Object:
        """The GitRepo as it is now."""
        found = self.caller.get(path_of("gitrepos", namespace or self.namespace, name))
        assert found
        return found

    def change(self, name: str, change: Object) -> None:
        """A merge patch to a GitRepo."""
        assert self.caller.patch(path_of("gitrepos", self.namespace, name), change)

    def touch(self, name: str) -> None:
        """Change an annotation of the GitRepo, which wakes every Fleet."""
        self.change(name, {"metadata": {"annotations": {"touched": str(self.at)}}})

    def force(self, name: str, number: int) -> None:
        """Ask for a Force Update."""
        self.change(name, {"spec": {"forceSyncGeneration": number}})

    def push(self, name: str, commit: str = "") -> str:
        """A new commit upstream, or an old one again."""
        return self.fleet.upstream.push(self.gitrepo(name), commit)

    def deploy(self, name: str) -> Object:
        """Push a commit and let it run to its end and be noticed; returns its Job, as it was last seen."""
        commit = self.push(name)
        found: dict[str, Object] = {}

        def ended() -> bool:
            found.update({job["metadata"]["uid"]: job for job in self.jobs(name) if commit_of(job) == commit})
            return any(ended_as(job) for job in found.values())

        self.until(ended)
        self.pass_time(2.5)
        return next(iter(found.values()))

    def jobs(self, name: str, namespace: str = "") -> list[Object]:
        """The GitRepo's Jobs."""
        jobs = self.caller.items(path_of("jobs", namespace or self.namespace))
        return [job for job in jobs if job["metadata"]["ownerReferences"][0]["name"] == name]

    def uids(self, name: str) -> set[str]:
        """The uids of the GitRepo's Jobs."""
        return {job["metadata"]["uid"] for job in self.jobs(name)}

    def job(self, name: str) -> Object:
        """The GitRepo's only Job."""
        [job] = self.jobs(name)
        return job

    def unfinished(self, name: str) -> list[Object]:
        """Its Jobs that have not ended."""
        return [job for job in self.jobs(name) if not ended_as(job)]

    def pods(self, job: Object) -> list[Object]:
        """The Pods with the Job's name and uid on them."""
        pods = self.caller.items(path_of("pods", job["metadata"]["namespace"]))
        return [pod for pod in pods if pod["metadata"]["labels"]["controller-uid"] == job["metadata"]["uid"]]

    def delete(self, job: Object, policy: str = "Background") -> None:
        """Delete a Job as a user does."""
        self.caller.delete(path_to("jobs", job), job["metadata"]["uid"], policy)

    def label(self, job: Object, value: str | None) -> None:
        """Put Fleet's two labels on a Job, or take them off (None)."""
        assert self.caller.patch(path_to("jobs", job), {"metadata": {"labels": {FORCE: value, GENERATION: value}}})


def commit_of(job: Object) -> str:
    """The commit that a Job is for."""
    return str(job["metadata"]["annotations"]["commit"])


def ended_as(job: Object) -> str:
    """`Complete` or `Failed`; empty while it runs."""
    conditions = {condition["type"] for condition in job["status"].get("conditions", ())}
    return "".join(conditions & {"Complete", "Failed"})


def stalled(gitrepo: Object) -> Object:
    """The condition that carries a failure's message."""
    return condition(gitrepo, "Stalled")


def condition(gitrepo: Object, kind: str) -> Object:
    """The condition of this type."""
    return next(c for c in gitrepo["status"]["conditions"] if c["type"] == kind)


def told(gitrepo: Object) -> tuple[str, str, str]:
    """What the GitRepo shows of its Job: `gitJobStatus`, `Stalled` and its message."""
    blocked = stalled(gitrepo)
    return gitrepo["status"]["gitJobStatus"], blocked["status"], blocked.get("message", "")


def recorded(version: str, name: str) -> Object:
    """An object as the API server sent it when a real Fleet ran."""
    read: Object = json.loads((RECORDED / version / f"{name}.json").read_text())
    return read["items"][0] if "items" in read else read
