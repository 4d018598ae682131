"""Running failed GitRepos again: one, or all of a scope, one after the other."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from cleaner import model
from cleaner.cluster import ClusterError, Conflict
from cleaner.durations import Seconds
from cleaner.model import Fleet, GitRepo, GitRepoState, Job
from cleaner.retry import telling
from cleaner.retry.attempts import Attempt, Came, Ran, Retries
from cleaner.retry.beginning import Begun, begin
from cleaner.retry.choosing import Candidate, Refused, candidate_of, check_stays, find_failed
from cleaner.retry.errors import error_of
from cleaner.retry.following import Before, End, Following, Means
from cleaner.scope import Scope

May = Callable[[str], bool]
"""Asks whether something may be done, by a question; whoever was told beforehand answers without asking."""

_COMES = {model.Outcome.SUCCEEDED: Came.SUCCEEDED, model.Outcome.FAILED: Came.FAILED, None: Came.UNFINISHED}
_ERROR_COMES_WITHIN = 5


class Wish(msgspec.Struct, frozen=True):
    """What the operator wants: to wait for the ends, only to try, and of many how many, at which pace."""

    wait: bool = False
    dry_run: bool = False
    limit: int = 10
    pause: Seconds = 10.0


class Retry:
    """Retries; each line of text goes to `means.say` as soon as it is true."""

    def __init__(self, means: Means, wish: Wish, fleet: Fleet) -> None:
        self._means, self._wish, self._fleet = means, wish, fleet
        self._cluster = means.cluster

    def one(self, gitrepo: GitRepo, may: May) -> Retries:
        """
        Retry one GitRepo.

        Raises:
            Refused: nothing has failed, or what would run was not allowed.
            ClusterError: it could not be read or changed.

        """
        candidate = self._candidate(gitrepo)
        before = self._told(candidate)
        if candidate.state.gitrepo.disable_polling:
            self._means.say(f"{gitrepo.path}: it is not polled, so Fleet will run the newest commit of its branch")
            if not self._wish.dry_run and not may(f"Run the newest commit of {gitrepo.path}?"):
                raise Refused(f"{gitrepo.path}: with disablePolling the newest commit would run: --yes allows that")
            candidate = self._candidate(gitrepo)  # the answer may have taken hours
        try:
            return Retries([self._run(candidate, before)])
        except Conflict as error:
            return Retries([self._over(Attempt(gitrepo.path, Came.NOT_STARTED, str(error), before))])

    def wake(self, gitrepo: GitRepo) -> Retries:
        """Only make Fleet look at a GitRepo. Raises as `one` does."""
        state = self._state(gitrepo)
        check_stays(state)
        if state.gitrepo.disable_polling:
            raise Refused(f"{gitrepo.path}: with disablePolling a nudge can deploy the newest commit")
        self._cluster.nudge(state)
        return Retries([self._over(Attempt(gitrepo.path, Came.WOULD_NUDGE if self._wish.dry_run else Came.NUDGED))])

    def all_failed(self, scope: Scope, may: May) -> Retries:
        """Retry every GitRepo of a scope whose current Job failed. Raises nothing: what cannot be done is told."""
        found = find_failed(self._cluster, scope)
        for refused in found.refused:
            self._means.say(telling.refused_line(refused))
        stay = [
            self._over(Attempt(gitrepo.path, Came.LEFT_OUT, why)) for gitrepo, _ in found.failed if (why := _left_out(gitrepo))
        ]
        go = [one for one in found.failed if not _left_out(one[0])]
        count = min(len(go), self._wish.limit or len(go))
        question = f"Run {count} failed GitRepos again?"
        if not count or not (self._wish.dry_run or may(question)):
            self._means.say("nothing has failed" if not go else "nothing was started")
            return Retries(stay, found.refused, found.parts)
        return Retries([*stay, *self._each(go, count)], found.refused, found.parts)

    def _each(self, go: Sequence[tuple[GitRepo, Job]], count: int) -> Iterator[Attempt]:
        for number, (gitrepo, job) in enumerate(go):
            if number and number < count and not self._wish.dry_run:
                self._means.clock.sleep(self._wish.pause)
            if number >= count:
                yield self._over(Attempt(gitrepo.path, Came.LEFT, f"there are more than retry_limit ({self._wish.limit})"))
            elif (refusal := self._means.stop()) is not None:
                yield self._over(Attempt(gitrepo.path, Came.LEFT, refusal.text))
            else:
                yield self._try(gitrepo, job)

    def _try(self, gitrepo: GitRepo, job: Job) -> Attempt:
        """Retry one of many: the others go on, whatever comes of it."""
        try:
            state = self._state(gitrepo)
            candidate = candidate_of(state, self._found(job))
            if why := _left_out(state.gitrepo):
                raise Refused(why)
            return self._run(candidate, self._told(candidate))
        except Refused as error:
            came = Came.LEFT_OUT if self._means.stop() is None else Came.LEFT
            return self._over(Attempt(gitrepo.path, came, str(error).removeprefix(f"{gitrepo.path}: ")))
        except ClusterError as error:
            return self._over(Attempt(gitrepo.path, Came.NOT_STARTED, str(error)))

    def _found(self, job: Job) -> list[Job]:
        """What has the name of a Job now; not to know is not to see that it is gone: a legacy one would go on to block."""
        sightings = list(self._cluster.find([job]))
        for sighting in sightings:
            if sighting.error is not None:
                raise sighting.error
        return [sighting.found for sighting in sightings if sighting.found is not None]

    def _run(self, candidate: Candidate, before: Ran) -> Attempt:
        """Ask for the run, and follow it where that is wanted."""
        gitrepo = candidate.state.gitrepo
        if self._means.stop() is not None:
            raise Refused(f"{gitrepo.path}: stopped before anything was changed")
        waits = self._wish.wait and not self._wish.dry_run
        jobs, version = self._jobs(gitrepo) if waits else ([], "")
        begun = begin(self._cluster, candidate, self._fleet, self._means.clock)
        attempt = Attempt(gitrepo.path, Came.WOULD_START if self._wish.dry_run else Came.STARTED, "", before, begun)
        self._over(attempt)
        if not waits:
            return attempt
        # What runs now was not there when the failed Job was chosen: Fleet has begun in between.
        running = [job for job in jobs if job.outcome is None and gitrepo.is_current(job)]
        mine = frozenset(job.uid for job in jobs if job not in running)
        end = Following(self._means, Before(gitrepo, mine, version, running), begun.number).end()
        return self._over(self._ended(attempt, begun, gitrepo, end))

    def _ended(self, attempt: Attempt, begun: Begun, gitrepo: GitRepo, end: End) -> Attempt:
        job = end.job
        error = self._new_error(gitrepo, job) if end.outcome is model.Outcome.FAILED else ""
        after = Ran(job.name, job.commit, error) if job is not None else Ran()
        return Attempt(attempt.gitrepo, _COMES[end.outcome], end.text, attempt.before, begun, after)

    def _new_error(self, gitrepo: GitRepo, job: Job | None) -> str:
        """Why it failed again; Fleet tells it a moment after the Job does, where the Pods are not to be read."""
        for _ in range(_ERROR_COMES_WITHIN):
            try:
                text = error_of(self._cluster, job, self._cluster.state(gitrepo.namespace, gitrepo.name))
            except ClusterError:
                text = ""
            if text or self._means.stop() is not None:
                return text
            self._means.clock.sleep(1.0)
        return ""

    def _told(self, candidate: Candidate) -> Ran:
        """Say what had failed, before anything is done about it."""
        error = error_of(self._cluster, candidate.job, candidate.state)
        ran = Ran(candidate.job.name if candidate.job is not None else "", candidate.commit, error)
        self._means.say(telling.failure_line(candidate.state.gitrepo.path, ran))
        return ran

    def _over(self, attempt: Attempt) -> Attempt:
        for line in telling.attempt_lines(attempt):
            self._means.say(line)
        return attempt

    def _candidate(self, gitrepo: GitRepo) -> Candidate:
        return candidate_of(self._state(gitrepo), self._jobs(gitrepo)[0])

    def _state(self, gitrepo: GitRepo) -> GitRepoState:
        state = self._cluster.state(gitrepo.namespace, gitrepo.name)
        if state is None or state.gitrepo.uid != gitrepo.uid:
            raise Refused(f"{gitrepo.path} has been deleted meanwhile")
        return state

    def _jobs(self, gitrepo: GitRepo) -> tuple[list[Job], str]:
        """The GitRepo's Jobs, and the version of the list that has them."""
        jobs, version = [], ""
        for page in self._cluster.jobs(gitrepo.namespace):
            jobs += [job for job in page.facts if job.owner.uid == gitrepo.uid]
            version = page.version
        return jobs, version


def _left_out(gitrepo: GitRepo) -> str:
    if gitrepo.deleting_since is not None:
        return "it is being deleted"
    return "it has disablePolling: the newest commit would run; retry it by its name" if gitrepo.disable_polling else ""
