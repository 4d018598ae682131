"""The one table of all metrics: their names are an API. Exporting, the docs and the tests read it."""

from itertools import product

import msgspec

from cleaner.cluster import UNDONE, Fate, Kind
from cleaner.model import Outcome
from cleaner.retention import Reason
from cleaner.retention.stuck import StuckKind

PREFIX = "gitjob_cleaner_"

GITREPO = ("gitrepo_namespace", "gitrepo")
TRIGGERS = ("start", "interval", "leader", "watch")
SWEEP_OUTCOMES = ("done", "partial", "braked", "refused", "unreachable", "stopped")
BRAKES = ("stop", "pause", "clock", "canary", "leader")
WATCH_REASONS = ("closed", "expired", "silent", "broken", "denied", "failed")
UNFINISHED = "running"
"""The label `outcome` of a Job that has not finished."""

_OUTCOMES = tuple(outcome.value for outcome in Outcome)
# A service never migrates, and Pods are counted apart.
_DELETING = tuple(reason.value for reason in Reason if reason.deletes and reason not in (Reason.LEGACY, Reason.ORPHANED))


class Metric(msgspec.Struct, frozen=True):
    """
    One metric: its whole name, its type, what it tells, its labels.

    `starts` are the sets of label values that are known beforehand and begin at zero; those of a GitRepo's metrics leave the two
    labels of `GITREPO` out. `buckets` are a histogram's upper bounds, in seconds.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    starts: tuple[tuple[str, ...], ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, text: str, labels: tuple[str, ...] = (), *known: tuple[str, ...]) -> Metric:
    return Metric(PREFIX + name, "counter", text, labels, tuple(product(*known)) if known else ())


def _gauge(name: str, text: str, labels: tuple[str, ...] = (), *known: tuple[str, ...]) -> Metric:
    return Metric(PREFIX + name, "gauge", text, labels, tuple(product(*known)) if known else ())


def _histogram(name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = (), *known: tuple[str, ...]) -> Metric:
    return Metric(PREFIX + name, "histogram", text, labels, tuple(product(*known)) if known else (), buckets)


JOBS_DELETED = _counter(
    "jobs_deleted_total", "Jobs deleted, each confirmed by the API.", (*GITREPO, "outcome", "reason"), _OUTCOMES, _DELETING
)
JOBS_WOULD_BE_DELETED = _counter(
    "jobs_would_be_deleted_total",
    "Deletions that a dry run has only tried; a Job is counted again in every sweep of everything.",
    (*GITREPO, "outcome", "reason"),
    _OUTCOMES,
    _DELETING,
)
JOB_ERRORS = _counter(
    "job_errors_total",
    "Deletions that did not work, or of which nobody knows; the reason is the fate of the deletion.",
    (*GITREPO, "outcome", "reason"),
    _OUTCOMES,
    tuple(fate.value for fate in UNDONE),
)
JOB_DELETIONS = _counter(
    "job_deletions_total",
    "What attempts to delete came to; one that was terminating or unconfirmed may count once more, when the Job is seen gone.",
    ("fate",),
    tuple(fate.value for fate in Fate if fate is not Fate.AGAIN),
)
PODS_DELETED = _counter(
    "pods_deleted_total",
    "Pods deleted that their Jobs had left behind, each confirmed by the API.",
    (*GITREPO, "outcome"),
    _OUTCOMES,
)
POD_ERRORS = _counter(
    "pod_errors_total",
    "Deletions of such Pods that did not work, or of which nobody knows; the reason is the fate of the deletion.",
    (*GITREPO, "outcome", "reason"),
    _OUTCOMES,
    tuple(fate.value for fate in UNDONE),
)
SPARED = _counter("spared_total", "Jobs that were needed after all when they were looked at again just before their deletion.")
BRAKES_PULLED = _counter("brakes_total", "Times that a brake has stopped the deletions.", ("brake",), BRAKES)
CANARY_TRIPPED = _counter("canary_tripped_total", "Current Jobs that came back after they had been deleted.")
ERRORS_KEPT = _counter("errors_kept_total", "Errors of failed Jobs that are kept in an Event on their GitRepo.")

JOBS_RETAINED = _gauge("jobs_retained", "Jobs that are kept now, and why.", (*GITREPO, "outcome", "reason"))
PODS_RETAINED = _gauge(
    "pods_retained",
    "Finished Pods that their Jobs left behind and that are still there, and why; told where `orphaned_pods` is set.",
    (*GITREPO, "outcome", "reason"),
)
BACKLOG = _gauge("backlog_jobs", "Jobs that are due and still there.", GITREPO)
OLDEST_DUE = _gauge(
    "oldest_due_timestamp_seconds", "Since when the Job that has waited longest has been due; absent while none is due."
)
NEXT_DUE = _gauge(
    "next_due_timestamp_seconds", "When the next Job comes due if nothing but time changes; absent where none will by time alone."
)
GITREPOS = _gauge("gitrepos", "GitRepos that are looked after.")
STUCK = _gauge(
    "stuck",
    "What does not move and is not the cleaner's to delete; `gitjob-cleaner explain` tells more.",
    ("kind",),
    tuple(kind.value for kind in StuckKind),
)
NAMESPACES_REFUSED = _gauge("namespaces_refused", "Namespaces in which nothing is judged or deleted, for they cannot be read.")
UNREADABLE = _gauge("unreadable_objects", "Objects that could not even be named.")
FOREIGN = _gauge("foreign_jobs", "Jobs that no GitRepo controls; nothing is done with them.")

SWEEPS = _counter("sweeps_total", "Passes that have ended.", ("trigger", "outcome"), TRIGGERS, SWEEP_OUTCOMES)
SWEEP_DURATION = _histogram(
    "sweep_duration_seconds",
    "How long passes took.",
    (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
    ("trigger",),
    TRIGGERS,
)
LATENESS = _histogram(
    "lateness_seconds",
    "How long after its last reason to stay had ended a Job was gone.",
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)
LAST_SWEEP = _gauge("last_sweep_timestamp_seconds", "When everything was last read and judged; absent before the first time.")
LAST_SUCCESS = _gauge("last_success_timestamp_seconds", "When that last went well; absent before the first time.")

FLEET_JOBS_FINISHED = _counter(
    "fleet_jobs_finished_total", "Jobs of Fleet that finished while they were watched.", (*GITREPO, "outcome"), _OUTCOMES
)
FLEET_JOB_DURATION = _histogram(
    "fleet_job_duration_seconds",
    "How long Jobs of Fleet took, from their creation to their end.",
    (1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600),
    ("outcome",),
    _OUTCOMES,
)
FLEET_LAST_SUCCESS = _gauge(
    "fleet_last_success_timestamp_seconds",
    "When the newest succeeded Job that is still known finished; without a breakdown, the newest of all.",
    GITREPO,
)
FLEET_INFO = Metric(PREFIX + "fleet_info", "info", "The lowest version of Fleet that may be running.", ("version",))

API_REQUESTS = _counter("api_requests_total", "Requests to the Kubernetes API.", ("verb", "resource", "code"))
API_REQUEST_DURATION = _histogram(
    "api_request_duration_seconds",
    "How long requests to the Kubernetes API took, watches aside.",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    ("verb", "resource"),
)
THROTTLED = _gauge("throttled", "1 while the Kubernetes API makes the cleaner go slower.")
WATCH_LAST_SIGN = _gauge(
    "watch_last_sign_timestamp_seconds",
    "When a watch last gave a sign of life; the Namespace is empty for a watch of the whole cluster.",
    ("resource", "gitrepo_namespace"),
)
WATCH_RESTARTS = _counter(
    "watch_restarts_total",
    "Watches that ended and were begun again.",
    ("resource", "reason"),
    tuple(kind.value for kind in Kind),
    WATCH_REASONS,
)

LEADER = _gauge("leader", "1 while this process may delete: it leads, or there is no election.")
LEADER_CHANGES = _counter("leader_changes_total", "Times that this process began or ceased to lead.")
READY = _gauge("ready", "1 once everything has been read.")
PAUSED = _gauge("paused", "1 while an annotation pauses all deletions.")
DRY_RUN = _gauge("dry_run", "1 where deletions are only tried.")
ANNOUNCEMENTS_DROPPED = _counter("announcements_dropped_total", "Kubernetes Events that were not written.")
BUILD_INFO = Metric(PREFIX + "build_info", "info", "The version of the cleaner.", ("version",))

_PROCESS = (
    Metric("process_cpu_seconds_total", "counter", "Processor time, of the user and of the system, in seconds."),
    Metric("process_resident_memory_bytes", "gauge", "Resident memory."),
    Metric("process_virtual_memory_bytes", "gauge", "Virtual memory."),
    Metric("process_start_time_seconds", "gauge", "When the process began."),
    Metric("process_open_fds", "gauge", "Open file descriptors."),
    Metric("process_max_fds", "gauge", "The most file descriptors that may be open."),
)

SECTIONS = {
    "What it has done": (
        JOBS_DELETED,
        JOBS_WOULD_BE_DELETED,
        JOB_ERRORS,
        JOB_DELETIONS,
        PODS_DELETED,
        POD_ERRORS,
        SPARED,
        BRAKES_PULLED,
        CANARY_TRIPPED,
        ERRORS_KEPT,
    ),
    "What is there now": (
        JOBS_RETAINED,
        PODS_RETAINED,
        BACKLOG,
        OLDEST_DUE,
        NEXT_DUE,
        GITREPOS,
        STUCK,
        NAMESPACES_REFUSED,
        UNREADABLE,
        FOREIGN,
    ),
    "Its passes": (SWEEPS, SWEEP_DURATION, LATENESS, LAST_SWEEP, LAST_SUCCESS),
    "Fleet and its Jobs": (FLEET_JOBS_FINISHED, FLEET_JOB_DURATION, FLEET_LAST_SUCCESS, FLEET_INFO),
    "The Kubernetes API": (API_REQUESTS, API_REQUEST_DURATION, THROTTLED, WATCH_LAST_SIGN, WATCH_RESTARTS),
    "The process": (LEADER, LEADER_CHANGES, READY, PAUSED, DRY_RUN, ANNOUNCEMENTS_DROPPED, BUILD_INFO, *_PROCESS),
}
CATALOGUE = tuple(metric for metrics in SECTIONS.values() for metric in metrics)

LABELS = {
    "gitrepo_namespace": "the GitRepo's Namespace",
    "gitrepo": "the GitRepo's name",
    "outcome": f"of a Job or a Pod: `succeeded`, `failed`, or `{UNFINISHED}` for one that has not finished; of a pass: "
    + ", ".join(f"`{outcome}`" for outcome in SWEEP_OUTCOMES),
    "reason": "of a Job or a Pod that is kept or deleted: one of the README's reasons; of an error: "
    + ", ".join(f"`{fate.value}`" for fate in UNDONE)
    + "; of a watch that ended: "
    + ", ".join(f"`{reason}`" for reason in WATCH_REASONS),
    "fate": "what became of a deletion: " + ", ".join(f"`{fate}`" for (fate,) in JOB_DELETIONS.starts),
    "brake": ", ".join(f"`{brake}`" for brake in BRAKES) + "; of a migration also `fleet`, where Fleet has been rolled back",
    "kind": "what is stuck: " + ", ".join(f"`{kind}`" for (kind,) in STUCK.starts),
    "trigger": "what a pass was for: " + ", ".join(f"`{trigger}`" for trigger in TRIGGERS) + "; all but `watch` read everything",
    "verb": "as RBAC has it: `list`, `watch`, `get`, `delete` and so on",
    "resource": "the plural that the API has for a kind: `jobs`, `gitrepos` and so on",
    "code": "the HTTP status of the answer, or `timeout`, `connection` or `other`",
    "version": "as it calls itself",
    "fleet": "the lowest version of Fleet that may be running",
}
"""What the labels mean, and which values they have."""
