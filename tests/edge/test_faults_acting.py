"""What goes wrong while deleting: it costs the Jobs that it touches, never a wrong deletion, and never a wrong count."""

import threading

import pytest

from cleaner.cluster import Refusal
from cleaner.result import exit_code
from tests.edge.faults import FORBIDDEN, Ahead, always, hurried, is_delete, refusal, stock
from tests.edge.passes import Passed, sweep
from tests.edge.roles import allow
from tests.edge.servers import GITREPOS, JOBS, names_of
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Answer, Fault, LoseAnswer, Proxy, Request, ResetBefore


@pytest.fixture
def second(control_plane: ControlPlane) -> str:
    """Another Namespace that no other test has seen."""
    return seed.namespace(control_plane)


def living(control_plane: ControlPlane, namespace: str) -> set[str]:
    """Names of the Jobs that are there."""
    return names_of(control_plane, JOBS.format(namespace))


def acted(control_plane: ControlPlane, since: int) -> int:
    """How many deletions of Jobs the API says that it did."""
    events = control_plane.audit(since)
    return sum(
        e["verb"] == "delete" and e["objectRef"]["resource"] == "jobs" and e["responseStatus"]["code"] == 200 for e in events
    )


def counted_truly(control_plane: ControlPlane, since: int, passed: Passed) -> bool:
    """Deleted <= what the server did <= deleted and unconfirmed."""
    sure, unsure = len(passed.of("deleted")), len(passed.of("unconfirmed"))
    return sure <= acted(control_plane, since) <= sure + unsure


def test_a_namespace_that_may_no_longer_be_read_is_spared_from_then_on(
    control_plane: ControlPlane, namespace: str, second: str
) -> None:
    """Two Jobs go; then six seconds pass, and the Namespace that must be read again is forbidden."""
    names, others = stock(control_plane, namespace, 8), stock(control_plane, second, 3)
    time = Ahead()
    path = f"/api/v1/namespaces/{namespace}"

    def rule(request: Request) -> Fault | None:
        if is_delete(request) and request.path.startswith(JOBS.format(namespace)) and request.path.endswith(names[1]):
            time.push(6)
        return FORBIDDEN if request.path == path and time.by and request.nth > 1 else None

    with Proxy(control_plane, rule) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url)
        passed = sweep(kubeconfig, f"{namespace},{second}", timer=time.clock(), delete_workers=1)

    assert living(control_plane, second) == {others[2]}
    assert living(control_plane, namespace) >= set(names[2:])
    assert [(r.namespace, r.what, r.denied) for r in passed.result.refused] == [(namespace, "read", True)]
    assert exit_code(passed.result) == 1


def test_after_one_refused_deletion_the_namespace_is_left_alone(control_plane: ControlPlane, namespace: str, second: str) -> None:
    names, others = stock(control_plane, namespace, 6), stock(control_plane, second, 4)
    allow(control_plane, "user-1", namespace, "delete")
    allow(control_plane, "user-1", second)

    with Proxy(control_plane) as proxy:
        kubeconfig = control_plane.kubeconfig(server=proxy.url, token="user-1")
        passed = sweep(kubeconfig, f"{namespace},{second}", delete_workers=1)

    refused = [s for s in proxy.seen if is_delete(s.request) and f"/{namespace}/" in s.request.path]
    assert [seen.status for seen in refused] == [403]
    assert (living(control_plane, namespace), living(control_plane, second)) == (set(names), {others[3]})
    assert [(r.namespace, r.what) for r in passed.result.refused] == [(namespace, "delete")]
    assert exit_code(passed.result) == 1


def test_a_gitrepo_that_cannot_be_read_again_keeps_its_jobs_and_no_others(control_plane: ControlPlane, namespace: str) -> None:
    broken, fine = stock(control_plane, namespace, 4, "broken"), stock(control_plane, namespace, 4, "fine")
    rule = always(refusal(500, "InternalError"), f"{GITREPOS.format(namespace)}/broken")

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=hurried())

    assert (passed.of("failed"), passed.of("deleted")) == (set(broken[:3]), set(fine[:3]))
    assert living(control_plane, namespace) == {*broken, fine[3]}
    assert exit_code(passed.result) == 1


