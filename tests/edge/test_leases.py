"""Our Lease over the real API and over the sandbox: who holds it, and what others have put there."""

import json
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cleaner.cluster import Clock, ClusterError, Conflict, Denied, Lease, Misconfigured, Throttled, Unreachable
from cleaner.kube import KubeCluster
from tests.edge.faults import refusal
from tests.edge.passes import cluster
from tests.edge.servers import LEASES, Server, must, patch
from tests.world.control_plane import ADMIN, ControlPlane
from tests.world.proxy import Answer, Delay, LoseAnswer, Proxy

LIMIT = 20.0
MICRO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def contender(server: Server, place: str, **limits: Any) -> KubeCluster:
    """One who would lead; the Lease is in this Namespace."""
    return cluster(server.kubeconfig(), own_namespace=place, **limits)


def stored(server: Server, place: str, name: str = "gitjob-cleaner") -> Any:
    """The Lease as the server has it."""
    return must(server.request("GET", f"{LEASES.format(place)}/{name}"))


def test_a_lease_is_made_read_and_renewed(server: Server, place: str) -> None:
    port = contender(server, place)
    assert port.lease(LIMIT) is None

    made = port.hold(None, "one", 15, LIMIT)
    first = stored(server, place)["spec"]
    renewed = port.hold(made, "one", 15, LIMIT)
    then = stored(server, place)["spec"]

    assert (made.holder, made.duration, made.transitions) == ("one", 15.0, 0)
    assert port.lease(LIMIT) == renewed
    assert renewed.version != made.version
    assert (first["holderIdentity"], first["leaseDurationSeconds"], first["leaseTransitions"]) == ("one", 15, 0)
    assert first["acquireTime"] == then["acquireTime"] == first["renewTime"]
    assert then["renewTime"] > first["renewTime"]
    assert MICRO.fullmatch(then["renewTime"])


def test_times_are_written_to_the_microsecond_in_utc(server: Server, place: str) -> None:
    timer = Clock(lambda: 1_700_000_000.000001, time.monotonic, time.sleep)
    cluster(server.kubeconfig(), timer, own_namespace=place).hold(None, "one", 15, LIMIT)

    assert stored(server, place)["spec"]["renewTime"] == "2023-11-14T22:13:20.000001Z"


@pytest.mark.parametrize(("asked", "written"), [(0.2, 1), (1, 1), (14.5, 15), (15, 15)])
def test_a_duration_is_whole_seconds_and_never_shorter_than_asked(server: Server, place: str, asked: float, written: int) -> None:
    contender(server, place).hold(None, "one", asked, LIMIT)

    assert stored(server, place)["spec"]["leaseDurationSeconds"] == written


def test_another_holder_is_a_transition(server: Server, place: str) -> None:
    one, two = contender(server, place), contender(server, place)
    before = one.hold(None, "one", 15, LIMIT)

    after = two.hold(two.lease(LIMIT), "two", 15, LIMIT)

    spec = stored(server, place)["spec"]
    assert (before.transitions, after.transitions, after.holder) == (0, 1, "two")
    assert spec["acquireTime"] == spec["renewTime"]


def test_of_two_who_make_it_one_has_a_conflict(server: Server, place: str) -> None:
    one, two = contender(server, place), contender(server, place)
    one.hold(None, "one", 15, LIMIT)

    with pytest.raises(Conflict, match="AlreadyExists"):
        two.hold(None, "two", 15, LIMIT)

    assert stored(server, place)["spec"]["holderIdentity"] == "one"


def test_of_two_who_take_it_one_has_a_conflict(server: Server, place: str) -> None:
    one, two = contender(server, place), contender(server, place)
    one.release(one.hold(None, "gone", 15, LIMIT), LIMIT)
    seen = [port.lease(LIMIT) for port in (one, two)]

    one.hold(seen[0], "one", 15, LIMIT)
    with pytest.raises(Conflict):
        two.hold(seen[1], "two", 15, LIMIT)

    assert stored(server, place)["spec"]["holderIdentity"] == "one"


def test_a_lease_that_is_gone_is_a_conflict_and_can_be_made_again(server: Server, place: str) -> None:
    port = contender(server, place)
    held = port.hold(None, "one", 15, LIMIT)
    must(server.request("DELETE", f"{LEASES.format(place)}/gitjob-cleaner"))

    with pytest.raises(Conflict):
        port.hold(held, "one", 15, LIMIT)

    assert port.lease(LIMIT) is None
    assert port.hold(None, "one", 15, LIMIT).holder == "one"


