"""What does not move and is not ours to delete: told, so that somebody can help."""

import enum
from collections.abc import Collection

import msgspec

from cleaner.model import GUARD, Fleet, GitRepo, Job, Moment, Outcome

LONG = 3600.0
"""Seconds after which a run or a departure counts as stuck."""

_SILENT_FOR, _SILENT_INTERVALS = 600.0, 4
"""Polling has died when it is overdue by that many seconds and that many of its intervals: slow controllers are spared."""

_POLLING_DIES = (((0, 10, 1), (0, 10, 8)), ((0, 11, 0), (0, 11, 3)))


HELD = 120.0
"""Seconds after which a departure counts as stuck that our own finalizer holds up: a guard that runs lets go after thirty."""


class StuckKind(enum.Enum):
    """The kinds of being stuck."""

    BLOCKED_BY_LEGACY = "blocked-by-legacy-job"
    RUNNING_LONG = "running-long"
    LEAVING_LONG = "leaving-long"
    NAME_TAKEN = "name-taken"
    POLLING_DIED = "polling-died"


class Stuck(msgspec.Struct, frozen=True):
    """One thing that is stuck, what it means, and what helps."""

    kind: StuckKind
    gitrepo: str
    job: str
    text: str


def stuck(
    gitrepo: GitRepo, jobs: Collection[Job], fleet: Fleet, now: Moment, foreign: frozenset[str] = frozenset()
) -> list[Stuck]:
    """Tell what is stuck around one GitRepo. `foreign` are names of Jobs in its Namespace that another owner holds."""
    found = [
        *_blocked(gitrepo, jobs, fleet),
        *_running(gitrepo, jobs, now),
        *_leaving(gitrepo, now),
        *_polling(gitrepo, fleet, now),
    ]
    taken = sorted(foreign.intersection(gitrepo.current_names))
    text = "another owner holds the name of the Job that Fleet wants to make"
    return found + [_told(StuckKind.NAME_TAKEN, gitrepo, name, text) for name in taken]


def _told(kind: StuckKind, gitrepo: GitRepo, job: str, text: str) -> Stuck:
    return Stuck(kind, gitrepo.path, job, text)


def _blocked(gitrepo: GitRepo, jobs: Collection[Job], fleet: Fleet) -> list[Stuck]:
    """A failed current Job without Fleet's labels blocks Force Update and spec changes for good under Fleet >= 0.10.4."""
    if fleet.recreates:
        return []
    text = (
        "Fleet ignores Force Update and spec changes while this Job, made by Fleet <= 0.10.3, has no generation labels;"
        f" this runs it again: gitjob-cleaner retry {gitrepo.path}"
    )
    return [
        _told(StuckKind.BLOCKED_BY_LEGACY, gitrepo, job.name, text)
        for job in jobs
        if job.legacy and job.outcome is Outcome.FAILED and gitrepo.is_current(job)
    ]


def _running(gitrepo: GitRepo, jobs: Collection[Job], now: Moment) -> list[Stuck]:
    return [
        _told(StuckKind.RUNNING_LONG, gitrepo, job.name, "it has been running for over an hour; look at its Pod")
        for job in jobs
        if job.outcome is None and not job.problem and now - job.created > LONG
    ]


def _leaving(gitrepo: GitRepo, now: Moment) -> list[Stuck]:
    if gitrepo.deleting_since is None or now - gitrepo.deleting_since <= (HELD if gitrepo.guarded else LONG):
        return []
    text = "it has been leaving for over an hour; look at its finalizers"
    if gitrepo.guarded:
        text = (
            f"it is being deleted and still has {GUARD} among its finalizers; gitjob-cleaner guard takes that one off within"
            f" half a minute, or, where none is to run any more: gitjob-cleaner release --namespaces {gitrepo.namespace}"
        )
    return [_told(StuckKind.LEAVING_LONG, gitrepo, "", text)]


def _polling(gitrepo: GitRepo, fleet: Fleet, now: Moment) -> list[Stuck]:
    silence = max(_SILENT_FOR, _SILENT_INTERVALS * gitrepo.polling_interval)
    if gitrepo.disable_polling or gitrepo.last_polled is None or now - gitrepo.last_polled <= silence:
        return []
    text = f"Fleet has not polled it for several of its intervals; this wakes it: gitjob-cleaner retry --nudge {gitrepo.path}"
    if polling_dies(fleet.version):
        text += "; Fleet 0.10.1 to 0.10.8 and 0.11.0 to 0.11.3 stop polling by themselves: upgrade Fleet"
    return [_told(StuckKind.POLLING_DIED, gitrepo, "", text)]


def polling_dies(version: str) -> bool:
    """
    Whether the polling of a GitRepo may die by itself in this version of Fleet, until something else wakes it.

    Fixed in 0.10.9, 0.11.4 and 0.12.0; what has no three numbers is taken to be none of these.
    """
    numbers = tuple(int(part) for part in version.split(".") if part.isascii() and part.isdigit())
    return len(numbers) == 3 and any(first <= numbers <= last for first, last in _POLLING_DIES)
