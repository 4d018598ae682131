"""Following a Force Update until its Job has finished."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

import msgspec

from cleaner.cluster import Brake, Clock, ClusterError, Kind, Stream
from cleaner.durations import Seconds, format_duration
from cleaner.fleet import NUDGED_EVERY, Change
from cleaner.model import GitRepo, GitRepoState, Job, Outcome
from cleaner.retry.choosing import Around

QUIET: Seconds = 90.0
"""Longest silence of the watch: the API sends a bookmark every minute."""

_LOOKS_EVERY: Seconds = 2.0
_CHECKS_EVERY: Seconds = 5.0
_CALM: Seconds = 6.0
"""How long a GitRepo must show no trouble before the absence of its Job counts as a success; Fleet's own pause takes 5 s."""

Ticking = Callable[[Stream], Generator[list[Change[Any]], None, None]]
"""
Reads a stream elsewhere, and yields what has come, an empty list every now and then, so that time is heard too.

It ends with the stream or a stop, raises what the stream raises, and interrupts it when it is closed.
"""


class Means(msgspec.Struct, frozen=True):
    """What following needs: the port, time, a stop, how to read a stream, how long at most, and who hears what is seen."""

    cluster: Around
    clock: Clock
    stop: Brake
    ticking: Ticking
    limit: Seconds
    say: Callable[[str], None]


class Before(msgspec.Struct, frozen=True):
    """
    The GitRepo before it was asked to run: its Jobs' uids, and the version of the list that had them.

    `running` are Jobs in that list that Fleet had begun by then, in between: they may be what is asked for.
    """

    gitrepo: GitRepo
    uids: frozenset[str]
    version: str
    running: Sequence[Job] = ()


class End(msgspec.Struct, frozen=True):
    """How it ended: no outcome means that it had not finished in time, and the text says what is known instead."""

    outcome: Outcome | None
    job: Job | None = None
    text: str = ""


class Following:
    """
    Follows one Force Update, once.

    A watch that began before it was asked for sees everything: Fleet >= 0.10.4 deletes a succeeded Job at once, so that looking
    again and again would hardly ever meet it. Where the watch is refused or breaks, looking is all that is left.
    """

    def __init__(self, means: Means, before: Before, number: int) -> None:
        self._means, self._before, self._number = means, before, number
        self._deadline = means.clock.monotonic() + means.limit
        self._seen: set[str] = set()
        self._newest: Job | None = None
        self._end: End | None = None
        self._calm_since: Seconds | None = None
        self._status = ""
        self._check_at = means.clock.monotonic() + _CHECKS_EVERY
        self._nudge_at = means.clock.monotonic() + NUDGED_EVERY

    def end(self) -> End:
        """Wait for the end, until the limit or a stop; no error ends it."""
        for job in self._before.running:
            self._note(job)
        self._watch()
        while self._end is None and self._goes_on():
            self._look()
            if self._end is None:
                self._means.clock.sleep(_LOOKS_EVERY)
        return self._end or self._unfinished()

    def _goes_on(self) -> bool:
        return self._means.stop() is None and self._means.clock.monotonic() < self._deadline

    def _watch(self) -> None:
        stream = self._means.cluster.watch(Kind.JOBS, self._before.gitrepo.namespace, self._before.version, QUIET)
        with contextlib.closing(self._means.ticking(stream)) as ticks, contextlib.suppress(ClusterError):
            for changes in ticks:
                for change in changes:
                    if change.fact is not None:
                        self._note(change.fact)
                self._check()
                if self._end is not None or not self._goes_on():
                    return

    def _note(self, job: Job) -> None:
        """Take notice of a Job: the newest that was made for what was asked is the one that counts."""
        if job.owner.uid != self._before.gitrepo.uid or job.uid in self._before.uids or not self._asked_for(job):
            return
        if job.uid not in self._seen:
            self._seen.add(job.uid)
            self._means.say(f"{self._before.gitrepo.path}: Job {job.name} of commit {job.commit[:12]} is there")
        elif self._newest is None or self._newest.uid != job.uid:
            return  # a newer commit's Job has come since
        self._newest = job
        if job.outcome is not None:
            self._end = End(job.outcome, job)

    def _asked_for(self, job: Job) -> bool:
        """Whether a Job was made for our Force Update or a later one; Fleet <= 0.10.3 does not say."""
        told = job.generations.force_sync if job.generations is not None else ""
        return not (told.isascii() and told.isdigit()) or int(told) >= self._number

    def _check(self) -> None:
        """See now and then whether the GitRepo is still there, which no watch of Jobs would tell."""
        now = self._means.clock.monotonic()
        if self._end is not None or now < self._check_at:
            return
        self._check_at = now + _CHECKS_EVERY
        with contextlib.suppress(ClusterError):
            self._nudge_if_idle(self._state())

    def _nudge_if_idle(self, state: GitRepoState | None) -> None:
        """Make Fleet look again at what it has overlooked: an adopted Job may have reached it only after its GitRepo did."""
        now = self._means.clock.monotonic()
        if state is not None and state.force_pending and not self._seen and now >= self._nudge_at:
            self._nudge_at = now + NUDGED_EVERY
            self._means.cluster.nudge(state)

    def _state(self) -> GitRepoState | None:
        gitrepo = self._before.gitrepo
        state = self._means.cluster.state(gitrepo.namespace, gitrepo.name)
        if state is None or state.gitrepo.uid != gitrepo.uid or state.gitrepo.deleting_since is not None:
            self._end = End(None, self._newest, "the GitRepo has been deleted meanwhile")
            return None
        self._status = state.status
        return state

    def _look(self) -> None:
        """Look at the Jobs and at the GitRepo, in this order: what is settled then is at least as new as the Jobs."""
        try:
            jobs = [job for page in self._means.cluster.jobs(self._before.gitrepo.namespace) for job in page.facts]
            state = self._state()
            self._nudge_if_idle(state)
        except ClusterError:
            self._calm_since = None
            return
        for job in sorted(jobs, key=lambda job: job.created):
            self._note(job)
        if self._end is None and state is not None:
            self._note_calm(state, here=any(job.uid in self._seen for job in jobs))

    def _note_calm(self, state: GitRepoState, *, here: bool) -> None:
        """The Job may have come, succeeded and gone between two looks: that shows only in what the GitRepo says for a while."""
        now = self._means.clock.monotonic()
        if here or not state.gitrepo.settled or state.forced < self._number or state.status != "Current":
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now
        elif now - self._calm_since >= _CALM:
            self._end = End(Outcome.SUCCEEDED, self._newest, "its Job is gone, which Fleet does after a success")

    def _unfinished(self) -> End:
        if (refusal := self._means.stop()) is not None:
            return End(None, self._newest, f"nobody waits any more ({refusal.text.partition(':')[0]})")
        limit = format_duration(self._means.limit)
        if self._newest is None:
            told = f", and its gitJobStatus is {self._status}" if self._status else ""
            return End(None, None, f"no new Job has come in {limit}{told}: is Fleet running?")
        return End(None, self._newest, f"it has not finished in {limit}")