def test_what_was_seen_before_the_last_read_is_a_conflict_and_not_sent(server: Server, place: str) -> None:
    port = contender(server, place)
    old = port.hold(None, "one", 15, LIMIT)
    new = port.hold(old, "one", 15, LIMIT)

    with pytest.raises(Conflict, match="since"):
        port.hold(old, "one", 15, LIMIT)

    assert stored(server, place)["metadata"]["resourceVersion"] == new.version


def test_what_others_put_there_survives(server: Server, place: str) -> None:
    """A pause, a label, an owner and a field of the spec that we do not know."""
    port = contender(server, place)
    port.hold(None, "one", 15, LIMIT)
    extra = {"annotations": {"gitjob-cleaner/pause": "true"}, "labels": {"team": "east"}, "finalizers": ["example.com/mine"]}
    patch(server, f"{LEASES.format(place)}/gitjob-cleaner", {"metadata": extra})

    seen = port.lease(LIMIT)
    assert seen is not None
    renewed = port.hold(seen, "one", 15, LIMIT)
    after_renewal = stored(server, place)["metadata"]
    port.release(renewed, LIMIT)
    after_release = stored(server, place)["metadata"]

    for metadata in (after_renewal, after_release):
        assert {key: metadata[key] for key in extra} == extra
    assert port.paused() is not None
    patch(server, f"{LEASES.format(place)}/gitjob-cleaner", {"metadata": {"finalizers": None}})


def test_a_pause_that_comes_between_two_renewals_is_not_overwritten(server: Server, place: str) -> None:
    port = contender(server, place)
    held = port.hold(None, "one", 15, LIMIT)
    patch(server, f"{LEASES.format(place)}/gitjob-cleaner", {"metadata": {"annotations": {"gitjob-cleaner/pause": "true"}}})

    with pytest.raises(Conflict):
        port.hold(held, "one", 15, LIMIT)
    seen = port.lease(LIMIT)
    port.hold(seen, "one", 15, LIMIT)

    assert stored(server, place)["metadata"]["annotations"]["gitjob-cleaner/pause"] == "true"


def test_a_release_leaves_no_holder_and_a_seconds_duration(server: Server, place: str) -> None:
    port = contender(server, place)
    held = port.hold(None, "one", 15, LIMIT)
    before = stored(server, place)["spec"]

    port.release(held, LIMIT)

    after = stored(server, place)["spec"]
    assert (after.get("holderIdentity", ""), after["leaseDurationSeconds"]) == ("", 1)
    assert (after["acquireTime"], after["leaseTransitions"]) == (before["acquireTime"], before["leaseTransitions"])
    seen = port.lease(LIMIT)
    assert seen is not None
    assert (seen.holder, port.hold(seen, "two", 15, LIMIT).transitions) == ("", 1)


def test_a_lease_without_a_spec_is_one_that_nobody_holds(server: Server, place: str) -> None:
    """As an operator makes it who wants to annotate it before we run."""
    annotated = {"metadata": {"name": "gitjob-cleaner", "annotations": {"gitjob-cleaner/pause": "true"}}}
    must(server.request("POST", LEASES.format(place), annotated))
    port = contender(server, place)

    seen = port.lease(LIMIT)

    assert seen is not None
    assert (seen.holder, seen.duration, seen.transitions) == ("", 0.0, 0)
    assert port.hold(seen, "one", 15, LIMIT).holder == "one"
    assert stored(server, place)["metadata"]["annotations"] == annotated["metadata"]["annotations"]


def test_the_lease_has_the_name_that_it_is_given(server: Server, place: str) -> None:
    contender(server, place, lease="gitjob-cleaner-east").hold(None, "one", 15, LIMIT)

    assert stored(server, place, "gitjob-cleaner-east")["spec"]["holderIdentity"] == "one"


def test_without_a_namespace_of_our_own_nothing_is_asked(server: Server) -> None:
    port = cluster(server.kubeconfig())
    with pytest.raises(Misconfigured):
        port.lease(LIMIT)
    with pytest.raises(Misconfigured):
        port.hold(None, "one", 15, LIMIT)


def test_a_namespace_that_is_not_there_is_an_error(server: Server) -> None:
    port = contender(server, "no-such-namespace")

    assert port.lease(LIMIT) is None
    with pytest.raises(ClusterError):
        port.hold(None, "one", 15, LIMIT)


