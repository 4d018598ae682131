"""
Unblocking: a failed current Job that Fleet <= 0.10.3 made gets the labels that Fleet >= 0.10.4 looks for.

Seen live on Fleet 0.10.4, 0.14.10 and 0.16.1: that keeps its error, starts nothing, and gives Force Update and spec changes back.
Where a Force Update was pending, Fleet >= 0.14 sees it only when something else wakes the GitRepo.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

from cleaner.cluster import Brake, Clock, ClusterError, Denied, Patches, Refusal, States
from cleaner.durations import Seconds
from cleaner.fleet import NUDGED_EVERY, SEEN_LATER
from cleaner.happened import Adopted, NotAdopted, Observer, Waited
from cleaner.model import GitRepo, GitRepoState, Job, Outcome
from cleaner.result import Migrated
from cleaner.retention import Plan, Reason

FOLLOWED: Seconds = 60.0
_LOOKED_EVERY: Seconds = 1.0

Item = TypeVar("Item")
Made = TypeVar("Made")


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

        Return what a brake said, if one refused; they are asked before each GitRepo, for of thousands each step takes minutes.
        """
        cases, refusal = _each(jobs, self._case, brake)
        if refusal is None:
            self._remember([case for case in cases if case.state.force_pending], note)
            pending, refusal = _each(cases, self._unblock, brake)
            self._remember(pending, note)
            if refusal is None and pending and not self._dry_run:
                self._clock.sleep(SEEN_LATER)
                refusal = self._follow(pending, brake)
        return refusal

    def _case(self, job: Job) -> Case | None:
        """
        Read the GitRepo of a Job again; None where there is nothing to do for it any more, or not without consent.

        With `disablePolling` a pending Force Update runs the newest commit, whatever it was asked for: `retry` asks before that.
        """
        state = self._read(job)
        if state is None or not state.gitrepo.is_current(job) or (state.force_pending and state.gitrepo.disable_polling):
            return None
        return Case(job, state) if job.legacy or _overlooked(job, state) else None

    def _read(self, job: Job) -> GitRepoState | None:
        """Read the GitRepo of a Job; None where it is gone, leaves, or is another by now, or cannot be read."""
        try:
            state = self._cluster.state(job.namespace, job.owner.name)
        except ClusterError as error:
            self._problem(job, f"its GitRepo could not be read: {error}")
            return None
        if state is None or state.gitrepo.uid != job.owner.uid or state.gitrepo.deleting_since is not None:
            return None
        return state

    def _remember(self, pending: list[Case], note: Callable[[], None]) -> None:
        before = len(self._migrated.forced)
        self._migrated.forced += [p for case in pending if (p := case.state.gitrepo.path) not in self._migrated.forced]
        if len(self._migrated.forced) > before and not self._dry_run:
            note()

    def _unblock(self, case: Case) -> Case | None:
        """
        Give a legacy Job its labels; return the case if a Force Update is pending then.

        One that came since the GitRepo was read, and before the labels, Fleet has ignored: nobody but us would wake it.
        """
        job, state = case
        if job.legacy:
            if not self._label(job, state):
                return None
            state = state if self._dry_run else self._read(job) or state
            self._migrated.adopted.append(state.gitrepo.path)
            self._tell(Adopted(job, state.force_pending, self._dry_run))
        return Case(job, state) if state.force_pending else None

    def _label(self, job: Job, state: GitRepoState) -> bool:
        """Whether it has the labels now, or, in a dry run, could: who may only read learns all the same what would be done."""
        try:
            self._cluster.adopt(job, state.forced)
        except Denied as error:
            if not self._dry_run:
                self._problem(job, str(error))
            else:
                self._tell(NotAdopted(job, f"the dry run of it was refused: {error}"))
            return self._dry_run
        except ClusterError as error:
            self._problem(job, str(error))
            return False
        return True

    def _follow(self, waiting: list[Case], brake: Brake) -> Refusal | None:
        """Nudge, and look until Fleet has begun each Force Update that was pending, or for a minute."""
        until = self._clock.monotonic() + FOLLOWED
        again: Seconds = 0.0
        while True:
            pending, refusal = _each(waiting, self._still_pending, brake)
            waiting = pending if refusal is None else waiting
            left = until - self._clock.monotonic()
            if refusal is None and waiting and left > 0 and self._clock.monotonic() >= again:
                again = self._clock.monotonic() + NUDGED_EVERY
                _, refusal = _each(waiting, self._nudge, brake)
            if refusal is not None or not waiting or left <= 0:
                self._migrated.waiting += [case.state.gitrepo.path for case in waiting]
                return refusal
            self._tell(Waited(f"Fleet is to begin {len(waiting)} pending Force Updates", left))
            self._clock.sleep(_LOOKED_EVERY)

    def _nudge(self, case: Case) -> None:
        try:
            self._cluster.nudge(case.state)
        except ClusterError as error:
            self._problem(case.job, f"its GitRepo could not be nudged: {error}")

    def _still_pending(self, case: Case) -> Case | None:
        """The case while Fleet has not begun; a GitRepo that is gone or another by now is nobody's any more."""
        try:
            state = self._cluster.state(case.job.namespace, case.job.owner.name)
        except ClusterError:
            return case
        return case if state is not None and state.gitrepo.uid == case.job.owner.uid and state.force_pending else None

    def _problem(self, job: Job, text: str) -> None:
        told = f"{job.namespace}/{job.name}: {text}"
        if told not in self._migrated.problems:
            self._migrated.problems.append(told)
            self._tell(NotAdopted(job, text))


def _overlooked(job: Job, state: GitRepoState) -> bool:
    """Whether Fleet would act on a pending Force Update, if only it looked: the labels of the Job name an earlier one."""
    return state.force_pending and job.generations is not None and job.generations.force_sync != str(state.force)


def _each(items: Iterable[Item], work: Callable[[Item], Made | None], brake: Brake) -> tuple[list[Made], Refusal | None]:
    """Do some work for each, unless a brake refuses before that; return what came of it, and what the brake said."""
    made: list[Made] = []
    for item in items:
        refusal = brake()
        if refusal is not None:
            return made, refusal
        if (result := work(item)) is not None:
            made.append(result)
    return made, None
