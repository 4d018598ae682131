"""The same Fleet twice, over the same past and fed with the same: once with the cleaner beside it, once alone."""

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cleaner.demo.caller import Caller, path_of
from cleaner.demo.cast import Temper
from cleaner.demo.family import V0_10_2, Family
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.stand_in import Pace, Stage
from tests.edge.serving import DEADLINE
from tests.edge.stand_in_world import NAMESPACE, Object, World, ended_as
from tests.world.seed import sha

STEP = 0.5
"""Seconds between two looks of both Fleets at their worlds."""


class Made(NamedTuple):
    """What a Job was made for."""

    name: str
    commit: str
    force: str
    """The Force Update it runs: an argument of its container in all versions, and a label only in later ones."""
    generation: str


class _Recorder(Caller):
    """The stand-in's way to the API, which keeps a record of every Job that was made on it."""

    def __init__(self, url: str, record: list[Made]) -> None:
        super().__init__(url)
        self._record = record

    def create(self, path: str, obj: Object) -> Object | None:
        made = super().create(path, obj)
        if made and made["kind"] == "Job":
            annotations, [container] = made["metadata"]["annotations"], made["spec"]["template"]["spec"]["containers"]
            [force] = (word for word in container["args"] if word.startswith("--sync-generation="))
            self._record.append(Made(made["metadata"]["name"], annotations["commit"], force, annotations["generation"]))
        return made


class Group(World):
    """One of the two: a world whose time is that of this machine, and all that Fleet ever ran in it."""

    def __init__(self, sandbox: Sandbox, caller: Caller, family: Family, cast: tuple[Temper, ...], pace: Pace) -> None:
        record: list[Made] = []
        stage = Stage(cast, call=lambda url: _Recorder(url, record))
        super().__init__(sandbox.url, caller, V0_10_2, stage, pace, time.time())
        self.sandbox = sandbox
        self.record = record
        self.tempers = {temper.name: temper for temper in cast}
        self.fleet.step(self.at)
        if family is not V0_10_2:
            self.fleet.upgrade(family)

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig for this world."""
        path = folder / "kubeconfig"
        path.write_text(json.dumps(self.sandbox.kubeconfig()))
        return path

    def gitrepos(self) -> list[Object]:
        """All of them."""
        return self.caller.items(path_of("gitrepos", NAMESPACE))

    def all_jobs(self) -> list[Object]:
        """The Jobs of all GitRepos."""
        return self.caller.items(path_of("jobs", NAMESPACE))

    def at_rest(self) -> bool:
        """Whether Fleet has run all that it was asked for, and says how it ended."""
        return all(map(self._caught_up, self.gitrepos())) and all(map(ended_as, self.all_jobs()))

    def _caught_up(self, repo: Object) -> bool:
        meta, status, name = repo["metadata"], repo.get("status", {}), repo["metadata"]["name"]
        head = self.fleet.upstream.head(repo)
        forced = repo["spec"].get("forceSyncGeneration", 0)
        ended = "Failed" if self.tempers[name].fault(head) else "Current"
        seen = (status.get("commit"), status.get("observedGeneration"), status.get("updateGeneration", 0))
        return seen == (head, meta["generation"], forced) and status.get("gitJobStatus") == ended

    def ran(self) -> Counter[Made]:
        """How often Fleet ran what."""
        return Counter(self.record)

    def left_behind(self) -> set[str]:
        """Names of the Jobs that are gone while a Pod of theirs is not."""
        living = {job["metadata"]["uid"] for job in self.all_jobs()}
        pods = [pod["metadata"]["labels"] for pod in self.caller.items(path_of("pods", NAMESPACE))]
        return {labels["job-name"] for labels in pods if labels["controller-uid"] not in living}

    def told(self) -> dict[str, Any]:
        """What each GitRepo tells of its runs."""
        return {repo["metadata"]["name"]: _told(repo["status"]) for repo in self.gitrepos()}


def _told(status: Object) -> Any:
    conditions = [{key: _timeless(text) for key, text in each.items() if "Time" not in key} for each in status["conditions"]]
    numbers = [status.get(key) for key in ("commit", "gitJobStatus", "observedGeneration", "updateGeneration", "display")]
    return numbers, conditions


def _timeless(text: str) -> str:
    """Until v0.12 a message holds all that the last of three Pods left, with the moment of its end."""
    return re.sub(r'"time":"[^"]*"', "", text)


class Twins(NamedTuple):
    """Both groups; whatever happens to one happens to the other, and their Fleets look at the same moments."""

    treated: Group
    control: Group

    def step(self) -> None:
        """One look of both."""
        now = time.time()
        for group in self:
            group.at = now
            group.fleet.step(now)
        time.sleep(STEP)

    def live(self, holds: Callable[[], object], shown: Callable[[], object] = lambda: "") -> None:
        """Let time pass until this holds."""
        until = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < until, f"it never came to be: {shown()}"
            self.step()

    def rest(self) -> None:
        """Let time pass until both Fleets have done what there is to do."""
        self.step()
        self.live(lambda: not [group for group in self if not group.at_rest()], lambda: [group.told() for group in self])

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass."""
        until = time.monotonic() + seconds
        self.live(lambda: time.monotonic() >= until)

    def push(self, name: str, number: int) -> None:
        """A new commit of this number."""
        for group in self:
            group.push(name, sha(f"{name} {number}"))

    def force(self, name: str, number: int) -> None:
        """Ask for a Force Update."""
        for group in self:
            group.force(name, number)

    def move(self, name: str, number: int) -> None:
        """Have it look at another git repository, with the same commits."""
        for group in self:
            group.change(name, {"spec": {"repo": f"https://git.example.com/moved-{number}/{name}"}})

    def touch(self) -> None:
        """Make every Fleet look at every GitRepo, as an annotation does."""
        for group in self:
            for name in group.tempers:
                group.touch(name)


@contextlib.contextmanager
def twins(family: Family, cast: tuple[Temper, ...], pace: Pace) -> Iterator[Twins]:
    """Two clusters that have been upgraded to this version from v0.10.2, with the Jobs of all their past."""
    with contextlib.ExitStack() as stack:
        sandboxes = [stack.enter_context(Sandbox()) for _ in Twins._fields]
        callers = [stack.enter_context(Caller(sandbox.url)) for sandbox in sandboxes]
        yield Twins(*(Group(s, c, family, cast, pace) for s, c in zip(sandboxes, callers, strict=True)))
