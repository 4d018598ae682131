"""The rows that tell whether it works, and whether it keeps up."""

from grafana.asking import (
    COUNTED,
    LAST_SWEEP,
    LAST_SWEEP_OF,
    SWEEP,
    every,
    in_range,
    led,
    of_gitrepos,
    or_zero,
    per_hour,
    quantile,
    swept,
)
from grafana.drawing import (
    AN_HOUR,
    ANY_IS_BAD,
    BAD,
    FIFTH,
    FINE,
    HALF,
    NOTE,
    QUARTER,
    SIXTH,
    WARN,
    Ask,
    Panels,
    colours,
    number,
    over_time,
    runbooks,
    stacked,
    steps,
    words,
)
from grafana.sdk import model, shapes, stat, timeseries

_UNDONE = 'fate=~"failed|denied|unconfirmed"'
_OUTCOME_COLOURS = {
    "done": "green",
    "partial": "yellow",
    "braked": "orange",
    "stopped": "blue",
    "refused": "red",
    "unreachable": "dark-red",
}


def is_it_working() -> Panels:
    """Six numbers, then the passes."""
    return [_last_success(), _leaders(), _version(), _fleet(), _errors(), _state(), *_passes()]


def is_it_keeping_up() -> Panels:
    """How late, how much, since when, until when."""
    return [_oldest(), _next(), _backlog_now(), *_cannot_read(), _lateness(), _backlog()]


def _last_success() -> stat.Panel:
    newest = f"max by (cluster, namespace, job) ({led(every('last_success_timestamp_seconds'))})"
    succeeded = Ask(f"time() - {newest}", "{{job}} {{namespace}} {{cluster}}")
    ran = Ask(swept(f"time() - {every('run_last_success_timestamp_seconds', *SWEEP)}", "installation", "max"), LAST_SWEEP_OF)
    text = (
        "How long ago a sweep of everything last went well, in each installation. The service sweeps every 15 minutes by "
        "default, whatever it has seen in between. A dry run is shown where nothing else runs."
    )
    return (
        number("Last success", text, "s", succeeded, ran)
        .span(SIXTH)
        .no_value("never")
        .thresholds(steps(FINE, (2700, WARN), (7200, BAD)))
        .links(runbooks("SweepStale", "Absent", "RunStale"))
    )


def _leaders() -> stat.Panel:
    text = (
        "Processes that may delete: one for each installation. Runs of a CronJob are not counted, for they elect nobody; a "
        "dry run is where nothing else runs."
    )
    asked = Ask(f"sum by (cluster, namespace, job) ({COUNTED})", "{{job}} {{namespace}} {{cluster}}")
    changed = Ask(in_range(every("leader_changes_total")), "changes in range")
    return (
        number("Leaders", text, "short", asked, changed)
        .span(SIXTH)
        .thresholds(steps(BAD, (1, FINE), (2, WARN)))
        .override_by_name("changes in range", [model.DynamicConfigValue("thresholds", _only("text"))])
        .decimals(0)
        .links(runbooks("NoLeader"))
    )


def _version() -> stat.Panel:
    text = "The versions of the cleaner that run, and those of the last sweeps. Two at a time are an upgrade under way."
    asked = Ask(f"count by (version) ({every('build_info')}) or count by (version) ({every('run_info', *SWEEP)})", "{{version}}")
    return number("Version", text, "short", asked).span(SIXTH).text_mode(shapes.BigValueTextMode.NAME)


def _fleet() -> stat.Panel:
    text = "The lowest version of Fleet that may be running. Rules for deleting depend on it; what cannot be read is the oldest."
    seen = every("run_info", *SWEEP, 'fleet!=""')  # a run that came to nothing has not seen any
    ran = f'label_replace({seen}, "version", "$1", "fleet", "(.+)")'
    asked = Ask(f"max by (version) ({led(every('fleet_info'))}) or max by (version) ({ran})", "{{version}}")
    return number("Fleet's version", text, "short", asked).span(SIXTH).text_mode(shapes.BigValueTextMode.NAME)


def _errors() -> stat.Panel:
    text = "Deletions of Jobs in this time that failed, were denied, or of which nobody knows; and those of the last runs."
    happened = Ask(in_range(every("job_deletions_total", _UNDONE)), "service")
    ran = Ask(swept(of_gitrepos("run_job_errors", *SWEEP)), LAST_SWEEP)
    return (
        number("Errors", text, "short", happened, ran)
        .span(SIXTH)
        .decimals(0)
        .thresholds(ANY_IS_BAD)
        .links(runbooks("Errors", "RunFailed"))
    )


