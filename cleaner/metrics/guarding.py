"""The metrics of the guard, which is a process of its own: few, and none of what only a sweep could tell."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector

from cleaner.cluster import Fate
from cleaner.happened import Attempted, Guarded, GuardTrouble, Happened, OfPods, Parted, Requested
from cleaner.metrics import catalogue, standing
from cleaner.metrics.catalogue import PREFIX, Metric
from cleaner.metrics.exposition import Exposition, expose
from cleaner.metrics.ledger import label

STATES = ("held", "due", "leaving")

HELD = Metric(PREFIX + "guard_gitrepos", "gauge", "GitRepos that are held, are still to be held or let go, or leave.", ("state",))
RELEASES = Metric(PREFIX + "guard_releases_total", "counter", "Times that the finalizer was taken off a GitRepo.")
LAST_ERRORS = Metric(PREFIX + "guard_last_errors_total", "counter", "GitRepos that left with a last error, which was told.")
PODS_CLEARED = Metric(PREFIX + "guard_pods_deleted_total", "counter", "Orphaned Pods deleted, each confirmed by the API.")
TROUBLES = Metric(
    PREFIX + "guard_troubles_total",
    "counter",
    "Steps that did not work, or only in part.",
    ("step",),
    (("hold",), ("tell",), ("clear",), ("release",)),
)
GUARDS = (HELD, RELEASES, LAST_ERRORS, PODS_CLEARED, TROUBLES, catalogue.API_REQUESTS, catalogue.READY, catalogue.BUILD_INFO)
"""All that the guard exports, beside what there is of every process."""


class GuardMetrics:
    """An observer and a collector, as `Metrics` is. `counts` tells the number of GitRepos in each of the `STATES`."""

    def __init__(self, version: str, counts: Callable[[], tuple[int, int, int]], ready: Callable[[], bool]) -> None:
        self._version, self._counts, self._ready = version, counts, ready
        self._counters = {each: _counter(each) for each in GUARDS if each.kind == "counter"}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def __call__(self, happened: Happened) -> None:
        """Count what happened."""
        if isinstance(happened, Guarded) and not happened.held:
            self._counters[RELEASES].inc()
        elif isinstance(happened, Parted) and happened.error:
            self._counters[LAST_ERRORS].inc()
        elif isinstance(happened, GuardTrouble):
            self._counters[TROUBLES].labels(happened.step).inc()
        elif isinstance(happened, Requested):
            self._counters[catalogue.API_REQUESTS].labels(label(happened.verb), label(happened.resource), happened.code).inc()
        elif isinstance(happened, OfPods) and isinstance(happened.happened, Attempted):
            self._counters[PODS_CLEARED].inc(happened.happened.deletion.fate is Fate.DELETED)

    def exposition(self, accept: str, accept_encoding: str) -> Exposition:
        """Answer a scrape with these headers."""
        return expose(self._registry, accept, accept_encoding)

    def collect(self) -> Iterator[Family]:
        """Tell all metrics but those of the process."""
        yield standing.version(catalogue.BUILD_INFO, self._version)
        yield standing.gauge(catalogue.READY, {(): float(self._ready())})
        yield standing.gauge(HELD, {(state,): count for state, count in zip(STATES, self._counts(), strict=True)})
        for counter in self._counters.values():
            for family in counter.collect():
                family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
                yield family


def _counter(metric: Metric) -> Counter:
    counter = Counter(metric.name, metric.help, metric.labels, registry=None)
    for values in metric.starts:
        counter.labels(*values)
    return counter
