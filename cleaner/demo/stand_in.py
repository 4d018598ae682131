"""A stand-in for Fleet: what a cluster with a busy Fleet looks like from the API, and how it answers a user."""

import contextlib
import http.client
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cleaner.demo import cast
from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.collecting import collect
from cleaner.demo.family import V0_10_2, V0_12_4, Family, Previous
from cleaner.demo.gitops import Gitops, create_job, hold
from cleaner.demo.kinds import Object
from cleaner.demo.runs import Run, Runs, finish
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
    pause: float = 5.0
    """How long Fleet, from v0.14 on, waits between deleting a Job and making it anew."""


@dataclass(frozen=True)
class Stage:
    """Where the stand-in plays, and who is there from the start."""

    tempers: Sequence[cast.Temper] = cast.CAST
    namespace: str = ""
    """The only one whose GitRepos, Jobs and Pods it knows; empty: all."""
    collects: bool = False
    """Plays the garbage collector, too: for a server that has none, unlike the sandbox."""
    runs: bool = True
    """Plays the Job controller and the kubelet, too: for a server beside which none runs."""
    call: Callable[[str], Caller] = Caller
    """Turns the server's URL into a connection to it."""


class FleetStandIn:
    """Fleet's controller, the Job controller, the kubelet and the people who push commits, over one API server.

    Every step reads the world afresh, so whatever a user does to any object has its consequence. `now` gives seconds
    since the epoch; `rng` decides who pushes which commit, and how long a run takes; the commit, whether it fails.
    `family` is the version of Fleet.
    """

    def __init__(
        self,
        url: str,
        now: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        pace: Pace | None = None,
        family: Family = V0_12_4,
        stage: Stage | None = None,
    ) -> None:
        self._url = url
        self._stage = stage or Stage()
        self._now = now
        self._rng = rng or random.Random()  # noqa: S311 - a play, not a secret
        self._pace = pace or Pace()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.upstream = Upstream(self._rng, self._pace.commit_every)
        self._runs = Runs(self._rng, self._pace.run_seconds, self._stage.tempers)
        self._family = family
        self._gitops = self._controller()
        self._turn = threading.Lock()

    def _controller(self) -> Gitops:
        return Gitops(self._family, self.upstream, self._pace.overlooked, self._pace.pause)

    def set_up(self) -> None:
        """Make the namespaces, Fleet's Deployments and the GitRepos with their past; what exists is left alone.

        Raises OSError or http.client.HTTPException when the server cannot be reached.
        """
        with self._stage.call(self._url) as caller:
            for name in dict.fromkeys((*cast.NAMESPACES, *(temper.namespace for temper in self._stage.tempers))):
                caller.create(path_of("namespaces", ""), {"metadata": {"name": name}})
            for name in cast.DEPLOYMENTS:
                _deploy(caller, name, self._family)
            for temper in self._stage.tempers:
                made = caller.create(path_of("gitrepos", temper.namespace), cast.gitrepo(temper, self._pace.poll))
                if gitrepo := made and hold(caller, made, self._family):
                    self._write_past(caller, gitrepo, temper)

    def upgrade(self, family: Family) -> None:
        """Start the controller anew as this version, over the same objects; the same version again is a mere restart.

        As every controller that starts, it looks at each GitRepo once. May be called from any thread. Raises OSError
        or http.client.HTTPException when the server cannot be reached.
        """
        with self._turn, self._stage.call(self._url) as caller:
            self._family = family
            self._gitops = self._controller()
            for name in cast.DEPLOYMENTS:
                _deploy(caller, name, family)

    def mend(self, namespace: str, name: str) -> None:
        """Let the runs of a GitRepo succeed from now on, those of the same commit too. May be called from any thread."""
        with self._turn:
            self._runs.mend(namespace, name)

    def lose_timers(self) -> None:
        """Let polling fall silent, as it does by itself in Fleet v0.10.1 to v0.10.8; in others nothing happens.

        A GitRepo polls again when something else wakes it after its interval.
        """
        with self._turn:
            self._gitops.wakes.lose_timers()

    def step(self, now: float) -> None:
        """One look at the world, and all that follows from it at this moment (seconds since the epoch)."""
        with self._turn, self._stage.call(self._url) as caller:
            # Owners are read after what they own, or something new would look as if its owner were gone.
            pods, jobs, gitrepos = (self._all(caller, plural) for plural in ("pods", "jobs", "gitrepos"))
            self.upstream.step(gitrepos, now)
            if self._stage.runs:
                self._runs.step(caller, jobs, pods, now)
            self._gitops.step(caller, gitrepos, jobs, pods, now)
            if self._stage.collects:
                collect(caller, gitrepos, jobs, pods)

    def _all(self, caller: Caller, plural: str) -> list[Object]:
        return caller.items(path_of(plural, self._stage.namespace))

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
            run = Run(start, start + self._rng.uniform(2.0, 9.0), temper.fault(commit))
            family = V0_10_2 if number < self._pace.past // 3 else self._family
            if family.previous is Previous.LEFT or number == self._pace.past - 1:
                _write_run(caller, gitrepo, commit, family, run)
            moment += 30.0
        if commit:
            told = {"commit": commit, "observedGeneration": gitrepo["metadata"]["generation"]}
            caller.set_status(path_to("gitrepos", gitrepo), told)


def _write_run(caller: Caller, gitrepo: Object, commit: str, family: Family, run: Run) -> None:
    if job := create_job(caller, family, gitrepo, commit):
        finish(caller, job, (), run)


def _deploy(caller: Caller, name: str, family: Family) -> None:
    """Put the Deployment there with the image of this version, rolled out."""
    wanted = cast.deployment(name, family.image)
    made = caller.create(path_of("deployments", cast.FLEET_NAMESPACE), wanted)
    made = made or caller.patch(path_of("deployments", cast.FLEET_NAMESPACE, name), {"spec": wanted["spec"]})
    if made:
        status = cast.ROLLED_OUT | {"observedGeneration": made["metadata"]["generation"]}
        caller.set_status(path_to("deployments", made), status)
