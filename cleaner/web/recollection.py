"""The errors of failed Jobs that were kept while we looked, and those that Events still keep."""

from collections.abc import Iterable, Mapping

from cleaner.failures import commit_of
from cleaner.happened import ErrorKept
from cleaner.model import KeptError, Moment, Owner

EACH = 10
"""Kept errors that are remembered of one GitRepo."""


class Recollection:
    """
    Kept errors by GitRepo, newest first; not safe for threads by itself.

    What was told live and what is read back later is the same error; what the API has forgotten is remembered on. Past the
    bound that GitRepo is forgotten of which nothing has been told for longest.
    """

    def __init__(self, gitrepos: int) -> None:
        self._most = gitrepos
        self._errors: dict[Owner, tuple[KeptError, ...]] = {}

    def keep(self, kept: ErrorKept, at: Moment) -> None:
        """Remember one that was just kept."""
        job = kept.job
        self.recall([KeptError(job.owner, job.name, commit_of(job), kept.text, at)])

    def recall(self, errors: Iterable[KeptError]) -> None:
        """Remember what was read."""
        for error in errors:
            known = self._errors.pop(error.gitrepo, ())
            same = [other for other in known if _same(other, error)]
            others = [other for other in known if not _same(other, error)]
            newest = max([error, *same], key=lambda each: each.at)
            self._errors[error.gitrepo] = tuple(sorted([newest, *others], key=lambda each: -each.at)[:EACH])
        while len(self._errors) > self._most:
            self._errors.pop(next(iter(self._errors)))

    def errors(self) -> Mapping[Owner, tuple[KeptError, ...]]:
        """All of them, as a copy."""
        return dict(self._errors)


def _same(one: KeptError, other: KeptError) -> bool:
    return (one.job, one.commit, one.text) == (other.job, other.commit, other.text)
