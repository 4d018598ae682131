"""What is true now, as gauges: read from the snapshot and the vitals at every scrape, from tallies and never from verdicts."""

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family

from cleaner.metrics import catalogue
from cleaner.metrics.catalogue import UNFINISHED, Metric
from cleaner.metrics.ledger import EVERYWHERE, Place, label, place_of
from cleaner.model import Moment, Outcome
from cleaner.snapshot import Snapshot, View, Vitals


def outcome_label(outcome: Outcome | None) -> str:
    """Name the outcome of a Job, finished or not."""
    return UNFINISHED if outcome is None else outcome.value


def living(snapshot: Snapshot) -> set[Place]:
    """Tell the places of the GitRepos that live."""
    return {place_of(view.owner) for view in snapshot.views.values() if view.gitrepo is not None}


def finished(snapshot: Snapshot) -> set[tuple[Place, Outcome]]:
    """Tell which living GitRepos have finished Jobs, of which outcomes."""
    views = [view for view in snapshot.views.values() if view.gitrepo is not None]
    return {(place_of(view.owner), outcome) for view in views for outcome, _ in view.tally if outcome is not None}


def of_snapshot(snapshot: Snapshot, breakdown: bool) -> Iterator[Family]:
    """Tell what was known after the last pass."""
    yield gauge(catalogue.JOBS_RETAINED, _retained(snapshot, breakdown))
    yield gauge(catalogue.PODS_RETAINED, _pods_retained(snapshot, breakdown))
    yield gauge(catalogue.BACKLOG, _backlog(snapshot, breakdown))
    yield gauge(catalogue.FLEET_LAST_SUCCESS, _last_success(snapshot, breakdown))
    yield gauge(catalogue.STUCK, _stuck(snapshot))
    yield _number(catalogue.GITREPOS, sum(view.gitrepo is not None for view in snapshot.views.values()))
    yield _number(catalogue.NAMESPACES_REFUSED, len(snapshot.refused))
    yield _number(catalogue.UNREADABLE, len(snapshot.unreadable))
    yield _number(catalogue.FOREIGN, snapshot.foreign)
    yield _number(catalogue.OLDEST_DUE, snapshot.oldest_due)
    yield _number(catalogue.NEXT_DUE, snapshot.next_due)
    yield _number(catalogue.LAST_SWEEP, snapshot.swept)
    yield _number(catalogue.LAST_SUCCESS, snapshot.succeeded)
    yield version(catalogue.FLEET_INFO, snapshot.fleet.version)


def of_vitals(vitals: Vitals) -> Iterator[Family]:
    """Tell how the process is. Without an election it may delete like a leader."""
    yield _number(catalogue.LEADER, vitals.leading is not False)
    yield _number(catalogue.READY, vitals.ready)
    yield _number(catalogue.PAUSED, vitals.paused)
    yield _number(catalogue.THROTTLED, vitals.throttled)
    yield _number(catalogue.DRY_RUN, vitals.dry_run)
    signs: dict[tuple[str, ...], Moment] = {(kind, label(namespace)): at for (kind, namespace), at in vitals.signs.items()}
    yield gauge(catalogue.WATCH_LAST_SIGN, signs)


def version(metric: Metric, text: str) -> Family:
    """Tell a version, as a metric that is always 1."""
    return InfoMetricFamily(metric.name.removesuffix("_info"), metric.help, {"version": label(text)})


def _retained(snapshot: Snapshot, breakdown: bool) -> Mapping[tuple[str, ...], int]:
    retained: Counter[tuple[str, ...]] = Counter()
    views = snapshot.views.values()
    for place, tally in [(_place(view), view.tally) for view in views] if breakdown else [(EVERYWHERE, snapshot.tally)]:
        for (outcome, reason), count in tally.items():
            if not reason.deletes:
                retained[(*place, outcome_label(outcome), reason.value)] += count
    return retained


def _pods_retained(snapshot: Snapshot, breakdown: bool) -> Mapping[tuple[str, ...], int]:
    """Tell the Pods that stay; as for Jobs, those that name no GitRepo that lives share one place for each Namespace."""
    known, retained = living(snapshot), Counter[tuple[str, ...]]()
    for (owner, outcome, reason), count in snapshot.pods.items():
        place = place_of(owner) if breakdown else EVERYWHERE
        shown = place if place in known or not breakdown else Place(place.namespace, "")
        retained[(*shown, outcome_label(outcome), reason.value)] += count
    return retained


def _backlog(snapshot: Snapshot, breakdown: bool) -> Mapping[tuple[str, ...], int]:
    backlog: Counter[tuple[str, ...]] = Counter()
    if not breakdown:
        return {EVERYWHERE: snapshot.backlog}
    for view in snapshot.views.values():
        if view.gitrepo is not None:
            backlog[place_of(view.owner)] += view.backlog
    return backlog


def _last_success(snapshot: Snapshot, breakdown: bool) -> Mapping[tuple[str, ...], Moment]:
    newest: dict[tuple[str, ...], Moment] = {}
    for view in snapshot.views.values():
        if view.gitrepo is not None and view.last_success is not None:
            place = place_of(view.owner) if breakdown else EVERYWHERE
            newest[place] = max(view.last_success, newest.get(place, view.last_success))
    return newest


def _stuck(snapshot: Snapshot) -> Mapping[tuple[str, ...], int]:
    found = Counter(stuck.kind.value for view in snapshot.views.values() for stuck in view.stuck)
    return {(kind,): found[kind] for (kind,) in catalogue.STUCK.starts}


def _place(view: View) -> Place:
    """
    Tell the place of a view; owners that do not live share one for each Namespace.

    Whoever may make Jobs can name any number of them, and a GitRepo that has gone is to go from the metrics too.
    """
    return place_of(view.owner) if view.gitrepo is not None else Place(label(view.owner.namespace), "")


def gauge(metric: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    """Tell a gauge, by the values of its labels in their order."""
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _number(metric: Metric, value: float | None) -> Family:
    """Tell one number; no series where there is none to tell."""
    return gauge(metric, {} if value is None else {(): value})
