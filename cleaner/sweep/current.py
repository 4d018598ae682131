"""Current Jobs, where the policy lets them go: one as the canary, a look, and only then the others."""

from collections.abc import Iterable

from cleaner.cluster import Clock, ClusterError, Deletions, Fate
from cleaner.happened import CanaryTripped, Observer
from cleaner.model import Job
from cleaner.retention import Verdict
from cleaner.sweep.acting import Acting
from cleaner.sweep.canary import Canary, came_back


class CurrentJobs:
    """The second half of acting; the first half has dealt with the Jobs of old commits."""

    def __init__(self, cluster: Deletions, acting: Acting, canary: Canary, clock: Clock, tell: Observer) -> None:
        self.tripped: list[Job] = []
        self._cluster, self._acting, self._canary, self._clock, self._tell = cluster, acting, canary, clock, tell

    def delete(self, verdicts: Iterable[Verdict], allowed: float) -> int:
        """Delete expired Jobs; return how many are left by the cap or a brake."""
        now = self._clock.monotonic()
        waiting = [verdict for verdict in verdicts if not self._canary.blocks(verdict.job.owner, now)]
        limit = self._acting.confirmed + allowed
        while waiting and not self._canary.proven and self._acting.confirmed < limit and self._acting.brake is None:
            self._send_canary(waiting.pop(0))
            if self.tripped:
                return len(waiting)
        left = self._acting.delete(waiting, limit - self._acting.confirmed)
        self._remember(waiting)
        return left

    def _send_canary(self, verdict: Verdict) -> None:
        self._acting.delete([verdict], 1)
        self._remember([verdict])
        fate = self._acting.deletions.get(verdict.job.uid)
        if fate is not None and fate.fate is Fate.DELETED:
            self._clock.sleep(self._canary.pause)
            self.look_again()
            self._canary.proven = not self.tripped

    def _remember(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            deletion = self._acting.deletions.get(verdict.job.uid)
            if deletion is not None and deletion.fate in (Fate.DELETED, Fate.TERMINATING, Fate.UNCONFIRMED):
                self._canary.deleted(verdict.job, self._clock.monotonic())

    def look_again(self) -> None:
        """Look whether a current Job that we deleted has come back, and block its GitRepo if so."""
        for job, found in self._cluster.find(self._canary.watched(self._clock.monotonic())):
            if found is None or isinstance(found, ClusterError) or not came_back(job, found):
                continue
            self._canary.trip(job, self._clock.monotonic())
            self._canary.proven = False
            self.tripped.append(job)
            self._tell(CanaryTripped(job, found))
