"""The row that tells of the last runs of a CronJob or a migration: what they pushed to a Pushgateway."""

from grafana.asking import LAST_RUN, every, of_gitrepos, runs
from grafana.drawing import (
    ANY_IS_BAD,
    BAD,
    FINE,
    HALF,
    QUARTER,
    WARN,
    Ask,
    Column,
    Panels,
    joined,
    number,
    over_time,
    runbooks,
    words,
)
from grafana.sdk import model, shapes, stat, table, timeseries

_RUN = "cluster, installation, mode, dry_run"
_EXITS = {
    0: ("done", FINE),
    1: ("partly done", WARN),
    2: ("bad settings", BAD),
    3: ("refused", BAD),
    4: ("unreachable", BAD),
    5: ("a brake", WARN),
}


def the_last_runs() -> Panels:
    """How each kind of run went the last time, and over time."""
    return [_each(), *_migration(), _exits(), _deeds()]


def _each() -> table.Panel:
    text = (
        "The last run of each kind: `sweep` of a CronJob, `migrate`, and dry runs of both. After a failure the last "
        "success stays."
    )
    keys = {"cluster": "Cluster", "installation": "Installation", "mode": "Mode", "dry_run": "Dry run"}
    columns = [
        Column("Result", f"max by ({_RUN}) ({every('run_exit_code')})"),
        Column("Ended", f"1000 * max by ({_RUN}) ({every('run_last_completion_timestamp_seconds')})", "dateTimeFromNow"),
        Column("Last success", f"1000 * max by ({_RUN}) ({every('run_last_success_timestamp_seconds')})", "dateTimeFromNow"),
        Column("Took", f"max by ({_RUN}) ({every('run_duration_seconds')})", "s"),
        Column("Deleted", f"sum by ({_RUN}) ({of_gitrepos('run_jobs_deleted')})"),
        Column("Would delete", f"sum by ({_RUN}) ({of_gitrepos('run_jobs_would_be_deleted')})"),
        Column("Errors", f"sum by ({_RUN}) ({of_gitrepos('run_job_errors')})"),
        Column("Kept", f"sum by ({_RUN}) ({of_gitrepos('run_jobs_retained')})"),
    ]
    panel = joined("The last runs", text, keys, columns).height(6).links(runbooks("RunFailed", "RunStale", "MigrationFailed"))
    told = [
        model.DynamicConfigValue("mappings", words(_EXITS)),
        model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
    ]
    return panel.override_by_name("Result", told)


def _migration() -> list[stat.Panel]:
    told = {
        "gitrepos_adopted": ("Unblocked", "GitRepos that the last migration has unblocked."),
        "gitrepos_forced": ("Forced", "GitRepos whose pending Force Update ran because the last migration unblocked them."),
        "problems": ("Problems", "Problems that the last migration told."),
    }
    panels = {
        gauge: number(title, text, "short", Ask(runs(every(f"run_{gauge}")), LAST_RUN)).span(QUARTER)
        for gauge, (title, text) in told.items()
    }
    panels["problems"].thresholds(ANY_IS_BAD).links(runbooks("MigrationFailed"))
    return [*panels.values(), _result()]


def _result() -> stat.Panel:
    text = "How the last run of each kind ended."
    ended = Ask(runs(every("run_exit_code"), how="max"), LAST_RUN)
    panel = number("Result", text, "short", ended).span(QUARTER).mappings(words(_EXITS))
    return panel.links(runbooks("RunFailed", "MigrationFailed"))


def _exits() -> timeseries.Panel:
    text = (
        "Exit codes over time: 0 done, 1 partly, 2 bad settings, 3 refused, 4 unreachable, 5 a brake. A value stays "
        "until the next run."
    )
    ended = Ask(runs(every("run_exit_code"), how="max"), LAST_RUN)
    return (
        over_time("Results over time", text, "short", ended)
        .span(HALF)
        .max(5)
        .decimals(0)
        .line_interpolation(shapes.LineInterpolation.STEP_AFTER)
        .links(runbooks("RunFailed", "MigrationFailed"))
    )


def _deeds() -> timeseries.Panel:
    text = (
        "Jobs that each run deleted, or would have deleted. A value stays until the next run: two runs that deleted as "
        "many look like one."
    )
    asks = [
        Ask(runs(of_gitrepos("run_jobs_deleted"), "reason"), f"{{{{reason}}}}, {LAST_RUN}"),
        Ask(runs(of_gitrepos("run_jobs_would_be_deleted"), "reason"), f"would: {{{{reason}}}}, {LAST_RUN}"),
    ]
    return (
        over_time("Deleted by each run", text, "short", *asks).span(HALF).line_interpolation(shapes.LineInterpolation.STEP_AFTER)
    )
