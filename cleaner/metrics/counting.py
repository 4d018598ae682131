"""What has happened, as counters and histograms."""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.metrics_core import Metric as Family

from cleaner.cluster import UNDONE, Fate
from cleaner.happened import (
    AnnouncementsDropped,
    Attempted,
    Braked,
    CanaryTripped,
    ErrorKept,
    Finished,
    Happened,
    Late,
    Led,
    OfPods,
    Requested,
    Spared,
    Swept,
    WatchEnded,
)
from cleaner.metrics import catalogue
from cleaner.metrics.catalogue import Metric
from cleaner.metrics.ledger import Ledger, label
from cleaner.metrics.standing import outcome_label

BY_GITREPO = (
    catalogue.JOBS_DELETED,
    catalogue.JOBS_WOULD_BE_DELETED,
    catalogue.JOB_ERRORS,
    catalogue.PODS_DELETED,
    catalogue.POD_ERRORS,
    catalogue.FLEET_JOBS_FINISHED,
)

TROUBLES = (catalogue.JOB_ERRORS, catalogue.POD_ERRORS)

_DELETIONS = {Fate.DELETED: catalogue.JOBS_DELETED, Fate.WOULD_DELETE: catalogue.JOBS_WOULD_BE_DELETED}


class Counted:
    """An observer that counts; any number of threads may tell it at once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._instruments: list[Counter | Histogram] = []
        self._deletions = self._counter(catalogue.JOB_DELETIONS)
        self._spared = self._counter(catalogue.SPARED)
        self._brakes = self._counter(catalogue.BRAKES_PULLED)
        self._tripped = self._counter(catalogue.CANARY_TRIPPED)
        self._errors_kept = self._counter(catalogue.ERRORS_KEPT)
        self._sweeps = self._counter(catalogue.SWEEPS)
        self._sweep_durations = self._histogram(catalogue.SWEEP_DURATION)
        self._lateness = self._histogram(catalogue.LATENESS)
        self._job_durations = self._histogram(catalogue.FLEET_JOB_DURATION)
        self._requests = self._counter(catalogue.API_REQUESTS)
        self._request_durations = self._histogram(catalogue.API_REQUEST_DURATION)
        self._restarts = self._counter(catalogue.WATCH_RESTARTS)
        self._leader_changes = self._counter(catalogue.LEADER_CHANGES)
        self._dropped = self._counter(catalogue.ANNOUNCEMENTS_DROPPED)
        self._by_type: dict[type, Callable[[Any], None]] = {
            Attempted: self._attempted,
            OfPods: self._of_pods,
            Spared: lambda _: self._spared.inc(),
            Braked: lambda braked: self._brakes.labels(braked.refusal.brake).inc(),
            CanaryTripped: lambda _: self._tripped.inc(),
            ErrorKept: lambda kept: self._errors_kept.inc(0 if kept.problem else 1),
            Swept: self._swept,
            Late: lambda late: self._lateness.observe(late.seconds),
            Finished: self._finished,
            Requested: self._requested,
            WatchEnded: lambda ended: self._restarts.labels(ended.kind, ended.reason).inc(),
            Led: lambda _: self._leader_changes.inc(),
            AnnouncementsDropped: lambda dropped: self._dropped.inc(dropped.count),
        }

    def __call__(self, happened: Happened) -> None:
        """Count what happened."""
        count = self._by_type.get(type(happened))
        if count is not None:
            count(happened)

    def collect(self) -> Iterator[Family]:
        """
        Tell all counts.

        The client's `_created` samples are left out here: they are a series more for each series, for a feature that is off in
        most installations, and the client itself can only be told so for the whole process.
        """
        yield from self._by_gitrepo()
        for instrument in self._instruments:
            for family in instrument.collect():
                family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
                yield family

    def _by_gitrepo(self) -> Iterator[Family]:
        told = self._ledger.series()
        for metric in BY_GITREPO:
            family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            for values, count in told[metric.name]:
                family.add_metric(values, count)
            yield family

    def _attempted(self, attempted: Attempted) -> None:
        verdict, fate = attempted.verdict, attempted.deletion.fate
        self._deletions.labels(fate.value).inc()
        outcome = outcome_label(verdict.job.outcome)
        if fate in _DELETIONS:
            self._ledger.count(_DELETIONS[fate], verdict.job.owner, outcome, verdict.reason.value)
        elif fate in UNDONE:
            self._ledger.count(catalogue.JOB_ERRORS, verdict.job.owner, outcome, fate.value)

    def _of_pods(self, of_pods: OfPods) -> None:
        if not isinstance(of_pods.happened, Attempted):
            return
        pod, fate = of_pods.happened.verdict.job, of_pods.happened.deletion.fate
        if fate is Fate.DELETED:
            self._ledger.count(catalogue.PODS_DELETED, pod.owner, outcome_label(pod.outcome))
        elif fate in UNDONE:
            self._ledger.count(catalogue.POD_ERRORS, pod.owner, outcome_label(pod.outcome), fate.value)

    def _finished(self, finished: Finished) -> None:
        job, outcome = finished.job, outcome_label(finished.job.outcome)
        self._ledger.count(catalogue.FLEET_JOBS_FINISHED, job.owner, outcome)
        if job.finished is not None:
            self._job_durations.labels(outcome).observe(max(0.0, job.finished - job.created))

    def _swept(self, swept: Swept) -> None:
        self._sweeps.labels(swept.trigger, swept.outcome).inc()
        self._sweep_durations.labels(swept.trigger).observe(swept.seconds)

    def _requested(self, requested: Requested) -> None:
        verb, resource = label(requested.verb), label(requested.resource)
        self._requests.labels(verb, resource, requested.code).inc()
        if verb != "watch":  # how long one lasts tells how often the API ends it, not how quick the API is
            self._request_durations.labels(verb, resource).observe(requested.seconds)

    def _counter(self, metric: Metric) -> Counter:
        counter = Counter(metric.name, metric.help, metric.labels, registry=None)
        for values in metric.starts:
            counter.labels(*values)
        self._instruments.append(counter)
        return counter

    def _histogram(self, metric: Metric) -> Histogram:
        histogram = Histogram(metric.name, metric.help, metric.labels, registry=None, buckets=metric.buckets)
        for values in metric.starts:
            histogram.labels(*values)
        self._instruments.append(histogram)
        return histogram
