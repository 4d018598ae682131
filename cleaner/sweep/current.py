"""Current Jobs, where the policy lets them go: one as the canary, a look, and only then the others."""

from collections.abc import Callable, Iterable

from cleaner.cluster import Clock, Deletions, Refusal, Sighting
from cleaner.happened import CanaryTripped, Observer
from cleaner.model import Job
from cleaner.retention import Verdict
from cleaner.sweep.acting import SPENT, Acting
from cleaner.sweep.canary import Canary, came_back

Find = Callable[[Iterable[Job]], Iterable[Sighting]]
"""Tells what has the names of some Jobs now."""


class CurrentJobs:
    """The second half of acting; the first half has dealt with the Jobs of old commits."""

    def __init__(self, cluster: Deletions, acting: Acting, canary: Canary, clock: Clock, tell: Observer) -> None:
        self.tripped: list[Job] = []
        self._cluster, self._acting, self._canary, self._clock, self._tell = cluster, acting, canary, clock, tell

    def delete(self, verdicts: Iterable[Verdict], allowed: float) -> int:
        """Delete expired Jobs; return how many are left by the cap or a brake."""
        now = self._clock.monotonic()
        waiting = [verdict for verdict in verdicts if not self._canary.blocks(verdict.job.owner, now)]
        limit = self._acting.spent + allowed
        while waiting and not self._canary.proven and self._acting.spent < limit and self._acting.brake is None:
            self._send_canary(waiting.pop(0))
        left = self._acting.delete(waiting, limit - self._acting.spent)
        self._remember(waiting)
        return left

    def _send_canary(self, verdict: Verdict) -> None:
        """Delete one Job; unless nothing can have come of it, look for a while whether it stays away, before any other goes."""
        self._acting.delete([verdict], 1)
        deletion = self._acting.deletions.get(verdict.job.uid)
        if deletion is None or deletion.fate not in SPENT:
            return
        self._remember([verdict])
        self._clock.sleep(self._canary.pause)
        absent = verdict.job.uid in self.look_again(self._cluster.find)
        self._canary.proven = absent and not self.tripped
        if not self._canary.proven:
            name = f"{verdict.job.namespace}/{verdict.job.name}"
            self._acting.pull(Refusal("canary", f"{name} was to be gone and stay so before other current Jobs go"))

    def _remember(self, verdicts: Iterable[Verdict]) -> None:
        deletions = self._acting.deletions
        fates = [(verdict.job, deletions.get(verdict.job.uid)) for verdict in verdicts]
        gone = [job for job, deletion in fates if deletion is not None and deletion.fate in SPENT]
        self._canary.deleted(gone, self._clock.monotonic())

    def look_again(self, find: Find) -> set[str]:
        """Look for the current Jobs that we deleted: block the GitRepo of one that is back; return the uids of those absent."""
        absent: set[str] = set()
        for seen in find(self._canary.watched(self._clock.monotonic())):
            if seen.error is not None:
                text = f"whether {seen.job.namespace}/{seen.job.name} has come back cannot be seen: {seen.error}"
                self._acting.pull(Refusal("canary", text))
            elif not seen.uid:
                absent.add(seen.job.uid)
            else:
                self._judge(seen)
        return absent

    def _judge(self, seen: Sighting) -> None:
        if seen.found is None or not came_back(seen.job, seen.found):
            return
        self._canary.trip(seen.job, self._clock.monotonic())
        self._canary.proven = False
        self.tripped.append(seen.job)
        self._tell(CanaryTripped(seen.job, seen.found))
