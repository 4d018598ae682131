"""A stand-in for Fleet: what a cluster with a busy Fleet 0.12 looks like from the API, and how it answers a user."""

import contextlib
import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cleaner.demo import cast, job_form
from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.family import V0_10_2, V0_12_4, Family
from cleaner.demo.gitops import Gitops
from cleaner.demo.kinds import Object
from cleaner.demo.runs import Run, Runs, record
from cleaner.demo.upstream import Upstream


@dataclass(frozen=True)
class Pace:
    """How fast the world of the stand-in turns; times in seconds."""

    commit_every: float = 4.0
    """The mean between two commits, over all GitRepos."""
    run_seconds: tuple[float, float] = (1.0, 4.0)
    """The least and the most that a run takes."""
    poll: float = 2.0
    """The GitRepos' `spec.pollingInterval`."""
    overlooked: int = 4
    """One success in so many is never noticed by Fleet, and leaves its Job behind; 0: none."""
    past: int = 7
    """How many earlier commits each GitRepo has at the start."""
    step_every: float = 0.3
    """The pause between two steps of the thread."""


class FleetStandIn:
    """Fleet's controller, the Job controller, the kubelet and the people who push commits, over one API server.

    Every step reads the world afresh, so whatever a user does to any object has its consequence. `now` gives seconds
    since the epoch; `rng` decides who pushes, what fails and how long it takes.
    """

    def __init__(
        self,
        url: str,
        now: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._url = url
        self._now = now
        self._rng = rng or random.Random()  # noqa: S311 - a play, not a secret
        self._pace = pace or Pace()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.upstream = Upstream(self._rng, self._pace.commit_every)
        self._runs = Runs(self._rng, self._pace.run_seconds)
        self._gitops = Gitops(V0_12_4, self.upstream, self._rng, self._pace.overlooked)

    def set_up(self) -> None:
        """Make the namespaces, Fleet's Deployments and the GitRepos with their past; what exists is left alone.

        Raises OSError or http.client.HTTPException when the server cannot be reached.
        """
        with Caller(self._url) as caller:
            for name in cast.NAMESPACES:
                caller.create(path_of("namespaces", ""), {"metadata": {"name": name}})
            for name in ("fleet-controller", "gitjob"):
                _deploy(caller, name)
            for temper in cast.CAST:
                gitrepo = caller.create(path_of("gitrepos", temper.namespace), cast.gitrepo(temper, self._pace.poll))
                if gitrepo:
                    self._write_past(caller, gitrepo, temper)

    def step(self, now: float) -> None:
        """One look at the world, and all that follows from it at this moment (seconds since the epoch)."""
        with Caller(self._url) as caller:
            gitrepos, jobs, pods = (caller.items(path_of(plural, "")) for plural in ("gitrepos", "jobs", "pods"))
            self.upstream.step(gitrepos, now)
            self._runs.step(caller, jobs, pods, now)
            self._gitops.step(caller, gitrepos, jobs, pods, now)

    def start(self) -> Self:
        """Set up, then step in a thread of its own until `stop`."""
        self.set_up()
        self._thread = threading.Thread(target=self._play, name="fleet-stand-in", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the thread, after the step that it is in; may be called more than once."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _play(self) -> None:
        while not self._stop.wait(self._pace.step_every):
            with contextlib.suppress(OSError, http.client.HTTPException):  # the server is away: look again later
                self.step(self._now())

    def _write_past(self, caller: Caller, gitrepo: Object, temper: cast.Temper) -> None:
        """Finished runs of earlier commits, the oldest made by the Fleet before the upgrade."""
        moment = self._now() - 30.0 * self._pace.past
        commit = ""
        for number in range(self._pace.past):
            commit = self.upstream.push(gitrepo)
            start = moment + self._rng.uniform(0.0, 10.0)
            run = Run(start, start + self._rng.uniform(2.0, 9.0), temper.fault(self._rng))
            self._write_run(caller, gitrepo, commit, V0_10_2 if number < self._pace.past // 3 else V0_12_4, run)
            moment += 30.0
        if commit:
            caller.set_status(path_to("gitrepos", gitrepo), {"commit": commit, "observedGeneration": 1})

    def _write_run(self, caller: Caller, gitrepo: Object, commit: str, family: Family, run: Run) -> None:
        job = caller.create(path_of("jobs", gitrepo["metadata"]["namespace"]), job_form.job(family, gitrepo, commit))
        if job:
            record(caller, job, run)


def _deploy(caller: Caller, name: str) -> None:
    deployment = cast.deployment(name, V0_12_4.image)
    if made := caller.create(path_of("deployments", cast.FLEET_NAMESPACE), deployment):
        caller.set_status(path_to("deployments", made), cast.ROLLED_OUT)
