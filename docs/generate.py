"""Write what comes from the code: the table of settings, the schema of a pass, metrics, rights, the dashboard, manifests."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from cleaner.metrics import LABELS, RUNS, SECTIONS, Metric
from cleaner.report import Document
from cleaner.rights import Right, Use, Where, rights
from cleaner.settings import describe_default, fields_of
from docs import manifests
from grafana import dashboard

ROOT = Path(__file__).parents[1]
_MARKED = re.compile(r"(<!-- settings -->\n).*?(<!-- /settings -->)", re.DOTALL)

QUERIES = {
    "Jobs deleted in a day, by GitRepo": "sum by (gitrepo_namespace, gitrepo) (increase(gitjob_cleaner_jobs_deleted_total[1d]))",
    "Why Jobs are kept": "sum by (reason) (gitjob_cleaner_jobs_retained and on (instance) gitjob_cleaner_leader == 1)",
    "The ten GitRepos with most Jobs": (
        "topk(10, sum by (gitrepo_namespace, gitrepo) (\n"
        "  gitjob_cleaner_jobs_retained and on (instance) gitjob_cleaner_leader == 1))"
    ),
    "Deletions that did not work": (
        'sum by (fate) (increase(gitjob_cleaner_job_deletions_total{fate=~"failed|denied|unconfirmed"}[1h])) > 0'
    ),
    "and in which GitRepos": "sum by (gitrepo_namespace, gitrepo, reason) (increase(gitjob_cleaner_job_errors_total[1h])) > 0",
    "How long the oldest backlog has waited, in seconds": "time() - gitjob_cleaner_oldest_due_timestamp_seconds",
    "Nobody leads, or two do": "sum(gitjob_cleaner_leader) != 1",
    "Nothing has gone well for two hours": "time() - gitjob_cleaner_last_success_timestamp_seconds > 2 * 3600",
    "How late 99 of 100 Jobs went at most": (
        "histogram_quantile(0.99, sum by (le) (rate(gitjob_cleaner_lateness_seconds_bucket[1h])))"
    ),
    "How long passes take on average, by trigger": (
        "sum by (trigger) (rate(gitjob_cleaner_sweep_duration_seconds_sum[1h]))\n"
        "  / sum by (trigger) (rate(gitjob_cleaner_sweep_duration_seconds_count[1h]))"
    ),
    "Share of Fleet's Jobs that failed": (
        'sum(rate(gitjob_cleaner_fleet_job_duration_seconds_count{outcome="failed"}[1h]))\n'
        "  / sum(rate(gitjob_cleaner_fleet_job_duration_seconds_count[1h]))"
    ),
    "GitRepos whose last success was a day ago": "time() - gitjob_cleaner_fleet_last_success_timestamp_seconds > 86400",
    "Requests that the API refused or failed": (
        'sum by (verb, resource, code) (rate(gitjob_cleaner_api_requests_total{code!~"2.."}[5m])) > 0'
    ),
    "A watch without a sign of life for five minutes": "time() - gitjob_cleaner_watch_last_sign_timestamp_seconds > 300",
    "What is stuck": "gitjob_cleaner_stuck > 0",
}
"""Questions that the metrics answer, and how to ask."""

_PAGE = """\
# Metrics

Written from the code by `make docs`. The names are an API: none goes away or changes its meaning without a line in the CHANGELOG.

Prometheus' own form and OpenMetrics are served, gzipped for whoever accepts that. Spans are seconds, and moments are seconds
since the Unix epoch, so that `time() - x` is an age. Histograms have classic buckets.

No label has the name of a Job, a commit, a uid or a message. GitRepos have series of their own, unless that is switched off:
their two labels are then empty, and everything is summed. The gauges of a GitRepo go with it, and its counters an hour later.
Jobs whose owner does not live are told under an empty `gitrepo`. Counters of at most 10,000 GitRepos are kept; what is beyond
is counted under empty labels, so that sums stay exact.

A standby tells what it knows as well: where there are several replicas, ask for what the leader says, as below, or sums double.
In a dry run what is due stays due, so `backlog_jobs` and `oldest_due_timestamp_seconds` go on telling it.

Label values that are known beforehand begin at zero, and so does `gitjob_cleaner_jobs_deleted_total` once a GitRepo is seen to
have finished Jobs, for `superseded`, so that `increase()` sees the first deletion too. The errors begin at zero under empty
labels. For the other counters of a GitRepo it may miss the first: `gitjob_cleaner_job_deletions_total` and
`gitjob_cleaner_fleet_job_duration_seconds_count` give exact sums over all.

[Alerts](runbooks/README.md) that ask for them come with a page on each.

{sections}
## One run

Where `pushgateway` is set, `sweep` and `migrate` push these gauges at their end. They tell of that one run and stay until the
next one, so never sum them over time. All carry `job="gitjob-cleaner"`, `mode` (`sweep`, `migrate`), `dry_run` (`true`, `false`),
`installation` where there is a name for it, and `pushgateway_labels`. After a success they take the place of all that was there;
after a failure only of the same names: the last success stays, and so does what could not be read this time. Scrape the
Pushgateway with `honor_labels: true`.

{runs}
## Labels

{labels}
## Questions

{queries}"""

_RIGHTS = """\
# Rights

Written from the code by `make docs`. `gitjob-cleaner check` asks for exactly these, and a test runs every command with exactly
these.

