"""Before a failed current Job goes, its error is kept: Fleet forgets it at its next trigger or restart."""

from typing import Protocol

from cleaner.cluster import Clock, ClusterError, Denied, Events
from cleaner.durations import Seconds
from cleaner.failures import Witnesses, error_of, keeping, kept_in
from cleaner.happened import ErrorKept, Observer
from cleaner.model import Job, Outcome
from cleaner.retention import Reason, Verdict

KEPT_FOR: Seconds = 1800.0
"""Seconds after which an error is kept anew before the next try to delete: the API forgets Events, after an hour by default."""


PATIENCE: Seconds = 60.0
"""Seconds that a pass spends in vain on keeping errors: while nobody answers, all else that is due waits for it."""


class Keeper(Witnesses, Events, Protocol):
    """What keeping an error needs of a cluster."""


class Keeping:
    """
    Keeps errors, one by one, just before the deletion: the Event is written and confirmed, or the Job stays.

    `kept` remembers when which error was kept, over all passes of a process; after a refusal a Namespace is left alone for the
    rest of the pass, and after too long a wait in vain they all are.
    """

    def __init__(self, cluster: Keeper, kept: dict[str, Seconds], clock: Clock, tell: Observer) -> None:
        self._cluster, self._kept, self._clock, self._tell = cluster, kept, clock, tell
        for uid in [uid for uid in kept if not self._is_kept(uid)]:
            del kept[uid]
        self._denied: dict[str, str] = {}
        self._in_vain: Seconds = 0.0

    def __call__(self, verdict: Verdict) -> str:
        """Keep the error of a Job, if it has one to lose; return why it must stay, empty if it may go."""
        job = verdict.job
        if verdict.reason is not Reason.EXPIRED or job.outcome is not Outcome.FAILED or self._is_kept(job.uid):
            return ""
        if job.namespace in self._denied:
            return self._denied[job.namespace]
        if self._in_vain >= PATIENCE:
            return "it stays, for its error could not be kept: others could not for too long in this pass"
        return self._keep(job)

    def _is_kept(self, uid: str) -> bool:
        return self._clock.monotonic() - self._kept.get(uid, float("-inf")) < KEPT_FOR

    def _keep(self, job: Job) -> str:
        began = self._clock.monotonic()
        try:
            announcement = keeping(job, error_of(self._cluster, job))
            self._cluster.announce(announcement)
        except ClusterError as error:
            problem = f"it stays, for its error could not be kept: {error}"
            if isinstance(error, Denied):
                self._denied[job.namespace] = problem
            self._in_vain += self._clock.monotonic() - began
            return problem
        self._kept[job.uid] = self._clock.monotonic()
        self._tell(ErrorKept(job, kept_in(announcement.message)[2]))
        return ""
