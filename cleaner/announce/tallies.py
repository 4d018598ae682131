"""What has happened to the Jobs of one GitRepo since the last pass ended, and how that is announced."""

from collections import Counter

from cleaner.cluster import UNDONE, Announcement, Fate
from cleaner.happened import Attempted
from cleaner.masking import masked
from cleaner.model import Owner

CLEANED, FAILED = "JobsCleaned", "JobCleanupFailed"

_MOST_REMEMBERED = 64
_LONGEST_DETAIL = 300


class Tally:
    """
    Counts for one GitRepo. A Job whose deletion was doubtful may be told of again: the last word counts.

    The details of a few dozen Jobs are remembered, the rest is only counted.
    """

    def __init__(self) -> None:
        self._deleted: Counter[str] = Counter()
        self._undone: dict[str, str] = {}
        self._more = 0

    def note(self, attempted: Attempted) -> None:
        """Count one attempt."""
        uid, fate = attempted.verdict.job.uid, attempted.deletion.fate
        if fate is Fate.DELETED:
            self._deleted[attempted.verdict.reason.value] += 1
        if fate not in UNDONE:
            self._undone.pop(uid, None)
        elif uid in self._undone or len(self._undone) < _MOST_REMEMBERED:
            self._undone[uid] = attempted.deletion.detail[: 2 * _LONGEST_DETAIL]
        else:
            self._more += 1

    def cleaned(self, gitrepo: Owner) -> Announcement | None:
        """Return what to announce of deletions; None where there were none."""
        count = self._deleted.total()
        if not count:
            return None
        reasons = ", ".join(f"{n} {reason}" for reason, n in self._deleted.most_common())
        return Announcement(gitrepo, CLEANED, f"deleted {_jobs(count)} that nothing needs any more: {reasons}")

    def failed(self, gitrepo: Owner) -> Announcement | None:
        """Return what to announce of failures; None where there were none."""
        count = len(self._undone) + self._more
        if not count:
            return None
        detail = presentable(next(iter(self._undone.values()), "")) or "no reason is known"
        again = "they are tried again" if count > 1 else "it is tried again"
        return Announcement(gitrepo, FAILED, f"{_jobs(count)} could not be deleted: {detail}, {again}", warning=True)


def _jobs(count: int) -> str:
    return f"{count} Job" if count == 1 else f"{count} Jobs"


def presentable(text: str) -> str:
    """Make an error's text fit for everybody who may read Events: one line, cut, without credentials."""
    line = masked(text)
    return line if len(line) <= _LONGEST_DETAIL else line[:_LONGEST_DETAIL] + "…"
