"""Several replicas: one deletes, another takes over, and none deletes when it can no longer prove that it may."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.edge.servers import JOBS, must
from tests.edge.serving import eventually
from tests.edge.test_service import living, stock
from tests.modes.serving import Running
from tests.modes.test_run import AT_ONCE
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Answer, Fault, Proxy, Request

TERM = 3.0
FLAGS = ("--leader-election", "--lease-duration", f"{TERM:.0f}s", *AT_ONCE)


@pytest.fixture
def home(control_plane: ControlPlane) -> str:
    """The cleaner's own Namespace."""
    return seed.namespace(control_plane)


@pytest.fixture
def supply(control_plane: ControlPlane, namespace: str) -> Iterator[list[str]]:
    """A new GitRepo with two due Jobs twice a second, for as long as the test takes; their names."""
    made: list[str] = []
    over = threading.Event()

    def make() -> None:
        while not over.wait(0.5):
            made.extend(stock(control_plane, namespace, "failed", "succeeded", name=f"shop-{len(made)}"))

    thread = threading.Thread(target=make)
    thread.start()
    yield made
    over.set()
    thread.join()


def deletions(control_plane: ControlPlane, mark: int) -> Counter[str]:
    """How often each Job was deleted with success, by the audit log."""
    events = [
        event for event in control_plane.audit(mark) if event["verb"] == "delete" and event["responseStatus"]["code"] == 200
    ]
    return Counter(event["objectRef"]["name"] for event in events if event["objectRef"]["resource"] == "jobs")


def test_one_of_two_deletes_and_the_other_takes_over(
    control_plane: ControlPlane, namespace: str, home: str, supply: list[str]
) -> None:
    mark = control_plane.audit_end
    flags = ("--namespaces", namespace, "--own-namespace", home, *FLAGS)
    with Running(control_plane.kubeconfig(), *flags) as one, Running(control_plane.kubeconfig(), *flags) as two:
        one.ready()
        two.ready()
        leader, standby = eventually(lambda: _ranks(one, two))
        eventually(lambda: leader.metric("jobs_deleted_total") >= 8)
        assert standby.metric("jobs_deleted_total") == 0
        assert "leads" in standby.get("/").text

        leader.kill()
        eventually(lambda: standby.metric("jobs_deleted_total") >= 8)
        assert standby.terminate() == 0
    count = len(supply)
    done = deletions(control_plane, mark)

    assert max(done.values()) == 1, "no Job was deleted twice"
    assert set(done) == set(supply[:count]) - living(control_plane, namespace)


def _ranks(one: Running, two: Running) -> list[Running]:
    """The leader and the standby, once there is exactly one of each."""
    ranks = {one.metric("leader"): one, two.metric("leader"): two}
    return [ranks[1.0], ranks[0.0]] if set(ranks) == {0.0, 1.0} else []


def test_one_that_ends_gives_the_lease_back(control_plane: ControlPlane, namespace: str, home: str) -> None:
    flags = ("--namespaces", namespace, "--own-namespace", home, *FLAGS)
    with Running(control_plane.kubeconfig(), *flags) as service:
        eventually(lambda: service.metric("leader") == 1)
        lease = f"/apis/coordination.k8s.io/v1/namespaces/{home}/leases"
        (held,) = must(control_plane.request("GET", lease))["items"]
        assert held["spec"]["holderIdentity"]
        assert service.terminate() == 0

    (released,) = must(control_plane.request("GET", lease))["items"]
    assert not released["spec"].get("holderIdentity")


def test_a_leader_that_cannot_renew_stops_before_another_may_begin(
    control_plane: ControlPlane, namespace: str, home: str, supply: list[str]
) -> None:
    ill = threading.Event()

    def rule(request: Request) -> Fault | None:
        return Answer(500, b"ill") if ill.is_set() and "/leases/" in request.path else None

    with (
        Proxy(control_plane, rule) as proxy,
        Running(
            control_plane.kubeconfig(server=proxy.url), "--namespaces", namespace, "--own-namespace", home, *FLAGS
        ) as service,
    ):
        eventually(lambda: service.metric("jobs_deleted_total") >= 4)
        ill.set()
        eventually(lambda: service.metric("leader") == 0)
        before = len(supply)
        eventually(lambda: len(supply) >= before + 12)
        seen = proxy.seen
        ill.clear()
        eventually(lambda: service.metric("leader") == 1)
        eventually(lambda: service.metric("backlog_jobs") <= 4)
        assert service.terminate() == 0

    renewed = max(each.began for each in seen if _renews(each.request) and each.status == 200)
    deleted = [each.began for each in seen if each.request.method == "DELETE"]
    assert deleted, "it did delete while it led"
    assert max(deleted) < renewed + TERM, "and none when another might have begun"
    assert max(deleted) < renewed + TERM * 2 / 3 + 0.5, "its own deadline is earlier"


def _renews(request: Request) -> bool:
    return "/leases" in request.path and request.method in ("PUT", "POST")


def test_the_pause_on_the_lease_is_kept_by_renewals_and_heeded(control_plane: ControlPlane, namespace: str, home: str) -> None:
    with Running(control_plane.kubeconfig(), "--namespaces", namespace, "--own-namespace", home, *FLAGS) as service:
        eventually(lambda: service.metric("leader") == 1)
        lease = f"/apis/coordination.k8s.io/v1/namespaces/{home}/leases/{_lease_name(control_plane, home)}"
        paused = {"metadata": {"annotations": {"gitjob-cleaner/pause": "true"}}}
        must(control_plane.request("PATCH", lease, paused, content_type="application/merge-patch+json"))
        threading.Event().wait(TERM)
        names = stock(control_plane, namespace, "failed", "failed")
        eventually(lambda: service.metric("paused") == 1)
        assert living(control_plane, namespace) == set(names)

        goes_on = {"metadata": {"annotations": {"gitjob-cleaner/pause": None}}}
        must(control_plane.request("PATCH", lease, goes_on, content_type="application/merge-patch+json"))
        eventually(lambda: living(control_plane, namespace) == set())
    assert must(control_plane.request("GET", JOBS.format(namespace)))["items"] == []


def _lease_name(control_plane: ControlPlane, home: str) -> str:
    (lease,) = must(control_plane.request("GET", f"/apis/coordination.k8s.io/v1/namespaces/{home}/leases"))["items"]
    return str(lease["metadata"]["name"])
