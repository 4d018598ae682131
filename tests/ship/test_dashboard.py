"""The dashboard is the code's, holds to the rules for dashboards, and asks only for what is exported."""

import json
import re
from itertools import combinations
from typing import Any

import pytest

from grafana import dashboard
from grafana.drawing import RUNBOOKS
from grafana.uncharted import UNCHARTED
from tests.ship.charted import (
    DASHBOARD,
    EXPORTED,
    ROOT,
    RULES,
    advised,
    charted,
    labels,
    labels_of,
    listed,
    marked,
    names,
    panels,
    ruled,
)

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
ASKED = [*charted(), *marked(), *ruled(), *advised()]


def test_the_dashboard_is_the_codes() -> None:
    assert dashboard.FILE.read_text(encoding="utf-8") == dashboard.written()


def test_it_is_found_under_its_names() -> None:
    assert (DASHBOARD["title"], DASHBOARD["uid"], DASHBOARD["tags"]) == ("Fleet / Job Cleaner", "fleet-job-cleaner", ["fleet"])
    assert DASHBOARD["editable"] is False


def test_grafana_10_to_13_can_read_its_schema() -> None:
    assert 39 <= DASHBOARD["schemaVersion"] <= 41
    assert "placement" not in json.dumps(DASHBOARD)


def test_every_panel_has_an_id_of_its_own() -> None:
    ids = [panel["id"] for panel in panels(rows=True)]

    assert len(set(ids)) == len(ids)
    assert all(isinstance(number, int) and number > 0 for number in ids)


def test_titles_are_not_repeated() -> None:
    titles = [panel["title"] for panel in panels(rows=True)]

    assert sorted(set(titles)) == sorted(titles)


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_every_panel_is_explained_has_a_unit_and_asks_the_chosen_source(panel: Any) -> None:
    defaults = panel["fieldConfig"]["defaults"]

    assert re.fullmatch(r"[A-Z].*\.", panel["description"])
    assert defaults["unit"]
    assert "noValue" in defaults
    assert defaults["thresholds"]["steps"]
    assert panel["datasource"] == DATASOURCE
    assert [target["datasource"] for target in panel["targets"]] == [DATASOURCE] * len(panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert all(target["legendFormat"] or panel["type"] == "table" for target in panel["targets"])


def test_variables_and_annotations_ask_the_chosen_source() -> None:
    source, *variables = DASHBOARD["templating"]["list"]

    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert [variable["name"] for variable in variables] == ["cluster", "gitrepo_namespace", "gitrepo"]
    assert all(variable["datasource"] == DATASOURCE and variable["refresh"] == 2 for variable in variables)
    assert all(variable["multi"] and variable["includeAll"] and variable["allValue"] == ".*" for variable in variables)
    assert all(annotation["datasource"] == DATASOURCE for annotation in DASHBOARD["annotations"]["list"])


def test_no_panel_covers_another_or_leaves_the_grid() -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in panels(rows=True)]
    covered = [
        (one, other)
        for (one, a), (other, b) in combinations(places, 2)
        if a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
    ]

    assert covered == []
    assert [title for title, place in places if place["x"] + place["w"] > 24] == []


def test_only_metrics_that_are_exported_are_asked_for() -> None:
    assert {name for expression in ASKED for name in names(expression)} - set(EXPORTED) == set()


@pytest.mark.parametrize("expression", list(dict.fromkeys((*charted(), *marked()))))
def test_only_labels_that_the_metrics_have_are_asked_for(expression: str) -> None:
    assert labels(expression) - labels_of(names(expression)) == set()


def test_legends_name_only_labels_that_there_are() -> None:
    unknown = [
        (panel["title"], label)
        for panel in panels()
        for target in panel["targets"]
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
        if label not in labels_of(names(target["expr"])) | {"dry"}
    ]

    assert unknown == []


def test_every_metric_is_shown_or_watched_or_has_a_reason_not_to_be() -> None:
    seen = {name for expression in (*charted(), *marked(), *ruled()) for name in names(expression)}

    assert set(EXPORTED) - seen - set(UNCHARTED) == set()
    assert seen & set(UNCHARTED) == set()
    assert set(UNCHARTED) - set(EXPORTED) == set()


def test_every_panel_can_be_narrowed_to_a_cluster() -> None:
    assert [expression for expression in (*charted(), *marked()) if not narrowed(expression)] == []


def narrowed(expression: str) -> bool:
    """Whether each selector asks for the chosen clusters."""
    return all('cluster=~"$cluster"' in inner for inner in re.findall(r"\{([^}]*)\}", expression)) and "{cluster=~" in expression


def test_windows_follow_the_scrape_interval_and_the_time_that_is_looked_at() -> None:
    windows = {window for expression in (*charted(), *marked()) for window in re.findall(r"\[([^\]]*)\]", expression)}

    assert windows == {"$__rate_interval", "$__range"}


def test_what_a_run_has_pushed_is_never_added_up_over_time() -> None:
    added = [e for e in charted() if re.search(r"_run_\w+(\{[^}]*\})?\[", e)]

    assert added == []


def test_what_a_run_has_pushed_is_no_rate() -> None:
    """Beside queries by the hour, those of a run have a unit of their own."""
    wrong = [
        (panel["title"], target["refId"])
        for panel in panels()
        for target in panel["targets"]
        if "_run_" in target["expr"] and unit(panel, target["refId"]) == "suffix:/h"
    ]

    assert wrong == []


def unit(panel: Any, query: str) -> str:
    """In which unit a panel shows one of its queries."""
    told = [
        value["value"]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"] == {"id": "byFrameRefID", "options": query}
        for value in override["properties"]
        if value["id"] == "unit"
    ]
    return str([panel["fieldConfig"]["defaults"]["unit"], *told][-1])


def test_variables_list_the_gitrepos_of_services_and_of_runs() -> None:
    assert all('__name__=~"gitjob_cleaner_(run_)?jobs_retained' in selector for selector in listed())


def test_every_link_to_a_runbook_leads_to_one() -> None:
    links = {link["url"] for shown in (*panels(), DASHBOARD) for link in shown.get("links", ()) if link["type"] == "link"}
    named = {url.removeprefix(RUNBOOKS) for url in links if url.startswith(RUNBOOKS)} - {""}

    assert named
    assert sorted(name for name in named if not (ROOT / "docs/runbooks" / name).is_file()) == []


def test_every_link_leads_into_the_project() -> None:
    home = "https://github.com/gitjob-cleaner/gitjob-cleaner/blob/main/"
    links = [link["url"] for link in DASHBOARD["links"] if link["type"] == "link"]

    assert [url for url in links if not (ROOT / url.removeprefix(home)).exists()] == []


def test_the_rules_are_where_they_are_looked_for() -> None:
    assert RULES.is_file()
    assert ruled()
