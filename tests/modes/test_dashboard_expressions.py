"""Every expression that is shipped, asked of the real Prometheus beside a real demo: each is understood, and has an answer."""

import re
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest

from docs.generate import QUERIES
from tests.modes.observed import observed
from tests.ship.charted import advised, charted, listed, marked, ruled, substituted
from tests.world.prometheus import Prometheus

pytestmark = pytest.mark.system

PATIENCE = 120.0
"""Seconds until each question must have had an answer: some are of what comes and goes, such as what is due next."""

NOT_YET = re.compile(r"gitjob_cleaner_(job|pod)_errors_total")
"""Counters of a service that has no errors are to begin at zero for nobody in particular; until then a demo has none of these."""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with observed(tmp_path_factory.mktemp("observed")) as scraping:
        yield scraping


def unanswered(ask: Callable[[str], Collection[Any]], expressions: Collection[str]) -> list[str]:
    """The expressions that had no series in all the time."""
    left, until = list(dict.fromkeys(expressions)), time.monotonic() + PATIENCE
    while left and time.monotonic() < until:
        left = [expression for expression in left if not ask(substituted(expression))]
    return left


def without_bound(expression: str) -> str:
    """What a question compares with a number at its end."""
    return re.sub(r"\s*(?:[<>]=?|[!=]=)\s*[\d\s*]+$", "", expression)


def selectors(expression: str) -> list[str]:
    """What an expression reads: an alert has no series while all is well, but what it looks at has."""
    found = re.findall(r"(?<![\w:])[a-z_]+:[\w:]+|\bgitjob_cleaner_\w+(?:\{[^}]*\})?", expression)
    return [f"last_over_time({selector}[1m])" for selector in found]


def test_every_panel_has_a_series(prometheus: Prometheus) -> None:
    assert unanswered(prometheus.query, list(charted())) == []


def test_every_annotation_has_a_series_but_for_its_bound(prometheus: Prometheus) -> None:
    assert unanswered(prometheus.query, [without_bound(expression) for expression in marked()]) == []


def test_every_variable_has_values(prometheus: Prometheus) -> None:
    assert unanswered(lambda selector: prometheus.api("series", **{"match[]": selector}), list(listed())) == []


def test_every_question_of_the_docs_has_a_series_but_for_its_bound(prometheus: Prometheus) -> None:
    asked = [without_bound(query) for query in QUERIES.values() if not NOT_YET.search(query)]

    assert unanswered(prometheus.query, asked) == []


def test_every_expression_is_understood(prometheus: Prometheus) -> None:
    for expression in (*charted(), *marked(), *ruled(), *advised(), *QUERIES.values()):
        prometheus.query(substituted(expression))  # raises what Prometheus says of one that it cannot read


def test_all_that_rules_and_runbooks_look_at_is_there(prometheus: Prometheus) -> None:
    looked_at = [selector for expression in (*ruled(), *advised()) for selector in selectors(expression)]

    assert unanswered(prometheus.query, [selector for selector in looked_at if not NOT_YET.search(selector)]) == []
