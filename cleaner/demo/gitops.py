"""Fleet's gitops controller, v0.10.4 to v0.13: one Job a commit, and what it does to the one it has.

Seen live and read in `manageGitJob`, `shouldCreateJob` and `deleteJobIfNeeded`: a missing Job is made only for a
new commit, a raised `forceSyncGeneration` or a changed spec, so a Job that somebody deletes stays away; a succeeded
Job of the current commit is deleted, all others are left for ever.
"""

import random
from dataclasses import dataclass
from typing import Any

from cleaner.demo import gitrepo_form, job_form, pod_form
from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.cast import FINALIZER
from cleaner.demo.family import Family, job_name
from cleaner.demo.forms import stamp
from cleaner.demo.kinds import Object
from cleaner.demo.store import Key, key_of, uid_of
from cleaner.demo.upstream import Upstream


@dataclass(frozen=True)
class Look:
    """What a reconcile of one GitRepo goes by."""

    gitrepo: Object
    jobs: dict[Key, Object]
    pods: list[Object]
    polled: bool
    now: float

    def job(self, commit: str) -> Object | None:
        """The Job that is named for this commit."""
        meta = self.gitrepo["metadata"]
        return self.jobs.get((meta["namespace"], job_name(meta["name"], self.gitrepo["spec"]["repo"], commit)))


class Gitops:
    """The controller. Of the Jobs that succeed, one in `overlooked` is never noticed, and stays (0: none)."""

    def __init__(self, family: Family, upstream: Upstream, rng: random.Random, overlooked: int) -> None:
        self._family = family
        self._upstream = upstream
        self._rng = rng
        self._overlooked = overlooked
        self._polled_at: dict[str, float] = {}
        self._seen: dict[str, object] = {}
        self._noticed: dict[str, bool] = {}

    def step(self, caller: Caller, gitrepos: list[Object], jobs: list[Object], pods: list[Object], now: float) -> None:
        """Reconcile every GitRepo that has a reason for it: its poll is due, or it or its current Job has changed."""
        self._forget(set(map(uid_of, (*gitrepos, *jobs))))
        by_key = {key_of(job): job for job in jobs}
        for gitrepo in gitrepos:
            if "deletionTimestamp" in gitrepo["metadata"]:
                _release(caller, gitrepo)
                continue
            look = Look(gitrepo, by_key, pods, self._poll_is_due(gitrepo, now), now)
            if look.polled or self._woken(look):
                self._reconcile(caller, look)

    def _forget(self, living: set[str]) -> None:
        memories: tuple[dict[str, Any], ...] = (self._polled_at, self._seen, self._noticed)
        for memory in memories:
            for uid in memory.keys() - living:
                del memory[uid]

    def _poll_is_due(self, gitrepo: Object, now: float) -> bool:
        uid, interval = uid_of(gitrepo), gitrepo_form.polling_interval(gitrepo)
        due = not gitrepo["spec"].get("disablePolling") and now >= self._polled_at.get(uid, 0.0) + interval
        self._polled_at |= {uid: now} if due else {}
        return due

    def _woken(self, look: Look) -> bool:
        """Fleet's watches: spec, labels and annotations of the GitRepo, status of its Job; and its own requeue."""
        meta, status = look.gitrepo["metadata"], look.gitrepo.get("status", {})
        job = look.job(status.get("commit", ""))
        told = job and (job["metadata"]["uid"], job.get("status"))
        seen = (meta["generation"], meta.get("labels"), meta.get("annotations"), told)
        changed = self._seen.get(meta["uid"]) != seen
        self._seen[meta["uid"]] = seen
        return changed or _pending(look.gitrepo)

    def _reconcile(self, caller: Caller, look: Look) -> None:
        old = look.gitrepo.get("status", {}).get("commit", "")
        commit = self._commit(look, old)
        job = look.job(commit)
        if not commit:
            return
        if job is None and (commit != old or _pending(look.gitrepo)):
            self._make(caller, look, commit)
        elif job and commit == old and _superseded(look.gitrepo, job):
            caller.delete(path_to("jobs", job), uid_of(job))  # the next look makes it anew
        else:
            if job and commit == old and look.polled and self._is_done(job):
                caller.delete(path_to("jobs", job), uid_of(job))
            self._tell(caller, look, commit, job)

    def _make(self, caller: Caller, look: Look, commit: str) -> None:
        """Create the Job; when that is refused, the next look tries again."""
        path = path_of("jobs", look.gitrepo["metadata"]["namespace"])
        if job := caller.create(path, job_form.job(self._family, look.gitrepo, commit)):
            force = _force(look.gitrepo)
            self._tell(caller, look, commit, job, {"updateGeneration": force} if force else {})

    def _commit(self, look: Look, old: str) -> str:
        """The commit to run: asked of the git server at a poll, and, without polling, whenever the Job is missing."""
        asked = look.polled or (look.gitrepo["spec"].get("disablePolling") and look.job(old) is None)
        return self._upstream.head(look.gitrepo) if asked else old

    def _is_done(self, job: Object) -> bool:
        """Succeeded, and noticed: some ends are lost between two reconciles, and their Jobs stay."""
        if job.get("status", {}).get("succeeded") != 1 or "Complete" not in gitrepo_form.ended_conditions(job):
            return False
        lucky = not self._overlooked or self._rng.randrange(self._overlooked) > 0
        return self._noticed.setdefault(uid_of(job), lucky)

    def _tell(self, caller: Caller, look: Look, commit: str, job: Object | None, made: Object | None = None) -> None:
        """Write the status, if it says anything new; `made` is what goes with a new Job."""
        before = look.gitrepo.get("status", {})
        pods = [pod for pod in look.pods if job and pod["metadata"].get("labels", {}).get("job-name") == key_of(job)[1]]
        newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default={})
        state, message = gitrepo_form.state_of(job, pod_form.message_of(newest))
        after = gitrepo_form.status(before, commit, state, message, look.now) | (made or {})
        after |= {"observedGeneration": look.gitrepo["metadata"]["generation"]}
        after |= {"lastPollingTriggered": stamp(look.now)} if look.polled else {}
        if after != before:
            caller.set_status(path_to("gitrepos", look.gitrepo), after)
        _hold(caller, look.gitrepo)


