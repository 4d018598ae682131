"""The row that tells what it did."""

from grafana.asking import LAST_RUN, every, in_range, led, of_gitrepos, or_zero, per_hour, runs, runs_or_zero
from grafana.drawing import ANY_IS_BAD, ANY_IS_ODD, EIGHTH, Ask, Panels, colours, legend, number, over_time, runbooks, stacked
from grafana.sdk import shapes, stat, timeseries

_REASON_COLOURS = {"failed": "red", "denied": "orange", "unconfirmed": "yellow", "none": "green"}
_OUTCOME_COLOURS = {"succeeded": "green", "failed": "red", "running": "blue", "none": "text"}
_UNDONE = 'fate=~"failed|denied|unconfirmed"'


def what_did_it_do() -> Panels:
    """Counts of this time, then reasons over time."""
    return [*_counts(), _deleted(), _retained("reason"), _retained("outcome"), _errored(), *_pods()]


def _counts() -> list[stat.Panel]:
    shown = [
        _count(
            "Deleted",
            "Jobs deleted in this time, each confirmed by the API; and by the last runs.",
            of_gitrepos("jobs_deleted_total"),
            of_gitrepos("run_jobs_deleted"),
        ),
        _count(
            "Would be deleted",
            "What dry runs have only tried; a Job is counted again in every sweep of everything.",
            of_gitrepos("jobs_would_be_deleted_total"),
            of_gitrepos("run_jobs_would_be_deleted"),
        ),
        _count(
            "Pods deleted",
            "Pods deleted that their Jobs had left behind.",
            of_gitrepos("pods_deleted_total"),
            of_gitrepos("run_pods_deleted"),
        ),
        _count(
            "Errors kept",
            "Errors of failed Jobs that are kept in an Event on their GitRepo.",
            every("errors_kept_total"),
            every("run_errors_kept"),
        ),
        _count(
            "Spared",
            "Jobs that were needed after all when they were looked at again just before their deletion.",
            every("spared_total"),
            every("run_spared"),
        ),
        _count(
            "Events not written",
            "Kubernetes Events that were dropped. Nothing but these is lost by it.",
            every("announcements_dropped_total"),
        ).thresholds(ANY_IS_ODD),
        _count("Brakes", "Times that a brake has stopped the deletions.", every("brakes_total"), every("run_braked"))
        .thresholds(ANY_IS_ODD)
        .links(runbooks("Braked", "Paused")),
        _count(
            "Canary",
            "Current Jobs that came back after they had been deleted. No current Job of that GitRepo goes for a day.",
            every("canary_tripped_total"),
            every("run_canary_tripped"),
        )
        .thresholds(ANY_IS_BAD)
        .links(runbooks("CanaryTripped")),
    ]
    return [panel.span(EIGHTH) for panel in shown]


def _count(title: str, text: str, counter: str, *pushed: str) -> stat.Panel:
    """What a counter has grown in this time; where it has not begun, that is zero."""
    ran = [Ask(runs(series), LAST_RUN) for series in pushed]
    return number(title, text, "short", Ask(or_zero(in_range(counter)), "service"), *ran).decimals(0)


def _deleted() -> timeseries.Panel:
    happened = Ask(per_hour(of_gitrepos("jobs_deleted_total"), "reason"), "{{reason}}")
    return stacked(
        "Deleted by reason",
        "Jobs deleted in an hour, and why: an old commit's, or a current one that the settings let go.",
        "suffix:/h",
        happened,
    ).links(runbooks("BacklogGrowing"))


def _retained(by: str) -> timeseries.Panel:
    now = Ask(f"sum by ({by}) ({led(of_gitrepos('jobs_retained'))})", f"{{{{{by}}}}}")
    ran = Ask(runs(of_gitrepos("run_jobs_retained"), by), f"{{{{{by}}}}}, {LAST_RUN}")
    panel = stacked(
        f"Retained by {by}", f"Jobs that are kept, by {by}. The reasons are explained in the README.", "short", now, ran
    )
    panel = panel.line_interpolation(shapes.LineInterpolation.STEP_AFTER).legend(legend("lastNotNull"))
    return colours(panel, _OUTCOME_COLOURS) if by == "outcome" else panel


def _errored() -> timeseries.Panel:
    happened = Ask(per_hour(every("job_deletions_total", _UNDONE), "fate"), "{{fate}}")
    where = Ask(
        or_zero(per_hour(of_gitrepos("job_errors_total", 'gitrepo!=""'), "cluster, gitrepo_namespace, gitrepo"), "gitrepo"),
        "in {{gitrepo_namespace}}/{{gitrepo}}",
    )
    ran = Ask(runs(of_gitrepos("run_job_errors"), "reason"), f"{{{{reason}}}}, {LAST_RUN}")
    panel = over_time(
        "Errored by reason",
        "Deletions of Jobs that did not work, or of which nobody knows, in an hour, by what became of them and by GitRepo.",
        "suffix:/h",
        happened,
        where,
        ran,
    )
    return colours(panel, _REASON_COLOURS).links(runbooks("Errors"))


def _pods() -> list[timeseries.Panel]:
    kept = [
        Ask(or_zero(f"sum by (reason) ({led(of_gitrepos('pods_retained'))})", "reason"), "{{reason}}"),
        Ask(runs_or_zero(of_gitrepos("run_pods_retained"), "reason"), f"{{{{reason}}}}, {LAST_RUN}"),
    ]
    gone = [
        Ask(or_zero(per_hour(of_gitrepos("pods_deleted_total"), "outcome"), "outcome"), "deleted, {{outcome}}"),
        Ask(or_zero(per_hour(of_gitrepos("pod_errors_total"), "reason"), "reason"), "error, {{reason}}"),
        Ask(runs(of_gitrepos("run_pod_errors"), "reason"), f"error, {{{{reason}}}}, {LAST_RUN}"),
    ]
    return [
        stacked(
            "Pods retained by reason",
            "Finished Pods that their Jobs left behind and that are still there; told where `orphaned_pods` is set.",
            "short",
            *kept,
        ).line_interpolation(shapes.LineInterpolation.STEP_AFTER),
        over_time("Pods deleted, and errors", "Such Pods, in an hour.", "suffix:/h", *gone).links(runbooks("Errors")),
    ]
