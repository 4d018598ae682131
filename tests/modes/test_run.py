"""`run`, as an operator starts and stops it."""

import signal
import socket
import time

import pytest

from tests.edge.servers import GITREPOS, JOBS, MERGE, must
from tests.edge.serving import eventually
from tests.edge.test_service import living, repo, stock
from tests.modes.running import run
from tests.modes.serving import Running
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Delay, Fault, Proxy, Request

AT_ONCE = ("--settle", "0s", "--failed-age", "0s", "--failed-keep", "0", "--succeeded-age", "0s", "--delete-rate", "0")


def test_it_cleans_as_jobs_come_due_and_tells_and_ends(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, "failed", "failed", "succeeded")
    kubeconfig = control_plane.kubeconfig()

    with Running(kubeconfig, "--namespaces", namespace, *AT_ONCE) as service:
        service.ready()
        eventually(lambda: living(control_plane, namespace) == set())
        made = repo(namespace, "blog")
        seed.put(control_plane, [made, seed.job(made, made.object["status"]["commit"], "failed", finished=seed.ago(hours=1))])
        sha = {"status": {"commit": seed.sha("next"), "pollingCommit": seed.sha("next")}}
        eventually(lambda: service.metric("jobs_retained", reason="current") == 1)
        must(control_plane.request("PATCH", f"{GITREPOS.format(namespace)}/blog/status", sha, content_type=MERGE))
        eventually(lambda: living(control_plane, namespace) == set())

        eventually(lambda: service.metric("jobs_deleted_total", gitrepo="blog", outcome="failed", reason="superseded") == 1)
        assert service.metric("jobs_deleted_total", gitrepo="shop") == 3
        assert service.metric("jobs_retained") == service.metric("backlog_jobs") == 0
        assert service.metric("lateness_seconds_count") == 1
        assert [service.get(path).status for path in ("/healthz", "/", "/metrics", "/nothing")] == [200, 200, 200, 404]
        assert "blog" in service.get("/").text
        assert service.terminate() == 0

    assert len(service.logged("deleted")) == 4
    assert {line["sweep"] for line in service.logged("deleted")} <= {line["sweep"] for line in service.logged("swept")}


def test_its_events_are_on_the_gitrepo_and_can_be_switched_off(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, "failed", "failed")
    events = f"/api/v1/namespaces/{namespace}/events"

    with Running(control_plane.kubeconfig(), "--namespaces", namespace, *AT_ONCE) as service:
        found = eventually(lambda: must(control_plane.request("GET", events))["items"])
        assert service.terminate() == 0
    assert [(event["reason"], event["involvedObject"]["name"]) for event in found] == [("JobsCleaned", "shop")]

    stock(control_plane, namespace, "failed", name="blog")
    with Running(control_plane.kubeconfig(), "--namespaces", namespace, "--no-events", *AT_ONCE) as service:
        eventually(lambda: living(control_plane, namespace) == set())
        assert service.terminate() == 0
    assert len(must(control_plane.request("GET", events))["items"]) == 1


def test_a_dry_run_serves_and_deletes_nothing(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, "failed", "failed")

    with Running(control_plane.kubeconfig(), "--namespaces", namespace, "--dry-run", *AT_ONCE) as service:
        eventually(lambda: service.metric("jobs_would_be_deleted_total") == 2)
        assert (service.metric("jobs_deleted_total"), service.metric("dry_run")) == (0, 1)
        assert "DRY RUN" in service.get("/").text
    assert living(control_plane, namespace) == set(names)


def test_an_api_that_is_away_at_the_start_is_waited_for(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, "failed")
    kubeconfig = control_plane.kubeconfig(server="https://127.0.0.1:1")

    with Running(kubeconfig, "--namespaces", namespace, *AT_ONCE) as service:
        eventually(lambda: service.logged("swept"), lambda: "".join(service.lines))
        assert service.logged("swept")[0]["outcome"] == "unreachable"
        assert [service.get(path).status for path in ("/healthz", "/readyz")] == [200, 503]
        assert service.terminate() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_the_first_list_ends_it_within_ten_seconds(
    control_plane: ControlPlane, namespace: str, number: signal.Signals
) -> None:
    stock(control_plane, namespace, "failed")
    begun: list[str] = []

    def slow(request: Request) -> Fault | None:
        if not request.path.endswith("/jobs"):
            return None
        begun.append(request.path)
        return Delay(30.0)

    with Proxy(control_plane, slow) as proxy:
        service = Running(control_plane.kubeconfig(server=proxy.url), "--namespaces", namespace)
        with service:
            eventually(lambda: begun)
            asked = time.monotonic()
            assert service.terminate(number) == 0
            assert time.monotonic() - asked < 10.0


def test_an_address_that_cannot_be_had_is_refused_in_one_line(control_plane: ControlPlane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = run("run", "--listen", address, kubeconfig=control_plane.kubeconfig())

    assert said.code == 2
    assert said.err.splitlines() == [f"gitjob-cleaner: listen: '{address}' cannot be had: Address already in use"]


def test_an_election_without_a_place_for_its_lease_is_refused_in_one_line(control_plane: ControlPlane) -> None:
    said = run("run", "--leader-election", kubeconfig=control_plane.kubeconfig())

    assert said.code == 2
    (line,) = said.err.splitlines()
    assert "own_namespace" in line


def test_jobs_that_are_needed_stay_however_long_it_runs(control_plane: ControlPlane, namespace: str) -> None:
    made = repo(namespace)
    current = seed.job(made, made.object["status"]["commit"], "failed", finished=seed.ago(hours=900))
    seed.put(control_plane, [made, current])

    with Running(control_plane.kubeconfig(), "--namespaces", namespace, "--interval", "10s", *AT_ONCE) as service:
        eventually(lambda: service.metric("sweeps_total", trigger="interval") >= 1)
    assert living(control_plane, namespace) == {current.object["metadata"]["name"]}
    assert must(control_plane.request("GET", JOBS.format(namespace)))