def _force(gitrepo: Object) -> int:
    return int(gitrepo["spec"].get("forceSyncGeneration") or 0)


def _pending(gitrepo: Object) -> bool:
    """Whether a Force Update or a changed spec has yet to run."""
    status = gitrepo.get("status", {})
    observed = status.get("observedGeneration", 0)
    changed = observed > 0 and observed != gitrepo["metadata"]["generation"]
    return bool(changed or _force(gitrepo) != status.get("updateGeneration", 0))


def _superseded(gitrepo: Object, job: Object) -> bool:
    """A Job that runs an older wish; one without Fleet's labels never is, and so blocks the wish (`fleet-live.md` §1)."""
    status, labels = gitrepo.get("status", {}), job["metadata"].get("labels", {})
    force, generation = str(_force(gitrepo)), str(gitrepo["metadata"]["generation"])
    forced = force != str(status.get("updateGeneration", 0))
    changed = status.get("observedGeneration", 0) > 0 and generation != str(status["observedGeneration"])
    old_force = labels.get("fleet.cattle.io/force-sync-generation", force) != force
    old_generation = labels.get("fleet.cattle.io/gitrepo-generation", generation) != generation
    return bool((forced and old_force) or (changed and old_generation))


def _release(caller: Caller, gitrepo: Object) -> None:
    kept = [name for name in gitrepo["metadata"].get("finalizers", ()) if name != FINALIZER]
    caller.patch(path_to("gitrepos", gitrepo), {"metadata": {"finalizers": kept or None}})


def _hold(caller: Caller, gitrepo: Object) -> None:
    kept = gitrepo["metadata"].get("finalizers", [])
    if FINALIZER not in kept:
        caller.patch(path_to("gitrepos", gitrepo), {"metadata": {"finalizers": [*kept, FINALIZER]}})