ANSWERS = [
    pytest.param(refusal(403, "Forbidden"), Denied, id="403"),
    pytest.param(refusal(429, "TooManyRequests"), Throttled, id="429"),
    pytest.param(refusal(500, "InternalError"), ClusterError, id="500"),
    pytest.param(Answer(200, b"<html>"), ClusterError, id="a page"),
    pytest.param(Answer(200, b"[]"), ClusterError, id="a list"),
    pytest.param(Answer(200, b'{"metadata":{}}'), ClusterError, id="no version"),
    pytest.param(Answer(200, b'{"metadata":{"resourceVersion":"1"},"spec":{"leaseDurationSeconds":"x"}}'), ClusterError, id="x"),
    pytest.param(Answer(404, b"404 page not found"), ClusterError, id="a page that says 404"),
    pytest.param(LoseAnswer(), Unreachable, id="no answer"),
]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize(("fault", "kind"), ANSWERS)
def test_a_fault_is_an_error_by_meaning_and_one_request(
    control_plane: ControlPlane, namespace: str, fault: Any, kind: type[ClusterError], method: str
) -> None:
    with Proxy(control_plane) as proxy:
        port = cluster(control_plane.kubeconfig(server=proxy.url), own_namespace=namespace)
        seen = port.hold(None, "one", 15, LIMIT) if method == "PUT" else None
        proxy.forget()
        proxy.rule = lambda _: fault
        with pytest.raises(ClusterError) as raised:
            _ = port.lease(LIMIT) if method == "GET" else port.hold(seen, "one", 15, LIMIT)

    # A 404 to a PUT, from whomever: the Lease has to be read again.
    assert type(raised.value) is (Conflict if method == "PUT" and getattr(fault, "status", 0) == 404 else kind)
    assert [one.request.method for one in proxy.seen] == [method]


def test_no_answer_within_the_limit_is_unreachable(control_plane: ControlPlane, namespace: str) -> None:
    with Proxy(control_plane, lambda _: Delay(60)) as proxy:
        port = cluster(control_plane.kubeconfig(server=proxy.url), request_timeout=120, own_namespace=namespace)

        with pytest.raises(Unreachable):
            port.lease(0.5)
        with pytest.raises(Unreachable):
            port.hold(None, "one", 15, 0.5)


def test_rotated_credentials_cost_one_renewal(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """A write is not repeated after a 401: the next one goes out with the credentials that have just been loaded."""
    with Proxy(control_plane) as proxy:
        kubeconfig = with_token(control_plane, proxy, tmp_path, ADMIN)
        port = cluster(kubeconfig, own_namespace=namespace)
        held = port.hold(None, "one", 15, LIMIT)
        kubeconfig.write_text(kubeconfig.read_text().replace(ADMIN, "user-1"))
        proxy.rule = lambda request: refusal(401, "Unauthorized") if request.headers["authorization"].endswith(ADMIN) else None
        allow(control_plane, namespace, "user-1")

        with pytest.raises(Denied, match="401"):
            port.hold(held, "one", 15, LIMIT)
        renewed = port.hold(held, "one", 15, LIMIT)

    assert renewed.version != held.version
    assert [seen.status for seen in proxy.seen if seen.request.method == "PUT"] == [401, 200]


def with_token(control_plane: ControlPlane, proxy: Proxy, folder: Path, token: str) -> Path:
    """A kubeconfig through a proxy."""
    path = control_plane.kubeconfig(folder / "kubeconfig", token=token, server=proxy.url)
    assert token in json.dumps(json.loads(path.read_text()))
    return path


def allow(control_plane: ControlPlane, namespace: str, user: str) -> None:
    """Let a user hold Leases."""
    place = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rules = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}]
    must(control_plane.request("POST", f"{place}/roles", {"metadata": {"name": "lead"}, "rules": rules}))
    whom = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
    role = {"kind": "Role", "name": "lead", "apiGroup": "rbac.authorization.k8s.io"}
    must(
        control_plane.request("POST", f"{place}/rolebindings", {"metadata": {"name": "lead"}, "subjects": whom, "roleRef": role})
    )


def test_one_lease_is_one_value(server: Server, place: str) -> None:
    port = contender(server, place)
    made = port.hold(None, "one", 15, LIMIT)

    there = stored(server, place)
    renewed = datetime.fromisoformat(there["spec"]["renewTime"]).timestamp()
    assert made == Lease("one", 15.0, there["metadata"]["resourceVersion"], 0, renewed)