def test_a_gitrepo_that_is_gone_at_the_second_look_keeps_its_jobs(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 4)

    passed = sweep(
        control_plane.kubeconfig(),
        namespace,
        between=lambda: control_plane.request("DELETE", f"{GITREPOS.format(namespace)}/shop"),
    )

    assert (living(control_plane, namespace), passed.fates()) == (set(names), {})


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        pytest.param(Answer(429, b"{}"), "failed", id="429 for good"),
        pytest.param(ResetBefore(), "failed", id="resets for good"),
        pytest.param(refusal(500, "InternalError"), "failed", id="500 for good"),
        pytest.param(refusal(422, "Invalid"), "failed", id="422"),
        pytest.param(LoseAnswer(), "unconfirmed", id="lost answers for good"),
    ],
)
def test_a_job_that_cannot_be_deleted_stops_no_other(
    control_plane: ControlPlane, namespace: str, fault: Fault, fate: str
) -> None:
    """What failed with a 5xx or a reset may have been done; a second look then says that the Job is still there."""
    names = stock(control_plane, namespace, 5)
    mark = control_plane.audit_end

    with Proxy(control_plane, always(fault, f"{JOBS.format(namespace)}/{names[1]}", "DELETE")) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=Ahead().clock())

    assert passed.of(fate) == {names[1]}
    assert passed.of("deleted") == {names[0], names[2], names[3]}
    assert counted_truly(control_plane, mark, passed)


def test_what_is_counted_lies_within_what_the_server_did(control_plane: ControlPlane, namespace: str) -> None:
    """Thirty deletions under every fault at once."""
    names = stock(control_plane, namespace, 31)
    kinds: list[Fault | None] = [None, LoseAnswer(), ResetBefore(), refusal(503, "ServiceUnavailable"), Answer(429, b"{}"), None]
    faults = {f"{JOBS.format(namespace)}/{name}": kinds[n % len(kinds)] for n, name in enumerate(names)}
    mark = control_plane.audit_end

    def rule(request: Request) -> Fault | None:
        return faults.get(request.path) if is_delete(request) and request.nth == 1 else None

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=hurried())

    assert (len(passed.of("deleted")), len(passed.of("unconfirmed"))) == (25, 5)
    assert acted(control_plane, mark) == 30
    assert living(control_plane, namespace) == {names[30]}


def test_a_server_that_dies_in_mid_sweep_costs_only_time() -> None:
    """It is killed after some deletions; the pass ends and says so. Started again, the next pass does the rest."""
    with ControlPlane(audit=True) as control_plane:
        control_plane.with_crd()
        namespace = seed.namespace(control_plane)
        names = stock(control_plane, namespace, 81)
        asked, lock = [0], threading.Lock()

        def brake() -> Refusal | None:
            with lock:
                asked[0] += 1
                if asked[0] == 70:
                    control_plane.kill_apiserver()
            return None

        passed = sweep(control_plane.kubeconfig(), namespace, timer=hurried(), brake=brake)
        control_plane.start_apiserver()
        left = living(control_plane, namespace)

        assert 0 < len(passed.of("deleted")) < 80
        assert passed.of("deleted").isdisjoint(left)
        assert set(names) - left <= passed.of("deleted") | passed.of("unconfirmed")
        assert counted_truly(control_plane, 0, passed)
        assert exit_code(passed.result) == 1
        again = sweep(control_plane.kubeconfig(), namespace)
        assert (again.of("deleted"), living(control_plane, namespace)) == (left - {names[80]}, {names[80]})


def test_many_gitrepos_of_a_slow_server_are_all_swept(control_plane: ControlPlane, namespace: str) -> None:
    """Reading all of them again takes longer than what was read stays fresh: then fewer must be read at a time."""
    for n in range(24):
        stock(control_plane, namespace, 2, f"app-{n}")
    time = Ahead()

    def rule(request: Request) -> None:
        if request.path.startswith(f"{GITREPOS.format(namespace)}/"):
            time.push(0.4)

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=time.clock())

    assert passed.fates() == {"deleted": 24}


def test_a_server_that_never_answers_fresh_enough_is_given_up(control_plane: ControlPlane, namespace: str) -> None:
    """Every look at the GitRepo takes longer than what it finds stays fresh: the Jobs stay, and the pass ends."""
    names = stock(control_plane, namespace, 4)
    time = Ahead()

    def rule(request: Request) -> None:
        if request.path == f"{GITREPOS.format(namespace)}/shop":
            time.push(6)

    with Proxy(control_plane, rule) as proxy:
        passed = sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=time.clock())

    assert (passed.of("failed"), living(control_plane, namespace)) == (set(names[:3]), set(names))
    assert exit_code(passed.result) == 1


def test_the_server_sees_who_asks(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, 2)

    with Proxy(control_plane) as proxy:
        sweep(control_plane.kubeconfig(server=proxy.url), namespace)

    assert {seen.request.headers["User-Agent"] for seen in proxy.seen} == {"gitjob-cleaner/test"}
