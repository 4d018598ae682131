"""The totals of one run that ends by itself, as gauges for a Pushgateway: nobody could scrape it in time."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

import msgspec
from prometheus_client.metrics_core import Metric as Family

from cleaner.cluster import UNDONE, Fate, Kind
from cleaner.durations import Seconds
from cleaner.happened import Adopted, Attempted, CanaryTripped, ErrorKept, Happened, OfPods, Requested, Spared
from cleaner.metrics import catalogue
from cleaner.metrics.catalogue import GITREPO, PREFIX, Metric
from cleaner.metrics.ledger import EVERYWHERE, Place, label, place_of
from cleaner.metrics.standing import gauge, outcome_label
from cleaner.model import Moment, Outcome, Owner
from cleaner.result import Migrated, Result
from cleaner.retention import Reason, Verdict

_RUN = PREFIX + "run_"
_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_DELETING = (Reason.SUPERSEDED.value, Reason.EXPIRED.value, Reason.LEGACY.value)
# They begin at zero, for what has no series is not pushed, and after a failure would not take the place of what was there.
_KEEPING = tuple(reason.value for reason in Reason if not reason.deletes)
_FATES = tuple(fate.value for fate in UNDONE)
_NO_BACKLOG = frozenset({Fate.DELETED, Fate.GONE, Fate.CHANGED, Fate.TERMINATING})
"""Fates after which a Job is not due any more: it is gone, going, or another one than was judged."""

BRAKES = (*catalogue.BRAKES, "fleet")
"""A migration also stops where Fleet has been rolled back."""


def _of_run(metric: Metric, text: str, *known: tuple[str, ...]) -> Metric:
    """Make the gauge of one run from the metric of a service that it is the namesake of."""
    name = _RUN + metric.name.removeprefix(PREFIX).removesuffix("_total")
    return Metric(name, "gauge", text, metric.labels, tuple(product(*known)) if known else ())


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(_RUN + name, "gauge", text, labels)


JOBS_DELETED = _of_run(catalogue.JOBS_DELETED, "Jobs that the run deleted, each confirmed by the API.", _OUTCOMES, _DELETING)
JOBS_WOULD_BE_DELETED = _of_run(
    catalogue.JOBS_WOULD_BE_DELETED, "Deletions that the run, a dry one, has only tried.", _OUTCOMES, _DELETING
)
JOB_ERRORS = _of_run(
    catalogue.JOB_ERRORS,
    "Deletions of the run that did not work, or of which nobody knows; the reason is their fate.",
    _OUTCOMES,
    _FATES,
)
PODS_DELETED = _of_run(catalogue.PODS_DELETED, "Pods that the run deleted, which their Jobs had left behind.", _OUTCOMES)
POD_ERRORS = _of_run(catalogue.POD_ERRORS, "Deletions of such Pods that did not work.", _OUTCOMES, _FATES)
SPARED = _of_run(catalogue.SPARED, "Jobs that were needed after all when the run looked again just before their deletion.")
BRAKED = _gauge("braked", "1 for the brake that stopped the deletions of the run.", "brake")
CANARY_TRIPPED = _of_run(catalogue.CANARY_TRIPPED, "Current Jobs that came back after the run had deleted them.")
ERRORS_KEPT = _of_run(catalogue.ERRORS_KEPT, "Errors of failed Jobs that the run kept in an Event on their GitRepo.")
ADOPTED = _gauge("gitrepos_adopted", "GitRepos that a migration unblocked.")
FORCED = _gauge("gitrepos_forced", "GitRepos among them for which Fleet then ran a Force Update that had been pending.")
PROBLEMS = _gauge("problems", "What a migration told as a problem, or left running or waiting.")

JOBS_RETAINED = _of_run(catalogue.JOBS_RETAINED, "Jobs that the run kept, and why.", _OUTCOMES, _KEEPING)
PODS_RETAINED = _of_run(
    catalogue.PODS_RETAINED, "Pods that Jobs left behind and that the run kept, and why.", _OUTCOMES, (Reason.YOUNG.value,)
)
BACKLOG = _of_run(catalogue.BACKLOG, "Jobs that were due and were still there after the run.")
GITREPOS = _of_run(catalogue.GITREPOS, "GitRepos that the run looked after.")
STUCK = _of_run(catalogue.STUCK, "What did not move and was not the cleaner's to delete.")
NAMESPACES_REFUSED = _of_run(catalogue.NAMESPACES_REFUSED, "Namespaces in which the run could not read or delete.")
UNREADABLE = _of_run(catalogue.UNREADABLE, "Objects that could not even be named.")
FOREIGN = _of_run(catalogue.FOREIGN, "Jobs that no GitRepo controls.")
FLEET_LAST_SUCCESS = _of_run(catalogue.FLEET_LAST_SUCCESS, "When the newest succeeded Job that the run saw had finished.")

API_REQUESTS = _of_run(
    catalogue.API_REQUESTS, "Requests of the run to the Kubernetes API.", ("list",), (Kind.JOBS.value,), ("200",)
)
DURATION = _gauge("duration_seconds", "How long the run took.")
EXIT_CODE = _gauge("exit_code", "What the run came to: 0 done, 1 partly, 2 settings, 3 refused, 4 out of reach, 5 a brake.")
LAST_COMPLETION = _gauge("last_completion_timestamp_seconds", "When the run ended, well or not.")
LAST_SUCCESS = _gauge(
    "last_success_timestamp_seconds", "When a run last did all of its work; a later failure leaves it as it is."
)
INFO = _gauge("info", "Always 1; the version of the cleaner, and Fleet's as far as it could be seen.", "version", "fleet")

RUNS = (
    JOBS_DELETED,
    JOBS_WOULD_BE_DELETED,
    JOB_ERRORS,
    PODS_DELETED,
    POD_ERRORS,
    SPARED,
    BRAKED,
    CANARY_TRIPPED,
    ERRORS_KEPT,
    ADOPTED,
    FORCED,
    PROBLEMS,
    JOBS_RETAINED,
    PODS_RETAINED,
    BACKLOG,
    GITREPOS,
    STUCK,
    NAMESPACES_REFUSED,
    UNREADABLE,
    FOREIGN,
    FLEET_LAST_SUCCESS,
    API_REQUESTS,
    DURATION,
    EXIT_CODE,
    LAST_COMPLETION,
    LAST_SUCCESS,
    INFO,
)
"""All that is pushed, each a gauge."""

Values = Mapping[tuple[str, ...], float]
Key = tuple[Fate, Place, str, str]
"""What became of deletions, of which GitRepo, outcome and reason."""


class Ended(msgspec.Struct, frozen=True):
    """How a run ended: what it came to (None: an error ended it), its exit code, when, and how long it took."""

    result: Result | None
    code: int
    at: Moment
    seconds: Seconds

    @property
    def success(self) -> bool:
        """Whether it did all of its work; one that a signal stopped did not, though its exit code may be 0."""
        return self.code == 0 and self.result is not None and self.result.brake is None


class RunTotals:
    """
    An observer of one run, by any number of threads; at its end, its totals.

    With `per_gitrepo` each GitRepo has its own; `migrates` tells of a migration what it alone does.
    """

    def __init__(self, version: str, per_gitrepo: bool, *, migrates: bool = False) -> None:
        self._version = version
        self._migrates = migrates
        self._adopted: set[Owner] = set()
        self._per_gitrepo = per_gitrepo
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._spared = 0
        self._errors_kept = 0
        self._tripped = 0
        # By uid: what became of an attempt may be known better later, and the last word counts.
        self._of_jobs: dict[str, Attempted] = {}
        self._of_pods: dict[str, Attempted] = {}

    def __call__(self, happened: Happened) -> None:
        """Remember what is counted at the end."""
        with self._lock:
            match happened:
                case Requested():
                    self._requests[label(happened.verb), label(happened.resource), happened.code] += 1
                case Attempted():
                    self._of_jobs[happened.verdict.job.uid] = happened
                case OfPods(Attempted() as attempted):
                    self._of_pods[attempted.verdict.job.uid] = attempted
                case Adopted(job=job):
                    self._adopted.add(job.owner)
                case Spared():
                    self._spared += 1
                case ErrorKept(problem=""):
                    self._errors_kept += 1
                case CanaryTripped():
                    self._tripped += 1

    def families(self, ended: Ended) -> Iterator[Family]:
        """Tell all of it; nothing of a success after a failure, and nothing of what is there if nothing could be read."""
        yield from self._acted()
        yield from self._ended(ended)
        if self._migrates:
            yield from self._migrated(ended)
        if ended.result is not None and ended.result.parts:
            yield from self._seen(ended.result)

    def _acted(self) -> Iterator[Family]:
        """Tell what was deleted and what was not, even if an error has ended the run and there is no result."""
        jobs, pods = self._by_fate(self._of_jobs.values()), self._by_fate(self._of_pods.values())
        yield _family(JOBS_DELETED, _of_fate(jobs, Fate.DELETED))
        yield _family(JOBS_WOULD_BE_DELETED, _of_fate(jobs, Fate.WOULD_DELETE))
        yield _family(JOB_ERRORS, _undone(jobs))
        yield _family(PODS_DELETED, {labels[:-1]: count for labels, count in _of_fate(pods, Fate.DELETED).items()})
        yield _family(POD_ERRORS, _undone(pods))
        yield _family(API_REQUESTS, self._requests)
        yield _number(SPARED, self._spared)
        yield _number(ERRORS_KEPT, self._errors_kept)
        yield _number(CANARY_TRIPPED, self._tripped)

    def _ended(self, ended: Ended) -> Iterator[Family]:
        result = ended.result
        fleet = "" if result is None else label(result.fleet.version)
        brake = "" if result is None or result.brake is None else result.brake.brake
        yield _family(BRAKED, {(name,): name == brake for name in BRAKES})
        yield _family(INFO, {(self._version, fleet): 1})
        yield _number(DURATION, ended.seconds)
        yield _number(EXIT_CODE, ended.code)
        yield _number(LAST_COMPLETION, ended.at)
        if ended.success:
            yield _number(LAST_SUCCESS, ended.at)

    def _migrated(self, ended: Ended) -> Iterator[Family]:
        """Tell what a migration did; where an error has ended it, that is a problem, and what was adopted before counts."""
        migrated = None if ended.result is None else ended.result.migrated
        if migrated is None:
            migrated = Migrated(adopted=[owner.name for owner in self._adopted], problems=[""])
        yield _number(ADOPTED, len(migrated.adopted))
        yield _number(FORCED, len(migrated.forced))
        yield _number(PROBLEMS, len(migrated.problems) + len(migrated.running) + len(migrated.waiting))

    def _seen(self, result: Result) -> Iterator[Family]:
        """Tell what the run left as it was, and why."""
        stuck = Counter(found.kind.value for found in result.stuck)
        yield _family(JOBS_RETAINED, self._retained(result, result.verdicts()))
        yield _family(PODS_RETAINED, self._retained(result, result.pods.verdicts()))
        yield _family(BACKLOG, self._backlog(result))
        yield _family(FLEET_LAST_SUCCESS, self._last_success(result))
        yield _family(STUCK, {(kind,): stuck[kind] for (kind,) in catalogue.STUCK.starts})
        yield _number(GITREPOS, sum(gitrepo is not None for gitrepo in result.gitrepos.values()))
        yield _number(NAMESPACES_REFUSED, len(result.refused))
        yield _number(UNREADABLE, len(result.unreadable))
        yield _number(FOREIGN, result.foreign)

    def _by_fate(self, attempts: Iterable[Attempted]) -> Counter[Key]:
        counts: Counter[Key] = Counter()
        for attempt in attempts:
            job = attempt.verdict.job
            counts[attempt.deletion.fate, self._place(job.owner), outcome_label(job.outcome), attempt.verdict.reason.value] += 1
        return counts

    def _retained(self, result: Result, verdicts: Iterable[Verdict]) -> Values:
        """Count what is kept; what no living GitRepo owns has one place for each Namespace."""
        living = {place_of(owner) for owner, gitrepo in result.gitrepos.items() if gitrepo is not None}
        retained: Counter[tuple[str, ...]] = Counter()
        for verdict in verdicts:
            if not verdict.deletes:
                place = self._place(verdict.job.owner)
                shown = place if place in living or not self._per_gitrepo else Place(place.namespace, "")
                retained[(*shown, outcome_label(verdict.job.outcome), verdict.reason.value)] += 1
        return retained

    def _backlog(self, result: Result) -> Values:
        """Count what is due and still there; a GitRepo that has nothing due has none, and says so."""
        backlog: Counter[tuple[str, ...]] = Counter()
        for owner, plan in result.plans.items():
            if result.gitrepos.get(owner) is not None:
                fates = (result.deletions[v.job.uid].fate if v.job.uid in result.deletions else None for v in plan.doomed)
                backlog[self._place(owner)] += sum(fate not in _NO_BACKLOG for fate in fates)
        return backlog or {EVERYWHERE: 0}

    def _last_success(self, result: Result) -> Values:
        newest: dict[tuple[str, ...], Moment] = {}
        for verdict in result.verdicts():
            job, place = verdict.job, self._place(verdict.job.owner)
            if job.outcome is Outcome.SUCCEEDED and job.finished is not None and result.gitrepos.get(job.owner) is not None:
                newest[place] = max(job.finished, newest.get(place, job.finished))
        return newest

    def _place(self, owner: Owner) -> Place:
        return place_of(owner) if self._per_gitrepo else EVERYWHERE


def _of_fate(counts: Mapping[Key, int], wanted: Fate) -> Values:
    return {(*place, outcome, reason): count for (fate, place, outcome, reason), count in counts.items() if fate is wanted}


def _undone(counts: Mapping[Key, int]) -> Values:
    """Count what did not work, by how: there the fate is the reason."""
    undone: Counter[tuple[str, ...]] = Counter()
    for (fate, place, outcome, _), count in counts.items():
        if fate in UNDONE:
            undone[(*place, outcome, fate.value)] += count
    return undone


def _family(metric: Metric, values: Values) -> Family:
    """Tell a gauge; the label values that are known begin at zero, for nobody in particular."""
    zeros = {(*EVERYWHERE, *known) if GITREPO[0] in metric.labels else known: 0 for known in metric.starts}
    return gauge(metric, {**zeros, **values})


def _number(metric: Metric, value: float) -> Family:
    return _family(metric, {(): value})
