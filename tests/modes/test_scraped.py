"""Prometheus, the real one, scrapes a service: the counts that it stores equal what the API has lost."""

import pytest

from tests.edge.serving import eventually
from tests.edge.test_service import living, stock
from tests.modes.serving import Running
from tests.modes.test_leading import deletions
from tests.modes.test_run import AT_ONCE
from tests.world.control_plane import ControlPlane
from tests.world.prometheus import Prometheus

pytestmark = pytest.mark.system


def test_what_prometheus_stores_is_what_the_api_has_lost(control_plane: ControlPlane, namespace: str) -> None:
    mark = control_plane.audit_end
    flags = ("--namespaces", namespace, *AT_ONCE)
    with (
        Running(control_plane.kubeconfig(), *flags) as service,
        Prometheus([f"127.0.0.1:{service.port}"]) as prometheus,
    ):
        service.ready()
        eventually(lambda: prometheus.query("up == 1"))
        for n in range(5):
            stock(control_plane, namespace, "failed", "succeeded", "failed", name=f"shop-{n}")
            eventually(lambda: living(control_plane, namespace) == set())
        lost = deletions(control_plane, mark)
        eventually(lambda: stored(prometheus, "sum(gitjob_cleaner_jobs_deleted_total)") == lost.total() == 15)

        by_outcome = prometheus.query("sum by (outcome) (gitjob_cleaner_jobs_deleted_total)")
        assert {each["metric"]["outcome"]: float(each["value"][1]) for each in by_outcome} == {"failed": 10.0, "succeeded": 5.0}
        by_gitrepo = prometheus.query('sum by (gitrepo) (gitjob_cleaner_jobs_deleted_total{reason="superseded"})')
        assert {each["metric"]["gitrepo"]: float(each["value"][1]) for each in by_gitrepo} == {f"shop-{n}": 3.0 for n in range(5)}
        assert stored(prometheus, "sum(gitjob_cleaner_job_deletions_total{fate='deleted'})") == 15
        for nothing in ("jobs_retained", "backlog_jobs", "job_errors_total"):
            assert stored(prometheus, f"sum(gitjob_cleaner_{nothing})") in (None, 0.0)
        assert stored(prometheus, 'sum(gitjob_cleaner_api_requests_total{verb="delete",resource="jobs",code="200"})') == 15


def stored(prometheus: Prometheus, promql: str) -> float | None:
    """The one value of a query; None where there is none."""
    found = prometheus.query(promql)
    return float(found[0]["value"][1]) if found else None
