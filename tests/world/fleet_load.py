"""Commits at a steady rate, taken up as Fleet takes them up: `status.commit` first, then the Job.

`python -m tests.world.fleet_load --rate 5 --seconds 200` tells whether this machine keeps up with that rate.
"""

import argparse
import itertools
import secrets
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.controllers import Controllers
from tests.world.seed import Json, Made

NAMESPACE = "fleet-default"


class Commit(NamedTuple):
    """A commit that was taken up; moments are in seconds since 1970."""

    gitrepo: str
    job: str
    commit: str
    late: float
    """Seconds between the moment when it was due and the beginning of the work."""
    written: float
    """When the write of `status.commit` was answered."""
    created: float
    """When the creation of its Job was answered."""


class Load:
    """GitRepos, and commits to them in turn, from `start` (or `with`) until `stop`.

    The names of the first so many `failing` GitRepos begin with `bad-`, as those do whose Pods fail. Jobs get a `ttl`
    (`spec.ttlSecondsAfterFinished`) only if one is given.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        namespace: str = NAMESPACE,
        *,
        gitrepos: int = 40,
        failing: int = 0,
        rate: float = 5.0,
        ttl: int | None = None,
        threads: int = 8,
    ) -> None:
        self.commits: list[Commit] = []
        self._control_plane = control_plane
        self._namespace = namespace
        self._names = [f"{'bad' if n < failing else 'shop'}-{n}" for n in range(gitrepos)]
        self._rate = rate
        self._ttl = ttl
        self._repos: list[_Repo] = []
        self._slots = itertools.count()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="fleet-load")
        self._threads = threads
        self._working: list[Future[None]] = []
        self._begun = 0.0

    def __enter__(self) -> Self:
        return self.prepare().start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def prepare(self) -> Self:
        """Make the GitRepos, without a Job yet."""
        made = gitrepos(self._control_plane, self._namespace, self._names)
        salt = secrets.token_hex(4)
        self._repos = [_Repo(each, salt) for each in made]
        return self

    def start(self) -> Self:
        """Begin to commit."""
        self._begun = time.monotonic()
        self._working = [self._pool.submit(self._work) for _ in range(self._threads)]
        return self

    def stop(self) -> None:
        """Let what was begun come to its end, and tell the rate; an error that ended the work is raised here."""
        self._ended.set()
        self._pool.shutdown()
        print(self.told(), flush=True)
        for each in self._working:
            each.result()

    def told(self) -> str:
        """How far it has come, in one line."""
        took = max(0.001, time.monotonic() - self._begun)
        late = max((each.late for each in self.commits[-100:]), default=0.0)
        return f"{len(self.commits)} commits in {took:.0f} s, {len(self.commits) / took:.2f}/s, the latest {late:.2f} s late"

    def wait(self, seconds: float) -> None:
        """Go on for so long; less if the work has ended with an error."""
        self._ended.wait(seconds)

    def _work(self) -> None:
        try:
            for slot in self._slots:
                due = self._begun + slot / self._rate
                if self._ended.wait(max(0.0, due - time.monotonic())):
                    return
                self._commit(self._repos[slot % len(self._repos)], due)
        finally:
            # One that cannot go on ends the others, so that nobody takes a slower load for a steady one.
            self._ended.set()

    def _commit(self, repo: "_Repo", due: float) -> None:
        with repo.lock:
            late = time.monotonic() - due
            self.commits.append(take_up(self._control_plane, repo.gitrepo, next(repo.commits), self._ttl)._replace(late=late))


class _Repo:
    """A GitRepo and its commits to come; its lock keeps them in their order."""

    def __init__(self, gitrepo: Json, salt: str) -> None:
        self.gitrepo = gitrepo
        self.lock = threading.Lock()
        self.commits = _fresh_commits(gitrepo, salt)


def _fresh_commits(gitrepo: Json, salt: str) -> Iterator[str]:
    """Commits without end whose Jobs have names of their own."""
    taken = set()
    for n in itertools.count():
        commit = seed.sha(f"{salt}{n}")
        name = seed.job_name(gitrepo["metadata"]["name"], gitrepo["spec"]["repo"], commit)
        if name not in taken:
            taken.add(name)
            yield commit


def gitrepos(control_plane: ControlPlane, namespace: str, names: list[str]) -> list[Json]:
    """Make settled GitRepos, each with the ServiceAccount that Fleet makes for the Pods of its Jobs."""
    # Nothing polls here, so that the last poll has to do for the whole run.
    polled = seed.stamp(seed.ago(hours=-1))
    made = seed.put(control_plane, [seed.gitrepo(namespace, name, lastPollingTriggered=polled) for name in names])
    for name in names:
        account = {"metadata": {"name": f"git-{name}"}}
        _ask(control_plane, "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    return made


def take_up(control_plane: ControlPlane, gitrepo: Json, commit: str, ttl: int | None = None) -> Commit:
    """Do what Fleet does when it sees a commit."""
    made = seed.job(gitrepo, commit, "running")
    namespace, name = gitrepo["metadata"]["namespace"], gitrepo["metadata"]["name"]
    seen = {"status": {"commit": commit, "pollingCommit": commit}}
    _ask(control_plane, "PATCH", f"/apis/fleet.cattle.io/v1alpha1/namespaces/{namespace}/gitrepos/{name}/status", seen)
    written = time.time()
    _ask(control_plane, "POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", _as_sent(made, ttl))
    return Commit(name, made.object["metadata"]["name"], commit, 0.0, written, time.time())


def _as_sent(made: Made, ttl: int | None) -> Json:
    sent = seed._as_input(made.object, {})
    if ttl is not None:
        sent["spec"] = {**sent["spec"], "ttlSecondsAfterFinished": ttl}
    return sent


def _ask(control_plane: ControlPlane, method: str, path: str, body: Json) -> None:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    status, answer = control_plane.request(method, f"{path}?fieldManager=fleetcontroller", body, content_type=kind)
    if status not in {200, 201}:
        raise RuntimeError(f"{method} {path} was refused: {answer}")


def main() -> None:
    """Put a rate on all components for a while and tell how long the Jobs took to finish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5.0, help="commits a second")
    parser.add_argument("--seconds", type=float, default=200.0, help="how long")
    parser.add_argument("--gitrepos", type=int, default=40, help="how many GitRepos take turns; every fourth fails")
    given = parser.parse_args()
    with ControlPlane() as control_plane, Controllers(control_plane.with_crd()) as controllers:
        load = Load(control_plane, gitrepos=given.gitrepos, failing=given.gitrepos // 4, rate=given.rate)
        with load:
            load.wait(given.seconds)
        controllers.must_live()
        begun = time.monotonic()
        took = sorted(_durations(control_plane, load.commits))
        print(f"the last Jobs finished within {time.monotonic() - begun:.0f} s of the last commit")
        print(f"a Job took {statistics.median(took):.0f} s, p99 {took[len(took) * 99 // 100]:.0f} s, at most {took[-1]:.0f} s")


def _durations(control_plane: ControlPlane, commits: list[Commit]) -> list[float]:
    """Seconds from the creation of each Job to its end, to the second, once all have ended."""
    created = {each.job: each.created for each in commits}
    while True:
        ended = dict(_ends(control_plane))
        if ended.keys() >= created.keys():
            return [ended[name] - at for name, at in created.items()]
        time.sleep(1.0)


def _ends(control_plane: ControlPlane) -> Iterator[tuple[str, float]]:
    for job in _all_jobs(control_plane):
        for condition in job["status"].get("conditions", []):
            if condition["type"] in {"Complete", "Failed"} and condition["status"] == "True":
                yield job["metadata"]["name"], datetime.fromisoformat(condition["lastTransitionTime"]).timestamp()


def _all_jobs(control_plane: ControlPlane) -> Iterator[dict[str, Any]]:
    following = ""
    while True:
        path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs?limit=500&continue={following}"
        _, page = control_plane.request("GET", path)
        yield from page["items"]
        following = page["metadata"].get("continue", "")
        if not following:
            return


if __name__ == "__main__":
    main()
