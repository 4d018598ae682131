"""The row that tells what the GitRepos do."""

from grafana.asking import (
    BY_GITREPO,
    GITREPO_LEGEND,
    LAST_SWEEP,
    SWEEP,
    every,
    led,
    of_gitrepos,
    per_hour,
    quantile,
    swept,
    where_not,
)
from grafana.drawing import (
    AN_HOUR,
    ANY_IS_BAD,
    BAD,
    FINE,
    QUARTER,
    WARN,
    Ask,
    Column,
    Panels,
    colours,
    joined,
    number,
    over_time,
    ranked,
    runbooks,
    stacked,
    steps,
)
from grafana.sdk import bargauge, shapes, stat, table, timeseries

_DAY = 86400
_OUTCOMES = {"succeeded": "green", "failed": "red"}
_FINISHED = of_gitrepos("fleet_jobs_finished_total")
_FAILED = every("fleet_job_duration_seconds_count", 'outcome="failed"')
_OF_FAILED = of_gitrepos("fleet_jobs_finished_total", 'outcome="failed"', 'gitrepo!=""')
_DELETED = of_gitrepos("jobs_deleted_total", 'gitrepo!=""')


def _swept(gauge: str) -> str:
    """Sum what the last sweep told of each GitRepo; the zeros that belong to none are left out."""
    told = of_gitrepos(f"run_{gauge}", *SWEEP, 'mode="sweep"', 'dry_run="false"', 'gitrepo!=""')
    return f"sum by ({BY_GITREPO}) ({told})"


_KEPT = where_not(f"sum by ({BY_GITREPO}) ({led(of_gitrepos('jobs_retained'))})", _swept("jobs_retained"))
_NEWEST = where_not(
    f"max by ({BY_GITREPO}) ({led(of_gitrepos('fleet_last_success_timestamp_seconds'))})",
    f"max by ({BY_GITREPO}) ({of_gitrepos('run_fleet_last_success_timestamp_seconds', *SWEEP)})",
)


def what_do_my_gitrepos_do() -> Panels:
    """Fleet's side of it, and each GitRepo's."""
    return [
        *_numbers(),
        _runs_by_outcome(),
        _durations(),
        _frequency(),
        _longest_without_success(),
        _most_kept(),
        _stuck(),
        _each(),
    ]


def _numbers() -> list[stat.Panel]:
    grown = led(f"increase({_FAILED}[$__range])")
    return [
        _number("GitRepos", "GitRepos that are looked after.", "gitrepos"),
        number(
            "Failed runs", "Jobs of Fleet that failed in this time, in all GitRepos.", "short", Ask(f"sum({grown})", "service")
        )
        .decimals(0)
        .thresholds(steps(FINE, (1, WARN)))
        .links(runbooks("GitRepoFailing"))
        .span(QUARTER),
        _number("Stuck", "GitRepos and Jobs that do not move and are not the cleaner's to delete.", "stuck")
        .thresholds(ANY_IS_BAD)
        .links(runbooks("GitRepoStuck")),
        _number("Foreign Jobs", "Jobs that no GitRepo controls; nothing is done with them.", "foreign_jobs"),
    ]


def _number(title: str, text: str, gauge: str) -> stat.Panel:
    now, ran = Ask(f"sum({led(every(gauge))})", "service"), Ask(swept(every(f"run_{gauge}", *SWEEP)), LAST_SWEEP)
    return number(title, text, "short", now, ran).span(QUARTER)


def _runs_by_outcome() -> timeseries.Panel:
    text = (
        "Jobs of Fleet that finished, in an hour, in all GitRepos. Each is a sync: a commit, a change of the GitRepo, or a retry."
    )
    ended = Ask(per_hour(every("fleet_job_duration_seconds_count"), "outcome", only_leader=True), "{{outcome}}")
    panel = stacked("Fleet's runs by outcome", text, "suffix:/h", ended)
    return colours(panel, _OUTCOMES).links(runbooks("GitRepoFailing"))


def _durations() -> timeseries.Panel:
    text = "From a Job's creation to its end: half of them, and 95 of 100, took no longer."
    asks = [
        Ask(quantile(q, "fleet_job_duration_seconds", f'outcome="{outcome}"', only_leader=True), f"p{q * 100:g} {outcome}")
        for outcome in _OUTCOMES
        for q in (0.5, 0.95)
    ]
    return over_time("How long Fleet's runs take", text, "s", *asks).span_nulls(AN_HOUR)


def _frequency() -> timeseries.Panel:
    text = (
        "Jobs that finished in an hour, by GitRepo: the ten with most. One that syncs all the time costs Git servers "
        "and clusters alike."
    )
    often = Ask(f"topk(10, {per_hour(_FINISHED, BY_GITREPO, only_leader=True)})", GITREPO_LEGEND)
    return over_time("Sync frequency", text, "suffix:/h", often)


def _longest_without_success() -> bargauge.Panel:
    text = (
        "How long ago the newest succeeded Job that is still known finished: the ten longest ago. A GitRepo without "
        "one is not shown."
    )
    oldest = Ask(f"topk(10, time() - {_NEWEST})", GITREPO_LEGEND)
    return (
        ranked("Time since the last success", text, "s", oldest)
        .thresholds(steps(FINE, (_DAY, WARN), (7 * _DAY, BAD)))
        .links(runbooks("GitRepoFailing"))
    )


def _most_kept() -> bargauge.Panel:
    text = "The ten GitRepos with most Jobs that are kept."
    most = Ask(f"topk(10, {_KEPT})", GITREPO_LEGEND)
    return ranked("Most Jobs kept", text, "short", most).thresholds(steps(FINE, (50, WARN), (500, BAD)))


def _stuck() -> timeseries.Panel:
    text = "What does not move and is not the cleaner's to delete, by kind. `gitjob-cleaner explain` tells which, and what helps."
    now = Ask(f"max by (kind) ({led(every('stuck'))})", "{{kind}}")
    ran = Ask(swept(every("run_stuck", *SWEEP), "kind"), f"{{{{kind}}}}, {LAST_SWEEP}")
    return (
        over_time("Stuck, by kind", text, "short", now, ran)
        .line_interpolation(shapes.LineInterpolation.STEP_AFTER)
        .links(runbooks("GitRepoStuck"))
    )


def _each() -> table.Panel:
    text = "One line for each GitRepo: what the service tells, else what the last sweep of a CronJob told."
    keys = {"cluster": "Cluster", "gitrepo_namespace": "Namespace", "gitrepo": "GitRepo"}
    grown = led(f"increase({_OF_FAILED}[$__range])")
    columns = [
        Column("Kept", _KEPT),
        Column("Backlog", where_not(f"sum by ({BY_GITREPO}) ({led(of_gitrepos('backlog_jobs'))})", _swept("backlog_jobs"))),
        Column("Deleted", f"round(sum by ({BY_GITREPO}) (increase({_DELETED}[$__range])))"),
        Column("Last sweep deleted", f"{_swept('jobs_deleted')} or 0 * {_swept('backlog_jobs')}"),
        Column("Failed runs", f"round(sum by ({BY_GITREPO}) ({grown}))"),
        Column("Last success", f"1000 * {_NEWEST}", "dateTimeFromNow"),
    ]
    return joined("Each GitRepo", text, keys, columns).links(runbooks("GitRepoFailing", "GitRepoStuck"))
