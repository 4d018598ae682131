"""When to come back for what could not be deleted: later each time, and for a Namespace that refuses, once for all of it."""

from collections import Counter

from cleaner.durations import Seconds
from cleaner.model import Moment, Owner

_FIRST: Seconds = 5.0
_LONGEST: Seconds = 300.0


class Retries:
    """
    Moments are wall time, as those of the agenda are. All is forgotten when everything is swept.

    `tried` holds the uids of what a dry run has tried, so that it tells each once.
    """

    def __init__(self) -> None:
        self.tried: set[str] = set()
        self._tries: Counter[Owner] = Counter()
        self._refused: dict[str, Moment] = {}

    def clear(self) -> None:
        """Begin anew."""
        self.tried.clear()
        self._tries.clear()
        self._refused.clear()

    def refuse(self, namespace: str, now: Moment) -> None:
        """Leave a Namespace alone for a while: what was refused for one of its Jobs will be for all others."""
        self._refused[namespace] = now + _LONGEST

    def refused(self, namespace: str, now: Moment) -> bool:
        """Whether a Namespace is to be left alone. A clock that was set back does not make that longer."""
        return now < self._refused.get(namespace, now) <= now + _LONGEST

    def next(self, owner: Owner, now: Moment, *, moved: bool) -> Moment:
        """When to try again, for a GitRepo of which something is left; where something went, the patience does not grow."""
        if self.refused(owner.namespace, now):
            return self._refused[owner.namespace]
        wait = min(_LONGEST, _FIRST * 2.0 ** min(self._tries[owner], 10))
        self._tries[owner] += not moved
        return now + wait

    def forget(self, owner: Owner) -> None:
        """Nothing of a GitRepo is left."""
        self._tries.pop(owner, None)
