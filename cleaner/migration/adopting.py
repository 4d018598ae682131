"""
Unblocking: a failed current Job that Fleet <= 0.10.3 made gets the labels that Fleet >= 0.10.4 looks for.

Seen live on Fleet 0.10.4, 0.14.10 and 0.16.1: that keeps its error, starts nothing, and gives Force Update and spec changes back.
Where a Force Update was pending, Fleet >= 0.14 sees it only when something else wakes the GitRepo.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from cleaner.cluster import Brake, Clock, ClusterError, Patches, Refusal, States
from cleaner.durations import Seconds
from cleaner.happened import Adopted, NotAdopted, Observer, Waited
from cleaner.model import GitRepo, GitRepoState, Job, Outcome
from cleaner.result import Migrated
from cleaner.retention import Plan, Reason

SEEN_LATER: Seconds = 2.0
"""Between a Job's labels and the nudge of its GitRepo: Fleet hears of both by watches of their own."""

NUDGED_EVERY: Seconds = 15.0
FOLLOWED: Seconds = 60.0
_LOOKED_EVERY: Seconds = 1.0


class AdoptingCluster(Patches, States, Protocol):
    """What adopting asks of a cluster."""


class Case(NamedTuple):
    """A failed current Job and its GitRepo; one with labels was adopted by an attempt that was cut off."""

    job: Job
    state: GitRepoState


def blocking(gitrepo: GitRepo | None, plan: Plan) -> Iterator[Job]:
    """Yield the Jobs of one GitRepo that block it, or may: those that somebody protects are left alone."""
    for verdict in plan.verdicts:
        job = verdict.job
        if gitrepo is None or verdict.reason is not Reason.CURRENT or job.outcome is not Outcome.FAILED:
            continue
        if job.legacy or not gitrepo.settled:
            yield job


class Adopting:
    """Adopts, nudges and follows; what happens is told and noted in `migrated`."""

    def __init__(self, cluster: AdoptingCluster, clock: Clock, tell: Observer, migrated: Migrated, *, dry_run: bool) -> None:
        self._cluster, self._clock, self._tell, self._migrated = cluster, clock, tell, migrated
        self._dry_run = dry_run

    def adopt(self, jobs: Iterable[Job], brake: Brake, note: Callable[[], None]) -> Refusal | None:
        """
        Unblock the GitRepos of these Jobs; `note` is called before the first change that makes Fleet run anything.

        Return what a brake said, if one refused.
        """
        cases = [case for job in jobs if (case := self._case(job)) is not None]
        self._remember([case for case in cases if case.state.force_pending], note)
        nudged: list[Case] = []
        for case in cases:
            refusal = brake()
            if refusal is not None:
                return refusal
            if self._label(case) and case.state.force_pending:
                nudged.append(case)
        if nudged and not self._dry_run:
            self._clock.sleep(SEEN_LATER)
            return self._follow(nudged, brake)
        return None

    def _case(self, job: Job) -> Case | None:
        """Read the GitRepo of a Job again; None where there is nothing to do for it any more."""
        try:
            state = self._cluster.state(job.namespace, job.owner.name)
        except ClusterError as error:
            self._problem(job, f"its GitRepo could not be read: {error}")
            return None
        if state is None or state.gitrepo.uid != job.owner.uid or state.gitrepo.deleting_since is not None:
            return None
        if not state.gitrepo.is_current(job):
            return None
        return Case(job, state) if job.legacy or _overlooked(job, state) else None

    def _remember(self, pending: list[Case], note: Callable[[], None]) -> None:
        before = len(self._migrated.forced)
        self._migrated.forced += [p for case in pending if (p := case.state.gitrepo.path) not in self._migrated.forced]
        if len(self._migrated.forced) > before and not self._dry_run:
            note()

    def _label(self, case: Case) -> bool:
        """Whether the Job has the labels now."""
        job = case.job
        try:
            if job.legacy:
                self._cluster.adopt(job, case.state.forced)
        except ClusterError as error:
            self._problem(job, str(error))
            return False
        if job.legacy:
            self._migrated.adopted.append(case.state.gitrepo.path)
            self._tell(Adopted(job, case.state.force_pending))
        return True

    def _follow(self, waiting: list[Case], brake: Brake) -> Refusal | None:
        """Nudge, and look until Fleet has begun each Force Update that was pending, or for a minute."""
        until = self._clock.monotonic() + FOLLOWED
        again: Seconds = 0.0
        while waiting and (left := until - self._clock.monotonic()) > 0:
            refusal = brake()
            if refusal is not None:
                self._migrated.waiting += [case.state.gitrepo.path for case in waiting]
                return refusal
            if self._clock.monotonic() >= again:
                again = self._clock.monotonic() + NUDGED_EVERY
                for case in waiting:
                    self._nudge(case)
            self._tell(Waited(f"Fleet is to begin {len(waiting)} pending Force Updates", left))
            self._clock.sleep(_LOOKED_EVERY)
            waiting = [case for case in waiting if self._is_pending(case)]
        self._migrated.waiting += [case.state.gitrepo.path for case in waiting]
        return None

    def _nudge(self, case: Case) -> None:
        try:
            self._cluster.nudge(case.state)
        except ClusterError as error:
            self._problem(case.job, f"its GitRepo could not be nudged: {error}")

    def _is_pending(self, case: Case) -> bool:
        """Whether Fleet has not begun yet; a GitRepo that is gone or another by now is nobody's any more."""
        try:
            state = self._cluster.state(case.job.namespace, case.job.owner.name)
        except ClusterError:
            return True
        return state is not None and state.gitrepo.uid == case.job.owner.uid and state.force_pending

    def _problem(self, job: Job, text: str) -> None:
        told = f"{job.namespace}/{job.name}: {text}"
        if told not in self._migrated.problems:
            self._migrated.problems.append(told)
            self._tell(NotAdopted(job, text))


def _overlooked(job: Job, state: GitRepoState) -> bool:
    """Whether Fleet would act on a pending Force Update, if only it looked: the labels of the Job name an earlier one."""
    return state.force_pending and job.generations is not None and job.generations.force_sync != str(state.force)
