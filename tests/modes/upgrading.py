"""A cluster whose Fleet is upgraded: 0.10.2 leaves its Jobs behind, some of which block their GitRepos afterwards."""

import functools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cleaner.demo.caller import path_of
from cleaner.demo.cast import Temper
from cleaner.demo.family import V0_10_2, Family
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.stand_in import FleetStandIn, Pace, Stage
from tests.edge.servers import SandboxServer, must
from tests.edge.serving import eventually
from tests.edge.stand_in_world import FAULT, commit_of, ended_as, told

Json = dict[str, Any]
NAMESPACE = "fleet-default"
HOME = "cattle-cleaner-system"
QUICK = Pace(commit_every=1e9, run_seconds=(0.1, 0.3), poll=0.5, overlooked=0, past=0, step_every=0.05, pause=0.5)


class Upgrading:
    """
    Fleet, in real time, over the GitRepos of `stage`; every Job that was ever made is remembered by uid.

    The test has a connection of its own for each request: one that is idle for minutes is closed.
    """

    def __init__(self, url: str, stage: Stage, family: Family = V0_10_2, pace: Pace = QUICK) -> None:
        self.made: dict[str, Json] = {}
        self._pause = pace.step_every
        self._namespace = stage.tempers[0].namespace
        self.names = [temper.name for temper in stage.tempers]
        self._watcher = stage.call(url)
        self._call = functools.partial(stage.call, url)
        self.fleet = FleetStandIn(url, rng=random.Random(3), pace=pace, family=family, stage=stage)
        self.fleet.set_up()
        self._begun, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._play, name="fleet")

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.wait()  # in its first step somebody pushes
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._watcher.__exit__()

    def _play(self) -> None:
        while not self._over.wait(self._pause):
            self.fleet.step(time.time())
            self._begun.set()
            for job in self._watcher.items(path_of("jobs", self._namespace)):
                self.made.setdefault(job["metadata"]["uid"], job)

    def jobs(self, name: str = "") -> list[Json]:
        """The Jobs of a GitRepo, or all of them."""
        with self._call() as caller:
            jobs = caller.items(path_of("jobs", self._namespace))
        return [job for job in jobs if not name or job["metadata"]["ownerReferences"][0]["name"] == name]

    def gitrepo(self, name: str) -> Json:
        """A GitRepo as it is now."""
        with self._call() as caller:
            found = caller.get(path_of("gitrepos", self._namespace, name))
        assert found
        return found

    def change(self, name: str, change: Json) -> None:
        """A merge patch to a GitRepo."""
        with self._call() as caller:
            assert caller.patch(path_of("gitrepos", self._namespace, name), change)

    def deploy(self, commits: int) -> None:
        """Let all GitRepos have so many commits, their first is there already; wait until all their Jobs have ended."""
        eventually(lambda: len(self.jobs()) == len(self.names))
        for _ in range(commits - 1):
            pushed = {self.fleet.upstream.push(self.gitrepo(name)) for name in self.names}
            eventually(functools.partial(self._all_made, pushed))
        eventually(lambda: all(map(ended_as, self.jobs())), seconds=240)
        eventually(lambda: all(told(self.gitrepo(name))[2] for name in self.names if name.startswith("bad-")))

    def _all_made(self, commits: set[str]) -> bool:
        return commits <= set(map(commit_of, self.jobs()))

    def current(self, name: str) -> Json:
        """The Job of a GitRepo's commit."""
        commit = self.gitrepo(name)["status"]["commit"]
        return next(job for job in self.jobs(name) if commit_of(job) == commit)

    def force(self, name: str) -> None:
        """Ask for a Force Update."""
        now = self.gitrepo(name)["spec"].get("forceSyncGeneration", 0)
        self.change(name, {"spec": {"forceSyncGeneration": now + 1}})

    def runs_of(self, name: str) -> list[Json]:
        """Every Job that was ever made for a GitRepo."""
        return [job for job in self.made.values() if job["metadata"]["ownerReferences"][0]["name"] == name]


def tempers(good: int, bad: int, namespace: str = NAMESPACE) -> tuple[Temper, ...]:
    """GitRepos that always succeed, and such that always fail."""
    wells = tuple(Temper(namespace, f"good-{n}", failing=0.0) for n in range(good))
    return wells + tuple(Temper(namespace, f"bad-{n}", failing=1.0, faults=(FAULT,)) for n in range(bad))


@contextmanager
def upgrading(folder: Path, good: int, bad: int, commits: int) -> Iterator[tuple[Upgrading, SandboxServer]]:
    """A sandbox with a Fleet 0.10.2 after so many commits to each of its GitRepos, and a home for the cleaner."""
    with Sandbox() as sandbox, Upgrading(sandbox.url, Stage(tempers(good, bad))) as world:
        server = SandboxServer(sandbox, folder)
        must(server.request("POST", "/api/v1/namespaces", {"metadata": {"name": HOME}}))
        world.deploy(commits)
        yield world, server
        server.close()