*Looked after* means each Namespace of `namespaces`, by a Role in it, or the whole cluster, by a ClusterRole, where none are
named. *Own* is the Namespace of `own_namespace` (in a Pod it is found; without one nothing is asked of it), *Fleet's* that of
`fleet_namespace`. Where the last cell is empty the command cannot do its work without; elsewhere it says what is lost. A row
with a setting is needed beside the others where that is set. A dry run of `sweep`, `run` or `migrate` can do without all that
deletes, patches, creates or updates. The names of Leases end with `instance`, or with what comes from `namespaces` and
`selector`: `check` tells them.

{commands}
## check

What Kubernetes gives to every account (`system:basic-user`, `system:discovery`, `system:public-info-viewer`) is enough to ask
for all of them; Namespaces, Fleet's version, the Lease and a pause it reads by the rights of the command that it checks for.
With `get` on `cronjobs.batch` in Fleet's Namespace it sees Fleet's own clean-up, too.
"""

_PLAIN = {"own_namespace": "own", "events": False, "watches": False}
_CURRENT: Mapping[str, Mapping[str, object]] = {
    "current: succeeded": {"current": "succeeded"},
    "current: all": {"current": "all"},
    "orphaned_pods": {"orphaned_pods": True},
}
_WATCH: Mapping[str, Mapping[str, object]] = {"watch": {"watches": True}, "events": {"events": True}}
_ELECTION: Mapping[str, Mapping[str, object]] = {"leader_election": {"elects": True}}
_SETTINGS: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "sweep": _CURRENT,
    "run": {**_WATCH, **_ELECTION, **_CURRENT, "evidence": {"evidence": True}},
    "migrate": _ELECTION,
    "explain": {"orphaned_pods": {"orphaned_pods": True}},
    "retry": {"wait": {"wait": True}, "all_failed": {"all_failed": True}, "nudge": {"nudge": True}},
    "guard": _WATCH,
    "release": {},
}
"""Settings on which the rights of a command depend."""


def settings_table() -> str:
    """Every setting: its name, what it takes, its default and its meaning."""
    rows = ["| setting | takes | default | meaning |", "|---|---|---|---|"]
    for field in fields_of():
        kind, meaning = field.metadata["kind"], field.metadata["meaning"]
        rows.append(f"| `{field.name}` | {kind} | {describe_default(field)} | {meaning} |")
    return "\n".join(rows) + "\n"


def readme(text: str) -> str:
    """The README with its table written anew."""
    return _MARKED.sub(lambda found: found[1] + settings_table() + found[2], text)


def schema() -> str:
    """The JSON schema of the document that `--output json` writes."""
    return json.dumps(msgspec.json.schema(Document), indent=2, sort_keys=True) + "\n"


def metrics() -> str:
    """The page on metrics."""
    sections = "\n".join(f"## {title}\n\n{_metrics_table(table)}" for title, table in SECTIONS.items())
    labels = "| label | meaning |\n|---|---|\n" + "".join(f"| `{name}` | {meaning} |\n" for name, meaning in LABELS.items())
    queries = "\n".join(f"{question}:\n\n```promql\n{query}\n```\n" for question, query in QUERIES.items())
    return _PAGE.format(sections=sections, runs=_metrics_table(RUNS), labels=labels, queries=queries)


def _metrics_table(table: tuple[Metric, ...]) -> str:
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for metric in table:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        buckets = f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}." if metric.buckets else ""
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help}{buckets} |")
    return "\n".join(rows) + "\n"


def rights_page() -> str:
    """The page on rights."""
    return _RIGHTS.format(commands="\n".join(f"## {command}\n\n{_rights_table(command)}" for command in _SETTINGS))


def _rights_table(command: str) -> str:
    rows = ["| right | on | where | with | for | without it |", "|---|---|---|---|---|---|"]
    plain = _rights_by_place(command, {})
    rows += [_rights_row(right, where, "") for right, where in plain.items()]
    for setting, change in _SETTINGS[command].items():
        more = _rights_by_place(command, change)
        rows += [_rights_row(right, where, f"`{setting}`") for right, where in more.items() if right not in plain]
    return "\n".join(rows) + "\n"


def _rights_by_place(command: str, change: Mapping[str, object]) -> dict[Right, str]:
    """Each right, under one place for both scopes, and where it is needed in words."""
    everywhere, named = (
        dict(_abstract(Use(**{"command": command, **_PLAIN, **change, "namespaces": names})))  # type: ignore[arg-type]
        for names in (None, ("a",))
    )
    only = {True: " (no `namespaces`)", False: " (with `namespaces`)"}
    return {
        right: where + ("" if right in everywhere and right in named else only[right in everywhere])
        for right, where in {**everywhere, **named}.items()
    }


def _abstract(use: Use) -> Iterator[tuple[Right, str]]:
    words = {Where.NAMED: "looked after", Where.OWN: "own", Where.FLEET: "Fleet's", Where.CLUSTER: "the whole cluster"}
    for right in rights(use):
        scope = right.where is use.scope
        yield (
            msgspec.structs.replace(right, where=Where.NAMED if scope else right.where),
            words[Where.NAMED if scope else right.where],
        )


def _rights_row(right: Right, where: str, setting: str) -> str:
    resource = f"{right.resource}.{right.group}" if right.group else right.resource
    name = f" `{right.name}`" if right.name else ""
    return f"| `{right.verb}` | `{resource}`{name} | {where} | {setting} | {right.purpose} | {right.lost} |"


def main() -> None:
    """Write all of them."""
    page = ROOT / "README.md"
    page.write_text(readme(page.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / "docs/sweep.schema.json").write_text(schema(), encoding="utf-8")
    (ROOT / "docs/metrics.md").write_text(metrics(), encoding="utf-8")
    (ROOT / "docs/rights.md").write_text(rights_page(), encoding="utf-8")
    dashboard.main()
    manifests.main()


if __name__ == "__main__":
    main()
