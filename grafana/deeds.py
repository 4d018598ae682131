"""The row that tells what it did."""

from grafana.asking import (
    DRY_SWEEP,
    LAST_SWEEP,
    SWEEP,
    every,
    in_range,
    led,
    of_gitrepos,
    or_zero,
    per_hour,
    swept,
    swept_or_zero,
)
from grafana.drawing import ANY_IS_BAD, ANY_IS_ODD, QUARTER, Ask, Panels, colours, legend, number, over_time, runbooks, stacked
from grafana.sdk import model, shapes, stat, timeseries

_REASON_COLOURS = {"failed": "red", "denied": "orange", "unconfirmed": "yellow", "none": "green"}
_OUTCOME_COLOURS = {"succeeded": "green", "failed": "red", "running": "blue", "none": "text"}
_UNDONE = 'fate=~"failed|denied|unconfirmed"'
_COUNT = [model.DynamicConfigValue("unit", "short")]
"""Of what one run has pushed, beside what is told by the hour."""
_EXACT = (
    'The first deletion in a GitRepo for another reason than `superseded` is not seen; `job_deletions_total{fate="deleted"}` '
    "misses none."
)


def what_did_it_do() -> Panels:
    """Counts of this time, then reasons over time."""
    return [*_counts(), _deleted(), _retained("reason"), _retained("outcome"), _errored(), *_pods()]


def _counts() -> list[stat.Panel]:
    shown = [
        _count(
            "Deleted",
            f"Jobs deleted in this time, each confirmed by the API; and by the last sweep of a CronJob. {_EXACT}",
            of_gitrepos("jobs_deleted_total"),
            of_gitrepos("run_jobs_deleted", *SWEEP),
        ),
        _count(
            "Would be deleted",
            "What dry runs have only tried; a Job is counted again in every sweep of everything.",
            of_gitrepos("jobs_would_be_deleted_total"),
            of_gitrepos("run_jobs_would_be_deleted", *DRY_SWEEP),
        ),
        _count(
            "Pods deleted",
            "Pods deleted that their Jobs had left behind.",
            of_gitrepos("pods_deleted_total"),
            of_gitrepos("run_pods_deleted", *SWEEP),
        ),
        _count(
            "Errors kept",
            "Errors of failed Jobs that are kept in an Event on their GitRepo.",
            every("errors_kept_total"),
            every("run_errors_kept", *SWEEP),
        ),
        _count(
            "Spared",
            "Jobs that were needed after all when they were looked at again just before their deletion.",
            every("spared_total"),
            every("run_spared", *SWEEP),
        ),
        _count(
            "Events not written",
            "Kubernetes Events that were dropped. Nothing but these is lost by it.",
            every("announcements_dropped_total"),
        ).thresholds(ANY_IS_ODD),
        _count("Brakes", "Times that a brake has stopped the deletions.", every("brakes_total"), every("run_braked", *SWEEP))
        .thresholds(ANY_IS_ODD)
        .links(runbooks("Braked", "Paused")),
        _count(
            "Canary",
            "Current Jobs that came back after they had been deleted. No current Job of that GitRepo goes for a day.",
            every("canary_tripped_total"),
            every("run_canary_tripped", *SWEEP),
        )
        .thresholds(ANY_IS_BAD)
        .links(runbooks("CanaryTripped")),
    ]
    return [panel.span(QUARTER) for panel in shown]


def _count(title: str, text: str, counter: str, *pushed: str) -> stat.Panel:
    """What a counter has grown in this time; where it has not begun, that is zero."""
    ran = [Ask(swept(series), LAST_SWEEP) for series in pushed]
    return number(title, text, "short", Ask(or_zero(in_range(counter)), "service"), *ran).decimals(0)


def _deleted() -> timeseries.Panel:
    happened = Ask(per_hour(of_gitrepos("jobs_deleted_total"), "reason"), "{{reason}}")
    return stacked(
        "Deleted by reason",
        f"Jobs deleted in an hour, and why: an old commit's, or a current one that the settings let go. {_EXACT}",
        "suffix:/h",
        happened,
    ).links(runbooks("BacklogGrowing"))


def _retained(by: str) -> timeseries.Panel:
    now = Ask(f"sum by ({by}) ({led(of_gitrepos('jobs_retained'))})", f"{{{{{by}}}}}")
    ran = Ask(swept(of_gitrepos("run_jobs_retained", *SWEEP), by), f"{{{{{by}}}}}, {LAST_SWEEP}")
    panel = stacked(
        f"Retained by {by}", f"Jobs that are kept, by {by}. The reasons are explained in the README.", "short", now, ran
    )
    panel = panel.line_interpolation(shapes.LineInterpolation.STEP_AFTER).legend(legend("lastNotNull"))
    beside = {
        "custom.stacking": {"mode": "normal", "group": "B"},  # else it would stand on top of the service's
        "custom.fillOpacity": 0,
        "custom.lineWidth": 1,
    }
    panel = panel.override_by_query("B", [model.DynamicConfigValue(name, value) for name, value in beside.items()])
    return colours(panel, _OUTCOME_COLOURS) if by == "outcome" else panel


def _errored() -> timeseries.Panel:
    happened = Ask(per_hour(every("job_deletions_total", _UNDONE), "fate"), "{{fate}}")
    where = Ask(
        or_zero(per_hour(of_gitrepos("job_errors_total", 'gitrepo!=""'), "cluster, gitrepo_namespace, gitrepo"), "gitrepo"),
        "in {{gitrepo_namespace}}/{{gitrepo}}",
    )
    ran = Ask(swept(of_gitrepos("run_job_errors", *SWEEP), "reason"), f"{{{{reason}}}}, {LAST_SWEEP}")
    panel = over_time(
        "Errored by reason",
        "Deletions of Jobs that did not work, or of which nobody knows, by what became of them and by GitRepo: in an hour, and "
        "in all of the last sweep.",
        "suffix:/h",
        happened,
        where,
        ran,
    )
    return colours(panel, _REASON_COLOURS).override_by_query("C", _COUNT).links(runbooks("Errors"))


def _pods() -> list[timeseries.Panel]:
    kept = [
        Ask(or_zero(f"sum by (reason) ({led(of_gitrepos('pods_retained'))})", "reason"), "{{reason}}"),
        Ask(swept_or_zero(of_gitrepos("run_pods_retained", *SWEEP), "reason"), f"{{{{reason}}}}, {LAST_SWEEP}"),
    ]
    gone = [
        Ask(or_zero(per_hour(of_gitrepos("pods_deleted_total"), "outcome"), "outcome"), "deleted, {{outcome}}"),
        Ask(or_zero(per_hour(of_gitrepos("pod_errors_total"), "reason"), "reason"), "error, {{reason}}"),
        Ask(swept(of_gitrepos("run_pod_errors", *SWEEP), "reason"), f"error, {{{{reason}}}}, {LAST_SWEEP}"),
    ]
    told = "Such Pods, in an hour; errors of the last sweep are all that it had."
    deeds = over_time("Pods deleted, and errors", told, "suffix:/h", *gone).override_by_query("C", _COUNT)
    return [
        stacked(
            "Pods retained by reason",
            "Finished Pods that their Jobs left behind and that are still there; told where `orphaned_pods` is set.",
            "short",
            *kept,
        ).line_interpolation(shapes.LineInterpolation.STEP_AFTER),
        deeds.links(runbooks("Errors")),
    ]
