"""Job controller and kubelet in one: Jobs get a Pod, run for a while, and end."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cleaner.demo import job_form, pod_form
from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.cast import temper_of
from cleaner.demo.gitrepo_form import ended_conditions
from cleaner.demo.kinds import Object
from cleaner.demo.store import uid_of


@dataclass(frozen=True)
class Run:
    """What will become of a Job: from when to when it runs (seconds since the epoch), and why it fails, if it does."""

    start: float
    end: float
    fault: str = ""


class Runs:
    """All Jobs that have not ended. `seconds` is how long a run may take, at least and at most."""

    def __init__(self, rng: random.Random, seconds: tuple[float, float]) -> None:
        self._rng = rng
        self._seconds = seconds
        self._planned: dict[str, Run] = {}

    def step(self, caller: Caller, jobs: list[Object], pods: list[Object], now: float) -> None:
        """Begin what is new, end what is due, let go of Pods that no running Job counts on."""
        open_jobs = [job for job in jobs if not ended_conditions(job) and "deletionTimestamp" not in job["metadata"]]
        self._planned = {uid: run for uid, run in self._planned.items() if uid in set(map(uid_of, open_jobs))}
        for job in open_jobs:
            self._advance(caller, job, pods, now)
        _let_go(caller, pods, set(map(uid_of, open_jobs)))

    def _advance(self, caller: Caller, job: Object, pods: list[Object], now: float) -> None:
        uid = uid_of(job)
        if uid not in self._planned:
            self._planned[uid] = self._plan(job, now)
        if not job.get("status", {}).get("startTime"):
            begin(caller, job, now)
        elif now >= self._planned[uid].end:
            mine = [pod for pod in pods if _job_of(pod) == uid]
            finish(caller, job, mine, self._planned.pop(uid))

    def _plan(self, job: Object, now: float) -> Run:
        meta = job["metadata"]
        owner = next((ref["name"] for ref in meta.get("ownerReferences", ()) if ref["kind"] == "GitRepo"), "")
        temper = temper_of(meta["namespace"], owner)
        seconds = self._rng.uniform(*self._seconds) * temper.slowness
        return Run(now, now + seconds, temper.fault(self._rng) if owner else "")


def begin(caller: Caller, job: Object, now: float) -> None:
    """Give the Job its Pod and let both run."""
    pod = caller.create(path_of("pods", job["metadata"]["namespace"]), pod_form.pod(job))
    if pod:
        caller.set_status(path_to("pods", pod), pod_form.running(job, now))
    caller.set_status(path_to("jobs", job), job_form.running(now))


def finish(caller: Caller, job: Object, pods: Iterable[Object], run: Run) -> None:
    """End the Job's Pods and then the Job, in the two steps that a watch sees of the real Job controller."""
    message = pod_form.termination_message(run.fault, run.end) if run.fault else ""
    count = 0
    for pod in pods:
        count += 1
        caller.set_status(path_to("pods", pod), pod_form.ended(job, run.start, run.end, message))
        _untrack(caller, pod)
    for status in job_form.ending(run.start, run.end, failed=bool(run.fault), pods=max(1, count)):
        caller.set_status(path_to("jobs", job), status)


def record(caller: Caller, job: Object, run: Run) -> None:
    """Write down a run of the past: the Job as made, its Pods (one a try), their ends."""
    made: Callable[[], Object | None] = lambda: caller.create(  # noqa: E731 - the same thing, several times
        path_of("pods", job["metadata"]["namespace"]), pod_form.pod(job)
    )
    tries = job["spec"]["backoffLimit"] + 1 if run.fault else 1
    finish(caller, job, [pod for pod in (made() for _ in range(tries)) if pod], run)


def _job_of(pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get("controller-uid", ""))


def _let_go(caller: Caller, pods: list[Object], running: set[str]) -> None:
    for pod in pods:
        tracked = pod_form.TRACKING in pod["metadata"].get("finalizers", ())
        if tracked and (_job_of(pod) not in running or "deletionTimestamp" in pod["metadata"]):
            _untrack(caller, pod)


def _untrack(caller: Caller, pod: Object) -> None:
    kept = [name for name in pod["metadata"].get("finalizers", ()) if name != pod_form.TRACKING]
    caller.patch(path_to("pods", pod), {"metadata": {"finalizers": kept or None}})
