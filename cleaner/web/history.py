"""The last things that happened, for people: bounded, and honest about since when it is complete."""

import threading
from collections.abc import Callable, Mapping

import msgspec

from cleaner.cluster import Deletion, Fate
from cleaner.happened import Attempted, ErrorKept, ErrorsRecalled, Happened, Led, Swept
from cleaner.model import Job, KeptError, Moment, Owner
from cleaner.retention import Reason
from cleaner.web.recollection import Recollection
from cleaner.web.troubles import Trouble, trouble_in


class Bounds(msgspec.Struct, frozen=True):
    """How much is kept. `sweeps` holds for those that read everything and, once more, for those that a watch began."""

    sweeps: int = 50
    errors: int = 200
    deleted_each: int = 20
    deleted_all: int = 10_000
    gitrepos: int = 2_000


class Deleted(msgspec.Struct, frozen=True):
    """A Job that we deleted, as it was then."""

    job: Job
    reason: Reason
    at: Moment


class Deletions(msgspec.Struct, frozen=True):
    """The last Jobs of one GitRepo that were deleted, newest first; none is missing since `since`."""

    since: Moment
    jobs: tuple[Deleted, ...] = ()


class Past(msgspec.Struct, frozen=True):
    """
    All of it at one moment, newest first; it never changes.

    `deleted` counts all deletions since `began`, and `told_until` is the moment up to which anything has been told.
    """

    began: Moment
    deleted: int = 0
    sweeps: tuple[Swept, ...] = ()
    sweeps_since: Moment = 0.0
    passes: tuple[Swept, ...] = ()
    passes_since: Moment = 0.0
    errors: tuple[Trouble, ...] = ()
    errors_since: Moment = 0.0
    deletions: dict[Owner, Deletions] = {}
    deletions_since: Moment = 0.0
    led: tuple[Moment, Led] | None = None
    kept: Mapping[Owner, tuple[KeptError, ...]] = {}

    def deletions_of(self, owner: Owner) -> Deletions:
        """The last deletions of one GitRepo."""
        return self.deletions.get(owner) or Deletions(self.deletions_since)


class _Sweeps:
    """The last passes of one sort."""

    def __init__(self, since: Moment, most: int) -> None:
        self.since, self._most = since, most
        self.newest_first: tuple[Swept, ...] = ()

    def add(self, swept: Swept) -> None:
        kept = (swept, *self.newest_first)
        for gone in kept[self._most :]:
            self.since = gone.started + gone.seconds
        self.newest_first = kept[: self._most]


class History:
    """An observer that may be told by several threads and read by others; `past` is a copy that stays as it is."""

    def __init__(self, now: Callable[[], Moment], bounds: Bounds | None = None) -> None:
        self._now, self._bounds = now, bounds or Bounds()
        self._began = now()
        self._lock = threading.Lock()
        self._sweeps = _Sweeps(self._began, self._bounds.sweeps)
        self._passes = _Sweeps(self._began, self._bounds.sweeps)
        self._errors: dict[tuple[str, str, str], Trouble] = {}  # the one told least recently first, as in `_deletions`
        self._errors_since = self._began
        self._deletions: dict[Owner, Deletions] = {}
        self._deletions_since = self._began
        self._kept = self._deleted = 0
        self._recollection = Recollection(self._bounds.gitrepos)
        self._led: tuple[Moment, Led] | None = None

    def __call__(self, event: Happened) -> None:
        """Remember what happened, if it is of interest later."""
        trouble = trouble_in(event, self._now())
        with self._lock:
            if trouble is not None:
                self._add_trouble(trouble)
            if isinstance(event, Attempted) and event.deletion.fate is Fate.DELETED:
                self._add_deletion(event.deletion, event.verdict.reason)
            elif isinstance(event, Swept):
                (self._passes if event.trigger == "watch" else self._sweeps).add(event)
            elif isinstance(event, Led):
                self._led = (self._now(), event)
            elif isinstance(event, ErrorKept):
                self._recollection.keep(event, self._now())
            elif isinstance(event, ErrorsRecalled):
                self._recollection.recall(reversed(event.errors))

    def past(self) -> Past:
        """What is remembered at this moment."""
        with self._lock:
            return Past(
                began=self._began,
                deleted=self._deleted,
                sweeps=self._sweeps.newest_first,
                sweeps_since=self._sweeps.since,
                passes=self._passes.newest_first,
                passes_since=self._passes.since,
                errors=tuple(reversed(self._errors.values())),
                errors_since=self._errors_since,
                deletions=dict(self._deletions),
                deletions_since=self._deletions_since,
                led=self._led,
                kept=self._recollection.errors(),
            )

    def _add_trouble(self, trouble: Trouble) -> None:
        """Add an error, or count it to the one that said the same: a fault that repeats must not push all others out."""
        known = self._errors.pop(trouble.key, None)
        if known is not None:
            trouble = msgspec.structs.replace(trouble, first=known.first, count=known.count + 1)
        self._errors[trouble.key] = trouble
        if len(self._errors) > self._bounds.errors:
            gone = self._errors.pop(next(iter(self._errors)))
            self._errors_since = max(self._errors_since, gone.last)

    def _add_deletion(self, deletion: Deletion, reason: Reason) -> None:
        job, bounds = deletion.doomed.job, self._bounds
        known = self._deletions.pop(job.owner, None) or Deletions(self._deletions_since)
        jobs = (Deleted(job, reason, self._now()), *known.jobs)
        since = jobs[bounds.deleted_each].at if len(jobs) > bounds.deleted_each else known.since
        self._deletions[job.owner] = Deletions(since, jobs[: bounds.deleted_each])
        self._kept += min(len(jobs), bounds.deleted_each) - len(known.jobs)
        self._deleted += 1
        while self._kept > bounds.deleted_all or len(self._deletions) > bounds.gitrepos:
            self._forget_a_gitrepo()

    def _forget_a_gitrepo(self) -> None:
        """Forget the deletions of the GitRepo that has had none for longest."""
        gone = self._deletions.pop(next(iter(self._deletions)))
        self._kept -= len(gone.jobs)
        self._deletions_since = max(self._deletions_since, gone.jobs[0].at)
