"""A sandbox on which the stand-in for Fleet plays by the clock, while commands of ours run in processes of their own."""

import functools
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.cast import Temper
from cleaner.demo.family import Family
from cleaner.demo.kinds import JOB
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.stand_in import FleetStandIn, Pace, Stage
from tests.edge.stand_in_world import FAULT, NAMESPACE, Object, ended_as
from tests.modes.running import Said, run

PACE = Pace(commit_every=1e9, run_seconds=(0.3, 0.3), poll=0.4, overlooked=0, past=0, step_every=0.05, pause=0.5)
DEADLINE = 60.0


def failing(*names: str, slowness: float = 1.0) -> tuple[Temper, ...]:
    """GitRepos whose every run fails."""
    return tuple(Temper(NAMESPACE, name, failing=1.0, slowness=slowness, faults=(FAULT,)) for name in names)


class Live:
    """The world as it goes on."""

    def __init__(self, sandbox: Sandbox, fleet: FleetStandIn, caller: Caller, kubeconfig: Path) -> None:
        self.sandbox, self.fleet, self.caller, self.kubeconfig = sandbox, fleet, caller, kubeconfig

    def retry(self, *arguments: str) -> Said:
        """Run the command to its end."""
        return run("retry", *arguments, kubeconfig=self.kubeconfig)

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        end = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < end, "it never came to be"
            time.sleep(0.05)

    def gitrepo(self, name: str = "shop") -> Object:
        """The GitRepo as it is now."""
        found = self.caller.get(path_of("gitrepos", NAMESPACE, name))
        assert found
        return found

    def change(self, change: Object, name: str = "shop") -> None:
        """A merge patch to a GitRepo."""
        assert self.caller.patch(path_of("gitrepos", NAMESPACE, name), change)

    def told(self, name: str = "shop") -> str:
        """What Fleet says of its Job."""
        return str(self.gitrepo(name).get("status", {}).get("gitJobStatus", ""))

    def until_failed(self, *names: str) -> None:
        """Wait until Fleet has told of the failure of each, and of everything that was asked for."""
        for name in names or ("shop",):
            self.until(functools.partial(self._has_failed, name))

    def _has_failed(self, name: str) -> bool:
        return self.told(name) == "Failed" and self.settled(name)

    def settled(self, name: str = "shop") -> bool:
        """Whether Fleet has acted on all that the GitRepo asks for."""
        gitrepo = self.gitrepo(name)
        spec, status = gitrepo["spec"], gitrepo.get("status", {})
        observed: bool = gitrepo["metadata"]["generation"] == status.get("observedGeneration")
        return observed and bool(spec.get("forceSyncGeneration", 0) == status.get("updateGeneration", 0))

    def jobs(self, name: str = "shop") -> list[Object]:
        """The GitRepo's Jobs."""
        jobs = self.caller.items(path_of("jobs", NAMESPACE))
        return [job for job in jobs if job["metadata"]["ownerReferences"][0]["name"] == name]

    def made(self, name: str = "shop") -> list[Object]:
        """All Jobs that were ever made for it, as they were when they were new."""
        with self.sandbox.store.lock:
            made = [change.after for change in self.sandbox.store.since(1) if change.kind == JOB and change.before is None]
        return [job for job in made if job["metadata"]["ownerReferences"][0]["name"] == name]

    def delete_jobs(self, name: str = "shop") -> None:
        """Delete its Jobs as a user does."""
        for job in self.jobs(name):
            self.caller.delete(path_to("jobs", job), job["metadata"]["uid"])

    def mend(self, *names: str) -> None:
        """Let them succeed from now on."""
        for name in names or ("shop",):
            self.fleet.mend(NAMESPACE, name)

    def runs(self, name: str = "shop") -> bool:
        """Whether a Job of it has not ended."""
        return any(not ended_as(job) for job in self.jobs(name))


@contextmanager
def live(folder: Path, family: Family, tempers: tuple[Temper, ...] = failing("shop"), pace: Pace = PACE) -> Iterator[Live]:
    """Starts it, with this version of Fleet."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(history=1_000_000))
        caller = stack.enter_context(Caller(sandbox.url))
        fleet = FleetStandIn(sandbox.url, rng=random.Random(7), pace=pace, family=family, stage=Stage(tempers))
        stack.enter_context(fleet)
        kubeconfig = folder / "kubeconfig"
        config: Any = sandbox.kubeconfig()
        kubeconfig.write_text(json.dumps(config))
        yield Live(sandbox, fleet, caller, kubeconfig)
