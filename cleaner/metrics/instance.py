"""All metrics of one process: an observer of what happens, and an answer to every scrape."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector

from cleaner.happened import Happened
from cleaner.metrics import catalogue, standing
from cleaner.metrics.counting import BY_GITREPO, TROUBLES, Counted
from cleaner.metrics.exposition import Exposition, expose
from cleaner.metrics.ledger import Ledger
from cleaner.model import Moment
from cleaner.retention import Reason
from cleaner.snapshot import Snapshot, Vitals


class Metrics:
    """
    An observer that counts what happens, and a collector that reads at each scrape what is true then.

    With `per_gitrepo`, each GitRepo has series of its own; else their two labels are empty and everything is summed. `now` is any
    clock in seconds that does not stand still. Every method may be called by any number of threads.
    """

    def __init__(
        self,
        version: str,
        snapshot: Callable[[], Snapshot],
        vitals: Callable[[], Vitals],
        per_gitrepo: bool,
        now: Callable[[], Moment],
    ) -> None:
        self._version = version
        self._snapshot = snapshot
        self._vitals = vitals
        self._per_gitrepo = per_gitrepo
        self._ledger = Ledger(BY_GITREPO, per_gitrepo, now, TROUBLES)
        self._counted = Counted(self._ledger)
        # A registry of our own: the client's global one is shared by all of a process, tests among it.
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def __call__(self, happened: Happened) -> None:
        """Count what happened."""
        self._counted(happened)

    def exposition(self, accept: str, accept_encoding: str) -> Exposition:
        """Answer a scrape with these headers, in OpenMetrics or in Prometheus' text form."""
        return expose(self._registry, accept, accept_encoding)

    def collect(self) -> Iterator[Family]:
        """Tell all metrics but those of the process, to the client's library."""
        snapshot, vitals = self._snapshot(), self._vitals()
        self._follow(snapshot, vitals.dry_run)
        yield standing.version(catalogue.BUILD_INFO, self._version)
        yield from standing.of_vitals(vitals)
        yield from standing.of_snapshot(snapshot, self._per_gitrepo)
        yield from self._counted.collect()

    def _follow(self, snapshot: Snapshot, dry_run: bool) -> None:
        """Forget GitRepos that have gone, and begin the counters of deletions that are to be expected at zero."""
        if not self._per_gitrepo:
            return
        self._ledger.keep_only(standing.living(snapshot))
        metric = catalogue.JOBS_WOULD_BE_DELETED if dry_run else catalogue.JOBS_DELETED
        expected = [(place, (outcome.value, Reason.SUPERSEDED.value)) for place, outcome in standing.finished(snapshot)]
        self._ledger.begin(metric, expected)
