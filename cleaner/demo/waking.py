"""When Fleet's gitops controller looks at a GitRepo: its watches, its own timers, and its polls."""

from typing import Any

from cleaner.demo import gitrepo_form
from cleaner.demo.family import Family, JobWatch
from cleaner.demo.kinds import Object
from cleaner.demo.looking import Look
from cleaner.demo.store import uid_of

_UNTOUCHED: tuple[Object, bool] = ({}, False)
"""What a watch knows of a Job that has just been made."""


class Wakes:
    """What the controller has in memory, and loses when it restarts: with none of it, every GitRepo is worth a look."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._seen: dict[str, object] = {}
        self._jobs: dict[str, dict[str, Any]] = {}
        self._again: dict[str, float] = {}
        self._polled: dict[str, float] = {}
        self._timers: dict[str, float] = {}
        self._resyncs: dict[str, float] = {}

    def forget(self, living: set[str]) -> None:
        """Drop what is known of GitRepos that are gone."""
        timers = (self._again, self._polled, self._timers, self._resyncs)
        memories: tuple[dict[str, Any], ...] = (self._seen, self._jobs, *timers)
        for memory in memories:
            for uid in memory.keys() - living:
                del memory[uid]

    def again(self, look: Look, seconds: float = 0.0) -> None:
        """Look again after so many seconds, at the next step at the earliest; of two timers the earlier counts."""
        moment = look.now + seconds
        self._again[look.uid] = min(moment, self._again.get(look.uid, moment))

    def woken(self, look: Look) -> bool:
        """Whether there is a reason to look at the GitRepo now; each reason counts once."""
        reasons = [self._gitrepo_changed(look), self._jobs_changed(look)]
        reasons += [_rings(timers, look) for timers in (self._again, self._timers, self._resyncs)]
        self._resyncs.setdefault(look.uid, look.now + self._family.resync)
        return any(reasons)

    def poll(self, look: Look) -> bool:
        """Whether it is time to ask the git server; if so, the next time is set."""
        interval = gitrepo_form.polling_interval(look.gitrepo)
        due = look.polls and look.now >= self._polled.get(look.uid, 0.0) + interval
        if due:
            self._polled[look.uid] = look.now
            self._timers |= {} if self._family.polls_apart else {look.uid: look.now + interval}
        return due

    def lose_timers(self) -> None:
        """Polling falls silent, where this version can lose its timers, until something else wakes a GitRepo."""
        if self._family.mortal_polling:
            self._timers.clear()

    def _gitrepo_changed(self, look: Look) -> bool:
        """Spec, labels, annotations, the Secret; and the polled commit, where somebody else writes that."""
        meta = look.gitrepo["metadata"]
        commit = look.status.get("pollingCommit") if self._family.polls_apart else None
        seen = (meta["generation"], meta.get("labels"), meta.get("annotations"), look.secret, commit)
        changed = self._seen.get(look.uid) != seen
        self._seen[look.uid] = seen
        return changed

    def _jobs_changed(self, look: Look) -> bool:
        before, after = self._jobs.get(look.uid, {}), {uid_of(job): self._told(job) for job in look.owned}
        self._jobs[look.uid] = after
        if self._family.watch is JobWatch.EVERYTHING:
            return before != after
        if self._family.watch is JobWatch.NOTHING:
            return False
        return any(told != before.get(uid, _UNTOUCHED) for uid, told in after.items())

    def _told(self, job: Object) -> Any:
        if self._family.watch is JobWatch.EVERYTHING:
            return job["metadata"]["resourceVersion"]
        watches_end = self._family.watch is JobWatch.STATUS_AND_TERMINATION
        return job.get("status") or {}, watches_end and "deletionTimestamp" in job["metadata"]


def _rings(timers: dict[str, float], look: Look) -> bool:
    """Whether the timer has run out; if so, it is gone."""
    due = look.now >= timers.get(look.uid, float("inf"))
    if due:
        del timers[look.uid]
    return due
