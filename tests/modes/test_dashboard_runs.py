"""A CronJob that succeeds, fails, succeeds: after each run the dashboard's own queries show its totals and the last success."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.serving import eventually
from tests.edge.test_service import stock
from tests.modes.pushing import PLACE, nowhere, sandbox, sweep
from tests.ship.charted import panels, substituted
from tests.world.prometheus import Prometheus
from tests.world.pushgateway import Pushgateway

pytestmark = pytest.mark.system


@pytest.fixture
def gateway() -> Iterator[Pushgateway]:
    with Pushgateway() as started:
        yield started


@pytest.fixture
def prometheus(gateway: Pushgateway) -> Iterator[Prometheus]:
    job = {"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [gateway.address]}]}
    every = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    with Prometheus(config=json.dumps({"global": every, "scrape_configs": [job]})) as scraping:
        yield scraping


def shown(prometheus: Prometheus, title: str, column: int) -> float | None:
    """What a panel shows for one of its queries; None where there is nothing."""
    (panel,) = [panel for panel in panels() if panel["title"] == title]
    found = prometheus.query(substituted(panel["targets"][column]["expr"]))
    return sum(float(series["value"][1]) for series in found) if found else None


def numbers(prometheus: Prometheus) -> dict[str, float | None]:
    """What an operator of a CronJob looks at."""
    return {
        "result": shown(prometheus, "Result", 0),
        "deleted": shown(prometheus, "Deleted", 1),
        "errors": shown(prometheus, "Errors", 1),
        "kept": shown(prometheus, "Most Jobs kept", 0),
        "backlog": shown(prometheus, "Backlog", 1),
    }


def succeeded(prometheus: Prometheus) -> float:
    """When the last success was, as the table of the last runs tells, in milliseconds."""
    return shown(prometheus, "The last runs", 2) or 0.0


def test_the_dashboard_follows_a_success_a_failure_and_a_success(
    prometheus: Prometheus, gateway: Pushgateway, tmp_path: Path
) -> None:
    with sandbox(tmp_path) as server:
        assert sweep(server, gateway.url).code == 0
        well = {"result": 0, "deleted": 2, "errors": 0, "kept": 1, "backlog": 0}
        eventually(lambda: numbers(prometheus) == well, lambda: numbers(prometheus))
        first = succeeded(prometheus)
        assert first > 0

        assert sweep(nowhere(tmp_path), gateway.url).code == 4
        failed = well | {"result": 4, "deleted": 0}
        eventually(lambda: numbers(prometheus) == failed, lambda: numbers(prometheus))
        assert succeeded(prometheus) == first
        assert (shown(prometheus, "Last success", 1) or 0) > 0

        stock(server, PLACE, "failed", "failed", "failed", "failed", name="till")
        assert sweep(server, gateway.url).code == 0
        again = well | {"deleted": 3, "kept": 2}
        eventually(lambda: numbers(prometheus) == again, lambda: numbers(prometheus))
        assert succeeded(prometheus) > first
