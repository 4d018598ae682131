"""The whole dashboard: its variables, its annotations, its links and its rows; `python -m grafana.dashboard` writes the JSON."""

import json
from pathlib import Path
from typing import Any

from grafana.asking import every
from grafana.costs import the_guard, what_does_it_cost
from grafana.deeds import what_did_it_do
from grafana.drawing import DATASOURCE, Panels
from grafana.gitrepos import what_do_my_gitrepos_do
from grafana.runs import the_last_runs
from grafana.sdk import Builder, JSONEncoder, dashboard, model, prometheus
from grafana.working import is_it_keeping_up, is_it_working

FILE = Path(__file__).with_name("gitjob-cleaner.json")
SCHEMA_VERSION = 41
"""The last one that needs nothing of Grafana 13. Grafana 10 reads it, and later ones raise it by themselves."""

_DOCS = "https://github.com/gitjob-cleaner/gitjob-cleaner/blob/main/docs/"
_LISTED = '{__name__=~"gitjob_cleaner_(run_)?jobs_retained|gitjob_cleaner_(run_)?backlog_jobs"'


def written() -> str:
    """The JSON, as it is committed."""
    plain = json.loads(json.dumps(_whole(), cls=JSONEncoder), object_hook=_in_sight)
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write it."""
    FILE.write_text(written(), encoding="utf-8")


def _whole() -> model.Dashboard:
    builder = (
        dashboard.Dashboard("Fleet / Job Cleaner")
        .uid("fleet-job-cleaner")
        .description(
            "Whether gitjob-cleaner works, what it did, whether it keeps up, what the GitRepos do, and what it all costs."
        )
        .tags(["fleet"])
        .readonly()
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time("now-6h", "now")
        .refresh("1m")
        .variables(_variables())
        .annotations(_annotations())
        .links(_links())
    )
    _row(builder, "Is it working?", is_it_working())
    _row(builder, "What did it do?", what_did_it_do())
    _row(builder, "Is it keeping up?", is_it_keeping_up())
    _row(builder, "What do my GitRepos do?", what_do_my_gitrepos_do())
    _row(builder, "The last runs of a CronJob or a migration", the_last_runs())
    _row(builder, "What does it cost?", what_does_it_cost())
    guard = dashboard.Row("The guard").collapsed(True)
    for panel in the_guard():
        guard.with_panel(panel)
    whole = builder.with_row(guard).build()
    whole.schema_version = SCHEMA_VERSION
    return _numbered(whole)


def _in_sight(written: dict[str, Any]) -> dict[str, Any]:
    """Leave out `placement`: the SDK would hide links and annotations in a menu, and older Grafanas do not know the word."""
    return {key: value for key, value in written.items() if key != "placement"}


def _row(builder: dashboard.Dashboard, title: str, panels: Panels) -> None:
    builder.with_row(dashboard.Row(title))
    for panel in panels:
        builder.with_panel(panel)


def _numbered(whole: model.Dashboard) -> model.Dashboard:
    """Give every panel its id, which the SDK leaves out."""
    number = 0
    for panel in whole.panels or ():
        for each in (panel, *(panel.panels if isinstance(panel, model.RowPanel) else ())):
            number += 1
            each.id_val = number
    return whole


def _variables() -> list[Builder[model.VariableModel]]:
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    cluster = _listing("cluster", "Cluster", f"label_values({_LISTED}}}, cluster)")
    narrowed = f'{_LISTED}, cluster=~"$cluster"'
    namespace = _listing("gitrepo_namespace", "Namespace", f"label_values({narrowed}}}, gitrepo_namespace)")
    gitrepo = _listing("gitrepo", "GitRepo", f'label_values({narrowed}, gitrepo_namespace=~"$gitrepo_namespace"}}, gitrepo)')
    return [source, cluster, namespace, gitrepo]


def _listing(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """A variable of which nothing is chosen at first, so that all series are shown, those without such a label too."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .definition(query)
        .query({"query": query, "refId": f"variable-{name}"})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _annotations() -> list[Builder[model.AnnotationQuery]]:
    started = f"{every('build_info')} * on (cluster, job, instance) group_left () {every('process_start_time_seconds')} * 1000"
    braked = f"sum by (brake) (increase({every('brakes_total')}[$__rate_interval])) > 0"
    undone = every("job_deletions_total", 'fate=~"failed|denied|unconfirmed"')
    errors = f"sum by (fate) (increase({undone}[$__rate_interval])) > 0"
    return [
        _marks("Starts and versions", "blue", started, "{{version}} started", "{{job}} {{instance}}").use_value_for_time(True),
        _marks("Brakes", "orange", braked, "a brake: {{brake}}", "deletions stopped"),
        _marks("Errors", "red", errors, "error: {{fate}}", "deletions that did not work"),
    ]


def _marks(name: str, colour: str, expression: str, title: str, text: str) -> dashboard.AnnotationQuery:
    query = prometheus.Dataquery().datasource(DATASOURCE).ref_id(name.replace(" ", "")).expr(expression).range()
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(colour)
        .expr(expression)
        .target(query)
        .title_format(title)
        .text_format(text)
        .step("1m")
    )


def _links() -> list[Builder[model.DashboardLink]]:
    return [
        _link("Runbooks", f"{_DOCS}runbooks/", "What each alert means, and what helps"),
        _link("Metrics", f"{_DOCS}metrics.md", "What each metric means"),
        dashboard.DashboardLink("Fleet")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags(["fleet"])
        .as_dropdown(True)
        .keep_time(True),
    ]


def _link(title: str, url: str, tooltip: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title).type(model.DashboardLinkType.LINK).icon("doc").url(url).tooltip(tooltip).target_blank(True)
    )


if __name__ == "__main__":
    main()
