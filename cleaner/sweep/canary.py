"""The canary: before current Jobs go in numbers, one goes alone, to see whether this Fleet makes it again."""

from collections.abc import Iterable

import msgspec

from cleaner.durations import Seconds
from cleaner.model import Generations, Job, Owner

WATCHED = 600.0
"""Seconds for which the return of a deleted current Job counts against its GitRepo."""

BLOCKED = 24 * 3600.0
"""Seconds for which no current Job of a GitRepo goes after one has come back."""


class Canary(msgspec.Struct):
    """
    What one process has learnt; a new process, and a new leader, begin without it. Times are on the monotonic clock.

    `kept` tells when the errors of which Jobs were kept.
    """

    pause: Seconds = 10.0
    proven: bool = False
    gone: dict[str, tuple[Job, Seconds]] = msgspec.field(default_factory=dict)
    blocked: dict[Owner, Seconds] = msgspec.field(default_factory=dict)
    kept: dict[str, Seconds] = msgspec.field(default_factory=dict)

    def deleted(self, jobs: Iterable[Job], at: Seconds) -> None:
        """Remember current Jobs that we deleted; forget those whose return would prove nothing any more."""
        self.gone = {uid: (old, then) for uid, (old, then) in self.gone.items() if at - then < WATCHED}
        self.gone.update((job.uid, (job, at)) for job in jobs)

    def watched(self, at: Seconds) -> list[Job]:
        """Deleted current Jobs that could still come back."""
        return [job for job, then in self.gone.values() if at - then < WATCHED]

    def trip(self, job: Job, at: Seconds) -> None:
        """Block the current Jobs of a GitRepo."""
        self.blocked[job.owner] = at + BLOCKED
        self.gone.pop(job.uid, None)

    def blocks(self, owner: Owner, at: Seconds) -> bool:
        """Whether the current Jobs of a GitRepo stay because one has come back."""
        return self.blocked.get(owner, 0.0) > at


def came_back(deleted: Job, found: Job) -> bool:
    """
    Whether Fleet has made a deleted Job again on its own.

    Under the same name after a Force Update or a spec change, Fleet's labels are higher: that is somebody's wish, not ours to
    count (Fleet >= 0.15.1 leaves the Job absent for 5 s in between).
    """
    same = found.owner == deleted.owner and found.commit == deleted.commit
    return same and found.uid != deleted.uid and not _raised(deleted.generations, found.generations)


def _raised(before: Generations | None, after: Generations | None) -> bool:
    if before is None or after is None:
        return False
    return _number(after.gitrepo) > _number(before.gitrepo) or _number(after.force_sync) > _number(before.force_sync)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
