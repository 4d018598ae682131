"""Which GitRepos are to be judged again, and when."""

import heapq
import itertools

from cleaner.durations import Seconds
from cleaner.model import Moment, Owner

GATHER: Seconds = 0.2
"""Seconds for which changes gather after the first of them, so that a burst is one pass; later ones do not move it."""


class Agenda:
    """Two reasons to judge a GitRepo: something changed, or time has come. Moments are wall time, as those of the rules are."""

    def __init__(self) -> None:
        self.changed: dict[Owner, Moment] = {}
        self._gathered_at: Seconds | None = None
        self._due: dict[Owner, Moment] = {}
        self._heap: list[tuple[Moment, int, Owner]] = []
        self._order = itertools.count()

    def change(self, owner: Owner, at: Moment, monotonic: Seconds) -> None:
        """Note that what is known of a GitRepo has changed; the first time of several stands."""
        self.changed.setdefault(owner, at)
        if self._gathered_at is None:
            self._gathered_at = monotonic + GATHER

    def schedule(self, owner: Owner, due: Moment | None) -> None:
        """Set when time alone makes a new verdict necessary; this replaces what was set before."""
        if due is None:
            self._due.pop(owner, None)
        elif self._due.get(owner) != due:
            self._due[owner] = due
            heapq.heappush(self._heap, (due, next(self._order), owner))
            self._tidy()

    def forget(self, owner: Owner) -> None:
        """Strike out a GitRepo that is not known any more."""
        self.changed.pop(owner, None)
        self._due.pop(owner, None)

    def next_due(self) -> Moment | None:
        """When the first GitRepo is due; None if none is."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def wait(self, now: Moment, monotonic: Seconds) -> Seconds | None:
        """Seconds until there is something to do; None if nothing is in sight."""
        due = self.next_due()
        waits = [] if due is None else [max(0.0, due - now)]
        if self._gathered_at is not None:
            waits.append(max(0.0, self._gathered_at - monotonic))
        return min(waits, default=None)

    def take(self, now: Moment, monotonic: Seconds) -> dict[Owner, Moment]:
        """Take out the GitRepos whose turn it is, each with the moment since which it has been."""
        ready: dict[Owner, Moment] = {}
        while (due := self.next_due()) is not None and due <= now:
            owner = heapq.heappop(self._heap)[2]
            del self._due[owner]
            ready[owner] = due
        if self._gathered_at is not None and monotonic >= self._gathered_at:
            ready.update(self.take_changed())
        return ready

    def take_changed(self) -> dict[Owner, Moment]:
        """Take out all that have changed, for a pass over everything."""
        taken, self.changed, self._gathered_at = self.changed, {}, None
        return taken

    def _tidy(self) -> None:
        """Drop what was replaced, once it is most of the heap: memory must not grow with time."""
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [(due, n, owner) for due, n, owner in self._heap if self._due.get(owner) == due]
            heapq.heapify(self._heap)