def _state() -> stat.Panel:
    text = (
        "Whether everything has been read, whether an annotation pauses all deletions, and whether any process only tries them "
        "(dry run)."
    )
    asks = [
        Ask(f"min({every('ready')})", "ready"),
        Ask(f"max({led(every('paused'))})", "paused"),
        Ask(f"max({every('dry_run')})", "dry run"),
    ]
    looks = {"ready": ("no", BAD, "yes", FINE), "paused": ("no", FINE, "yes", WARN), "dry run": ("no", FINE, "yes", NOTE)}
    panel = number("State", text, "short", *asks).span(SIXTH).links(runbooks("Paused"))
    for name, (no, no_colour, yes, yes_colour) in looks.items():
        told = words({0: (no, no_colour), 1: (yes, yes_colour)})
        panel = panel.override_by_name(name, [model.DynamicConfigValue("mappings", told)])
    return panel


def _passes() -> Panels:
    ended = Ask(per_hour(every("sweeps_total"), "outcome", only_leader=True), "{{outcome}}")
    took = [Ask(quantile(q, "sweep_duration_seconds", only_leader=True), f"p{q * 100:g}") for q in (0.5, 0.95)]
    ran = Ask(swept(every("run_duration_seconds", *SWEEP), how="max"), LAST_SWEEP)
    by_outcome = stacked(
        "Sweeps by outcome",
        "Passes of the leader that ended, in an hour: of everything (at a start, by the interval, by a new leader) and of what "
        "a watch saw.",
        "suffix:/h",
        ended,
    )
    how_long = over_time(
        "How long sweeps take",
        "Half of the leader's passes, and 95 of 100, took no longer; and how long the last sweep of a CronJob took.",
        "s",
        *took,
        ran,
    )
    return [
        colours(by_outcome, _OUTCOME_COLOURS).span(HALF).links(runbooks("SweepStale", "Braked")),
        how_long.span(HALF).span_nulls(AN_HOUR),
    ]


def _oldest() -> stat.Panel:
    text = "For how long the Job that has waited longest has been due. In a dry run what is due stays due."
    waited = Ask(or_zero(f"max(time() - {led(every('oldest_due_timestamp_seconds'))})"), "service")
    return (
        number("The oldest waits for", text, "s", waited)
        .span(FIFTH)
        .thresholds(steps(FINE, (900, WARN), (3600, BAD)))
        .links(runbooks("BacklogGrowing"))
    )


def _next() -> stat.Panel:
    text = "Until the next Job comes due if nothing but time changes. None where none will by time alone; at zero one goes now."
    until = Ask(f"clamp_min(min({led(every('next_due_timestamp_seconds'))}) - time(), 0)", "service")
    return number("The next comes due in", text, "s", until).span(FIFTH)


def _backlog_now() -> stat.Panel:
    text = "Jobs that are due and still there, now and after the last runs."
    now = Ask(f"sum({led(of_gitrepos('backlog_jobs'))})", "service")
    ran = Ask(swept(of_gitrepos("run_backlog_jobs", *SWEEP)), LAST_SWEEP)
    return (
        number("Backlog", text, "short", now, ran)
        .span(QUARTER)
        .thresholds(steps(FINE, (100, WARN)))
        .links(runbooks("BacklogGrowing"))
    )


def _cannot_read() -> Panels:
    told = {
        "namespaces_refused": (
            "Namespaces refused",
            "Namespaces in which nothing is judged or deleted, for they cannot be read.",
        ),
        "unreadable_objects": ("Unreadable", "Objects that could not even be named."),
    }
    panels: Panels = []
    for gauge, (title, text) in told.items():
        now, ran = Ask(f"max({led(every(gauge))})", "service"), Ask(swept(every(f"run_{gauge}", *SWEEP), how="max"), LAST_SWEEP)
        panels.append(
            number(title, text, "short", now, ran).span(SIXTH).thresholds(ANY_IS_BAD).links(runbooks("NamespaceRefused"))
        )
    return panels


def _lateness() -> timeseries.Panel:
    text = "How long after its last reason to stay had ended a Job was gone: half of them, 95 and 99 of 100 were no later."
    asks = [Ask(quantile(q, "lateness_seconds"), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)]
    return over_time("Lateness", text, "s", *asks).span(HALF).span_nulls(AN_HOUR).links(runbooks("BacklogGrowing"))


def _backlog() -> timeseries.Panel:
    text = "Jobs that are due and still there, over time. A run's value stays until the next run."
    now = Ask(f"sum({led(of_gitrepos('backlog_jobs'))})", "service")
    ran = Ask(swept(of_gitrepos("run_backlog_jobs", *SWEEP)), LAST_SWEEP)
    return (
        over_time("Backlog over time", text, "short", now, ran)
        .span(HALF)
        .line_interpolation(shapes.LineInterpolation.STEP_AFTER)
        .links(runbooks("BacklogGrowing"))
    )


def _only(colour: str) -> dict[str, object]:
    return {"mode": "absolute", "steps": [{"color": colour, "value": None}]}
