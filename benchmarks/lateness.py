"""How late Jobs were deleted, by the API's own log and a watch that knows nothing of the cleaner.

The API tells the end of a Job to the second, rounded down, so a Job is due up to a second earlier than its age in truth
demands. That holds for everybody who goes by the API; whoever deletes sees the same rounded end.
"""

import contextlib
import http.client
import json
import math
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.world.control_plane import ADMIN, ControlPlane
from tests.world.fleet_load import Commit

Json = dict[str, Any]


class Request(NamedTuple):
    """A request as the API saw it: when it had read it, and when its answer was out. Seconds since 1970."""

    received: float
    answered: float


class Story(NamedTuple):
    """What became of the Jobs of a load, by their names.

    `deletions`: the first DELETE that was answered with 200. `ends`: when a Job ended, to the second. `superseded`: the write
    of `status.commit` that took the Job's place; none for those that are current to the end.
    """

    deletions: dict[str, Request]
    ends: dict[str, float]
    superseded: dict[str, Request]


class Late(NamedTuple):
    """How late each deletion was, in seconds, and for how long by now those wait that should have gone and have not."""

    deleted: dict[str, float]
    standing: dict[str, float]

    def all(self) -> list[float]:
        """All of them, sorted."""
        return sorted([*self.deleted.values(), *self.standing.values()])


def tell(log: Path, user: str, commits: list[Commit], ends: dict[str, float]) -> Story:
    """Put the story together; `user` is who deletes."""
    deletions: dict[str, Request] = {}
    writes: defaultdict[str, list[Request]] = defaultdict(list)
    for event in _answered_well(log):
        what, request = event["objectRef"], Request(_moment(event["requestReceivedTimestamp"]), _moment(event["stageTimestamp"]))
        if (event["verb"], what["resource"], event["user"]["username"]) == ("delete", "jobs", user):
            deletions.setdefault(what["name"], request)
        elif (event["verb"], what["resource"], what.get("subresource")) == ("patch", "gitrepos", "status"):
            writes[what["name"]].append(request)
    return Story(deletions, ends, _superseded(commits, writes))


def _superseded(commits: list[Commit], writes: dict[str, list[Request]]) -> dict[str, Request]:
    """The commits of a GitRepo and the writes of its status come in the same order, one for each."""
    jobs: defaultdict[str, list[str]] = defaultdict(list)
    for commit in commits:
        jobs[commit.gitrepo].append(commit.job)
    found: dict[str, Request] = {}
    for gitrepo, names in jobs.items():
        if len(names) != len(writes[gitrepo]):
            raise SystemExit(f"{gitrepo}: {len(names)} commits, and {len(writes[gitrepo])} writes in the API's log")
        found.update(zip(names, sorted(writes[gitrepo])[1:], strict=False))
    return found


def _answered_well(log: Path) -> Iterator[Json]:
    """The lines of the API's log that may concern us; the others, most of them, are not decoded."""
    with log.open("rb") as lines:
        for line in lines:
            # The last line may be half written; it is younger than anything we ask for.
            if line.endswith(b"\n") and (b'"verb":"delete"' in line or b'"verb":"patch"' in line):
                event = json.loads(line)
                if event["stage"] == "ResponseComplete" and event["responseStatus"]["code"] == 200:
                    yield event


def late(story: Story, due: Callable[[Story, str], float | None], ended: float) -> Late:
    """How late each Job went that was due before the load had ended."""
    now = time.time()
    found = Late({}, {})
    for job in story.ends:
        moment = due(story, job)
        if moment is None:
            continue
        if job in story.deletions:
            found.deleted[job] = story.deletions[job].answered - moment
        elif moment <= ended:
            found.standing[job] = now - moment
    return found


def due_by_us(story: Story, job: str, age: float) -> float | None:
    """When nothing needs a Job any more: it has its age, and its commit is not the current one."""
    if job not in story.superseded:
        return None
    return max(story.ends[job] + age, story.superseded[job].answered)


