"""What is counted for each GitRepo, within a bound, and forgotten some time after the GitRepo has gone."""

import threading
from collections.abc import Callable, Collection
from typing import NamedTuple

from cleaner.durations import Seconds
from cleaner.metrics.catalogue import Metric
from cleaner.model import Moment, Owner

MOST = 10_000
"""GitRepos that have counts of their own."""

GONE_FOR: Seconds = 3600.0
"""How long the counts of a GitRepo outlive it, so that every scrape sees its last ones."""

_LONGEST_NAME = 253


class Place(NamedTuple):
    """The values of `gitrepo_namespace` and `gitrepo`: two GitRepos that follow each other under one name share one place."""

    namespace: str
    gitrepo: str


EVERYWHERE = Place("", "")
"""Where everything is counted without a breakdown, and with one what is beyond the bound: the sum over all stays exact."""


def place_of(owner: Owner) -> Place:
    """
    Tell the place of an owner.

    The name comes from an owner reference, which nobody validates: it is cut to what a name of Kubernetes may be.
    """
    return Place(label(owner.namespace), label(owner.name))


def label(text: str) -> str:
    """Make a text fit for a label's value: short, and what UTF-8 cannot say replaced, for else the whole scrape would fail."""
    short = text[:_LONGEST_NAME]
    return short if short.isascii() else short.encode("utf-8", "replace").decode()


Counts = dict[tuple[str, tuple[str, ...]], int]
"""How often, by a metric's name and the values of its labels after the GitRepo's two."""


class Ledger:
    """
    Counters by GitRepo, exact for any number of threads. A series never goes down; it begins, grows and goes.

    `now` tells the time in seconds; only differences matter. `troubles` are metrics that begin at zero even with a breakdown, for
    nobody in particular: while all is well they would have no series, and nobody could tell that from not being scraped.
    """

    def __init__(
        self, metrics: Collection[Metric], breakdown: bool, now: Callable[[], Moment], troubles: Collection[Metric] = ()
    ) -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._breakdown = breakdown
        self._now = now
        self._lock = threading.Lock()
        self._gone: dict[Place, Moment] = {}  # in the order in which they went
        begun = troubles if breakdown else metrics
        zeros = {(metric.name, values): 0 for metric in begun for values in metric.starts}
        self._counts: dict[Place, Counts] = {EVERYWHERE: zeros}

    def count(self, metric: Metric, owner: Owner, *values: str) -> None:
        """Count one more; `values` are those of the labels after the GitRepo's two."""
        place = place_of(owner) if self._breakdown else EVERYWHERE
        with self._lock:
            counts = self._row(place)
            counts[metric.name, values] = counts.get((metric.name, values), 0) + 1
            if self._gone.pop(place, None) is not None:  # it has an hour again, for else this one might never be scraped
                self._gone[place] = self._now()

    def begin(self, metric: Metric, expected: Collection[tuple[Place, tuple[str, ...]]]) -> None:
        """Begin series at zero before the first count, so that the growth by that is seen."""
        if not self._breakdown:
            return
        with self._lock:
            for place, values in expected:
                self._row(place).setdefault((metric.name, values), 0)

    def keep_only(self, living: Collection[Place]) -> None:
        """Forget the GitRepos that have been gone for long enough."""
        with self._lock:
            now = self._now()
            for place in self._counts:
                if place in living or place == EVERYWHERE:
                    self._gone.pop(place, None)
                else:
                    self._gone.setdefault(place, now)
            for place in [place for place, since in self._gone.items() if now - since >= GONE_FOR]:
                self._forget(place)

    def series(self) -> dict[str, list[tuple[tuple[str, ...], int]]]:
        """Tell all counts, by the metric's name: the values of all labels, and the count."""
        told: dict[str, list[tuple[tuple[str, ...], int]]] = {name: [] for name in self._metrics}
        with self._lock:
            for place, counts in self._counts.items():
                for (name, values), count in counts.items():
                    told[name].append(((*place, *values), count))
        return told

    def _row(self, place: Place) -> Counts:
        """Find the counts of a place, or make room for them: who went first goes first, and who lives stays."""
        if place not in self._counts and len(self._counts) > MOST:
            if not self._gone:
                return self._counts[EVERYWHERE]
            self._forget(next(iter(self._gone)))
        return self._counts.setdefault(place, {})

    def _forget(self, place: Place) -> None:
        del self._counts[place], self._gone[place]
