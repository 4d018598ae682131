"""Job controller and kubelet in one: Jobs get a Pod, run for a while, and end."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cleaner.demo import job_form, pod_form
from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.cast import Temper, temper_of
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

    def __init__(self, rng: random.Random, seconds: tuple[float, float], tempers: Sequence[Temper]) -> None:
        self._rng = rng
        self._seconds = seconds
        self._tempers = list(tempers)
        self._planned: dict[str, Run] = {}

    def mend(self, namespace: str, name: str) -> None:
        """Let every run of this GitRepo that begins from now on succeed: what it needs is there again."""
        mended = replace(temper_of(self._tempers, namespace, name), failing=0.0)
        self._tempers = [mended, *self._tempers]

    def step(self, caller: Caller, jobs: list[Object], pods: list[Object], now: float) -> None:
        """Begin what is new, end what is due, let go of Pods that no running Job counts on."""
        open_jobs = [job for job in jobs if not ended_conditions(job) and "deletionTimestamp" not in job["metadata"]]
        running = set(map(uid_of, open_jobs))
        lonely = [pod for pod in pods if _goes_on(pod) and _job_of(pod) not in running]
        known = running.union(map(_job_of, lonely))
        self._planned = {uid: run for uid, run in self._planned.items() if uid in known}
        for job in open_jobs:
            self._advance(caller, job, pods, now)
        for pod in lonely:
            self._end(caller, pod, now)
        _let_go(caller, pods, running)

    def _end(self, caller: Caller, pod: Object, now: float) -> None:
        """End a Pod whose Job was deleted and which was left to itself: it runs as long as it would have anyway."""
        run = self._planned.get(_job_of(pod))
        if run and now >= run.end:
            caller.set_status(path_to("pods", pod), pod_form.ended(pod["spec"], run.start, run.end, _message(run)))

    def _advance(self, caller: Caller, job: Object, pods: list[Object], now: float) -> None:
        uid = uid_of(job)
        if uid not in self._planned:
            self._planned[uid] = self._plan(job, now)
        if not job.get("status", {}).get("startTime"):
            begin(caller, job, now)
            return
        run, mine = self._planned[uid], [pod for pod in pods if _job_of(pod) == uid]
        if now >= run.end:
            finish(caller, job, mine, self._planned.pop(uid))
        elif len(mine) <= (failed := _failed_by(job, run, now)):
            _end_all(caller, mine, Run(run.start, now, run.fault))
            begin(caller, job, run.start, failed)

    def _plan(self, job: Object, now: float) -> Run:
        meta = job["metadata"]
        owner = next((ref["name"] for ref in meta.get("ownerReferences", ()) if ref["kind"] == "GitRepo"), "")
        temper = temper_of(self._tempers, meta["namespace"], owner)
        seconds = self._rng.uniform(*self._seconds) * temper.slowness
        commit = meta.get("annotations", {}).get("commit", "")
        return Run(now, now + seconds, temper.fault(commit) if owner else "")


def begin(caller: Caller, job: Object, start: float, failed: int = 0) -> None:
    """Give the Job that starts or started then a Pod, its first or the one after so many that have failed."""
    if pod := _create_pod(caller, job):
        caller.set_status(path_to("pods", pod), pod_form.running(pod["spec"], start))
    caller.set_status(path_to("jobs", job), job_form.running(start, failed))


def finish(caller: Caller, job: Object, pods: Iterable[Object], run: Run) -> None:
    """End the Job's Pods, one a try, and then the Job, in the two steps that a watch sees of the real Job controller.

    Pods that should be there by then and are not, since time went on in one leap, are made now.
    """
    pods = list(pods)
    missing = (_create_pod(caller, job) for _ in range(_tries(job, run) - len(pods)))
    pods += filter(None, missing)
    _end_all(caller, pods, run)
    for status in job_form.ending(run.start, run.end, [uid_of(pod) for pod in pods], failed=bool(run.fault)):
        caller.set_status(path_to("jobs", job), status)


def _tries(job: Object, run: Run) -> int:
    return int(job["spec"]["backoffLimit"]) + 1 if run.fault else 1


def _failed_by(job: Object, run: Run, now: float) -> int:
    """How many tries have failed by now: each takes an equal part of the run."""
    return int((now - run.start) / (run.end - run.start) * _tries(job, run))


def _end_all(caller: Caller, pods: list[Object], run: Run) -> None:
    for pod in pods:
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            caller.set_status(path_to("pods", pod), pod_form.ended(pod["spec"], run.start, run.end, _message(run)))
            _untrack(caller, pod)


def _create_pod(caller: Caller, job: Object) -> Object | None:
    return caller.create(path_of("pods", job["metadata"]["namespace"]), pod_form.pod(job))


def _message(run: Run) -> str:
    return pod_form.termination_message(run.fault, run.end) if run.fault else ""


def _goes_on(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]


def _job_of(pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get("controller-uid", ""))


def _let_go(caller: Caller, pods: list[Object], running: set[str]) -> None:
    """End what is being deleted, and let the Job controller be done with Pods whose Job has ended or is gone."""
    for pod in pods:
        doomed = "deletionTimestamp" in pod["metadata"]
        tracked = pod_form.TRACKING in pod["metadata"].get("finalizers", ())
        if tracked and (doomed or _job_of(pod) not in running):
            _untrack(caller, pod)
        if doomed:
            caller.bury(path_to("pods", pod), uid_of(pod))


def _untrack(caller: Caller, pod: Object) -> None:
    kept = [name for name in pod["metadata"].get("finalizers", ()) if name != pod_form.TRACKING]
    caller.patch(path_to("pods", pod), {"metadata": {"finalizers": kept or None}})