def still_current(story: Story) -> list[str]:
    """The Jobs that were deleted before the API had so much as received the write that superseded them."""
    return [job for job, deletion in story.deletions.items() if not _replaced_before(story.superseded.get(job), deletion)]


def _replaced_before(write: Request | None, deletion: Request) -> bool:
    return write is not None and write.received < deletion.received


def still_running(story: Story) -> list[str]:
    """The Jobs that were deleted and whose end nobody has seen, not even in what the watch showed of them last."""
    return [job for job in story.deletions if job not in story.ends]


def too_young(story: Story, age: float) -> list[str]:
    """The Jobs that were deleted before they had their age, counted from the end that the API tells."""
    return [job for job, deletion in story.deletions.items() if deletion.received < story.ends.get(job, 0.0) + age]


def quantile(ordered: list[float], part: float) -> float:
    """The value that so large a part of them does not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * part) - 1)] if ordered else 0.0


class Watcher:
    """Watches the Jobs of a Namespace from `with` on, and notes when each has ended."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.ends: dict[str, float] = {}
        self._path = f"/apis/batch/v1/namespaces/{namespace}/jobs?watch=1&resourceVersion=0&timeoutSeconds=86400"
        tls = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self._connection = http.client.HTTPSConnection("127.0.0.1", control_plane.port, context=tls)
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._stopped = False

    def __enter__(self) -> Self:
        self._connection.request("GET", self._path, headers={"Authorization": f"Bearer {ADMIN}", "Accept": "application/json"})
        self._answer = self._connection.getresponse()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped = True

    def must_live(self) -> None:
        """Raise if it has ended: what comes later would be missing."""
        if not self._thread.is_alive():
            raise SystemExit("the benchmark's own watch has ended")

    def _run(self) -> None:
        with contextlib.suppress(
            OSError, http.client.HTTPException
        ):  # the API has ended; `must_live` tells if that was too early
            for line in self._answer:
                if self._stopped:
                    return
                self._take(json.loads(line)["object"])

    def _take(self, job: Json) -> None:
        for condition in job.get("status", {}).get("conditions", ()):
            if condition["type"] in {"Complete", "Failed"} and condition["status"] == "True":
                self.ends[job["metadata"]["name"]] = _moment(condition["lastTransitionTime"])


class Sampler:
    """Counts the Jobs of a Namespace once a second, from `with` on: the API tells how many remain after a page of one."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.samples: list[tuple[float, int]] = []
        self._control_plane = control_plane
        self._path = f"/apis/batch/v1/namespaces/{namespace}/jobs?limit=1"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def mean(self, begin: float, end: float) -> float:
        """How many there were on average between two moments."""
        counts = [count for at, count in self.samples if begin <= at < end]
        return sum(counts) / len(counts) if counts else 0.0

    def _run(self) -> None:
        while not self._ended.wait(1.0):
            status, page = self._control_plane.request("GET", self._path)
            if status == 200:
                remaining = page["metadata"].get("remainingItemCount", 0)
                self.samples.append((time.time(), remaining + len(page["items"])))


class Counted(NamedTuple):
    """A histogram of Prometheus: how many were at most each bound, their sum, their number."""

    buckets: dict[float, float]
    sum: float
    number: int

    @property
    def mean(self) -> float:
        """The mean, which a histogram knows exactly."""
        return self.sum / self.number if self.number else 0.0

    def quantile(self, part: float) -> tuple[float, float]:
        """Between which two bounds a quantile lies: more than that a histogram does not know."""
        below = 0.0
        for bound, count in sorted(self.buckets.items()):
            if count >= part * self.number:
                return below, bound
            below = bound
        return below, float("inf")

    def strays(self, seen: Iterable[float], within: float) -> list[float]:
        """The bounds at which the histogram counts more than could be if every value seen were off by `within`, or fewer.

        Values that only one of the two has may lie anywhere, so each of them is forgiven once at each bound.
        """
        values = list(seen)
        slack = abs(len(values) - self.number)
        return [
            bound
            for bound, count in self.buckets.items()
            if not sum(value <= bound - within for value in values) - slack
            <= count
            <= sum(value <= bound + within for value in values) + slack
        ]


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
