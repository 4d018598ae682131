"""The rows that tell what it costs, and of the guard."""

from grafana.asking import LAST_RUN, every, in_range, per_hour, rate, runs
from grafana.drawing import (
    AN_HOUR,
    FINE,
    HALF,
    QUARTER,
    SIXTH,
    THIRD,
    WARN,
    Ask,
    Panels,
    legend,
    number,
    over_time,
    runbooks,
    steps,
)
from grafana.sdk import shapes, timeseries

_OURS = f"and on (cluster, job, instance) {every('build_info')}"
"""Of the process metrics, which everything exports, only those of our processes."""


def what_does_it_cost() -> Panels:
    """Requests, watches, the process."""
    return [_requests(), _durations(), *_watches(), _cpu(), _memory(), _files(), _throttled()]


def the_guard() -> Panels:
    """What the guard holds, and what it did."""
    held = Ask(f"sum by (state) ({every('guard_gitrepos')})", "{{state}}")
    text = (
        "GitRepos that carry the finalizer (held), are still to be held or let go (due), or are deleted with it on "
        "them (leaving)."
    )
    troubled = Ask(in_range(every("guard_troubles_total"), "step"), "{{step}}")
    return [
        over_time("GitRepos by state", text, "short", held).span(THIRD).line_interpolation(shapes.LineInterpolation.STEP_AFTER),
        number(
            "Let go",
            "Times that the finalizer was taken off a GitRepo in this time.",
            "short",
            Ask(in_range(every("guard_releases_total")), "guard"),
        )
        .decimals(0)
        .span(SIXTH),
        number(
            "Last errors",
            "GitRepos that left in this time with a last error, which was told.",
            "short",
            Ask(in_range(every("guard_last_errors_total")), "guard"),
        )
        .decimals(0)
        .span(SIXTH),
        number(
            "Pods cleared",
            "Orphaned Pods deleted in this time, each confirmed by the API.",
            "short",
            Ask(in_range(every("guard_pods_deleted_total")), "guard"),
        )
        .decimals(0)
        .span(SIXTH),
        number(
            "Troubles",
            "Steps in this time that did not work, or only in part. None of them ever is why a GitRepo stays.",
            "short",
            troubled,
        )
        .decimals(0)
        .thresholds(steps(FINE, (1, WARN)))
        .span(SIXTH),
    ]


def _requests() -> timeseries.Panel:
    text = "Requests to the Kubernetes API by the second, of all processes, guard and standby included."
    sent = Ask(f"sum by (verb, resource, code) ({rate(every('api_requests_total'))})", "{{verb}} {{resource}} {{code}}")
    return over_time("API requests", text, "reqps", sent).span(HALF).legend(legend("lastNotNull", "max", right=True))


def _durations() -> timeseries.Panel:
    text = "Of 100 requests 95 took no longer, watches aside."
    series = rate(every("api_request_duration_seconds_bucket"))
    took = Ask(f"histogram_quantile(0.95, sum by (le, verb, resource) ({series}))", "{{verb}} {{resource}}")
    return (
        over_time("How long requests take (p95)", text, "s", took)
        .span(HALF)
        .span_nulls(AN_HOUR)
        .legend(legend("lastNotNull", "max", right=True))
    )


def _watches() -> list[timeseries.Panel]:
    restarts = Ask(per_hour(every("watch_restarts_total"), "resource, reason"), "{{resource}} {{reason}}")
    sign = Ask(
        f"time() - min by (resource, gitrepo_namespace) ({every('watch_last_sign_timestamp_seconds')})",
        "{{resource}} {{gitrepo_namespace}}",
    )
    ran = Ask(runs(every("run_api_requests"), "verb, resource, code"), f"{{{{verb}}}} {{{{resource}}}} {{{{code}}}}, {LAST_RUN}")
    return [
        over_time(
            "Watch restarts",
            "Watches that ended and were begun again, in an hour. `closed` is the API's own habit.",
            "suffix:/h",
            restarts,
        ).links(runbooks("WatchFlapping")),
        over_time("Silence of the watches", "How long ago each watch last gave a sign of life.", "s", sign).links(
            runbooks("WatchFlapping")
        ),
        over_time(
            "API requests of the last runs", "All requests of a run. A value stays until the next run.", "short", ran
        ).line_interpolation(shapes.LineInterpolation.STEP_AFTER),
    ]


def _cpu() -> timeseries.Panel:
    used = Ask(f"{rate(every('process_cpu_seconds_total'))} {_OURS}", "{{job}} {{instance}}")
    return over_time("Processor", "Processor time by the second: 100% is a whole processor.", "percentunit", used).span(QUARTER)


def _memory() -> timeseries.Panel:
    used = Ask(f"{every('process_resident_memory_bytes')} {_OURS}", "{{job}} {{instance}}")
    return over_time("Memory", "Resident memory of each process.", "bytes", used).span(QUARTER)


def _files() -> timeseries.Panel:
    asks = [
        Ask(f"{every('process_open_fds')} {_OURS}", "{{job}} {{instance}}"),
    ]
    return over_time("Open files", "Open file descriptors, connections among them.", "short", *asks).span(QUARTER)


def _throttled() -> timeseries.Panel:
    text = "Yes while the Kubernetes API makes the cleaner go slower, by its own flow control."
    slowed = Ask(f"max by (job) ({every('throttled')})", "{{job}}")
    return (
        over_time("Throttled", text, "bool_yes_no", slowed)
        .span(QUARTER)
        .max(1)
        .line_interpolation(shapes.LineInterpolation.STEP_AFTER)
        .links(runbooks("BacklogGrowing"))
    )
