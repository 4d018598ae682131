"""Pieces of PromQL that the panels are made from."""

PREFIX = "gitjob_cleaner_"
_CLUSTER = 'cluster=~"$cluster"'
_GITREPO = 'gitrepo_namespace=~"$gitrepo_namespace",gitrepo=~"$gitrepo"'

BY_GITREPO = "cluster, gitrepo_namespace, gitrepo"
GITREPO_LEGEND = "{{gitrepo_namespace}}/{{gitrepo}} {{cluster}}"
"""Of a series of one GitRepo; the cluster comes last, so that nothing is missed where there is no such label."""

_RUN = "cluster, mode, dry_run"
_PROCESS = "cluster, namespace, job, instance"
_MAY_LEAD = f"{PREFIX}leader{{{_CLUSTER}}}"
LEADS = f"{_MAY_LEAD} == 1"

COUNTED = f"{_MAY_LEAD} unless on ({_PROCESS}) {PREFIX}dry_run{{{_CLUSTER}}} == 1 or on (cluster) {_MAY_LEAD}"
"""Whether each process leads; dry runs are left out of a cluster that has others, for they would tell of the same Jobs again."""

SWEEP = ('mode="sweep"', 'dry_run="false"')
DRY_SWEEP = ('mode="sweep"', 'dry_run="true"')
"""The matchers of sweeps of a CronJob, in earnest or not, among what was pushed."""

LAST_SWEEP = "last sweep {{cluster}}"
LAST_SWEEP_OF = "last sweep {{installation}} {{cluster}}"
LAST_RUN = "last {{mode}} {{dry}}"
"""Of a series that a single run has pushed; see `runs`."""


def every(metric: str, *matchers: str) -> str:
    """All series of a metric in the clusters that are looked at; ours have no prefix here, those of the process have theirs."""
    return f"{_named(metric)}{{{','.join((_CLUSTER, *matchers))}}}"


def of_gitrepos(metric: str, *matchers: str) -> str:
    """All series of a metric of the GitRepos that are looked at."""
    return every(metric, _GITREPO, *matchers)


def led(expression: str) -> str:
    """Only what the leader tells: a standby knows the same, and so does a dry run beside it, and sums would double."""
    return f"({expression} and on ({_PROCESS}) ({COUNTED}) == 1)"


def rate(series: str) -> str:
    """By the second, over the window that Grafana chooses for the scrape interval and the width of the panel."""
    return f"rate({series}[$__rate_interval])"


def per_hour(series: str, by: str, *, only_leader: bool = False) -> str:
    """How many in an hour."""
    grown = rate(series)
    return f"3600 * sum by ({by}) ({led(grown) if only_leader else grown})"


def in_range(series: str, by: str = "") -> str:
    """How many in the time that is looked at."""
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} (increase({series}[$__range]))"


def quantile(which: float, histogram: str, *matchers: str, only_leader: bool = False) -> str:
    """Below which value this share of the observations is."""
    grown = rate(every(f"{histogram}_bucket", *matchers))
    return f"histogram_quantile({which:g}, sum by (le) ({led(grown) if only_leader else grown}))"


def or_zero(expression: str, label: str = "") -> str:
    """Zero where there is no series although a leader is there to tell one; with a label, that says so: `none`."""
    zero = f"0 * max({LEADS})"
    return f"{expression} or on () " + (f'label_replace({zero}, "{label}", "none", "", "")' if label else zero)


def swept(series: str, by: str = "", how: str = "sum") -> str:
    """What the last sweep of a CronJob has pushed, from series of `SWEEP`: the rows of the service show it beside their own."""
    return f"{how} by ({', '.join(filter(None, ('cluster', by)))}) ({series})"


def swept_or_zero(series: str, by: str) -> str:
    """As `swept`; a sweep that told nothing of this has a zero, under `none`."""
    zero = f'label_replace(0 * max by (cluster) ({every("run_info", *SWEEP)}), "{by}", "none", "", "")'
    return f"{swept(series, by)} or on (cluster) {zero}"


def where_not(expression: str, otherwise: str) -> str:
    """For each GitRepo what the service tells, and else what the last sweep has told: one value for each."""
    return f"({expression} or on ({BY_GITREPO}) {otherwise})"


def runs(series: str, by: str = "", how: str = "sum") -> str:
    """
    What the last run of each kind has pushed.

    It stays what it is until the next run, so it is never added up over time. A label `dry` is made for the legend, of dry runs.
    """
    return _dry(f"{how} by ({', '.join(filter(None, (_RUN, by)))}) ({series})")


def _dry(expression: str) -> str:
    return f'label_replace({expression}, "dry", "(dry run)", "dry_run", "true")'


def _named(metric: str) -> str:
    return metric if metric.startswith("process_") else PREFIX + metric
