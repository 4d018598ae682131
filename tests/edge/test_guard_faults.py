"""The guard while things go wrong: whatever fails, a GitRepo goes within the bound, and no finalizer but ours is touched."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cleaner.model import GUARD
from tests.edge.faults import FORBIDDEN, refusal
from tests.edge.guarding import (
    EVENTS,
    FLEETS,
    PODS,
    delete,
    events_of,
    finalizers_of,
    fleet_lets_go,
    free,
    guarding,
    put_gitrepo,
    put_pod,
)
from tests.edge.roles import RBAC
from tests.edge.servers import GITREPOS, must, names_of, patch
from tests.edge.serving import eventually
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Answer, Before, Delay, Fault, LoseAnswer, Proxy, Request, ResetBefore

SHORT = 2.0
"""A bound that a test can wait for."""

BEFORE, AFTER = "example.com/before", "example.com/after"
BROKEN = refusal(500, "InternalError")


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[Proxy]:
    """A proxy; when the test is over, no patch that passed may have named any finalizer but ours."""
    with Proxy(control_plane) as through:
        yield through
    for seen in through.seen:
        if seen.request.method == "PATCH":
            assert only_ours(json.loads(seen.request.body)), seen.request.body


def only_ours(steps: list[dict[str, Any]]) -> bool:
    """Whether a JSON patch tests what it was made for, and adds or removes our finalizer alone."""
    version, *rest = steps
    assert (version["op"], version["path"]) == ("test", "/metadata/resourceVersion")
    if len(rest) == 1:
        return rest[0]["op"] == "add" and rest[0]["value"] in (GUARD, [GUARD])
    test, removal = rest
    return (test["op"], test["value"], removal["op"], test["path"]) == ("test", GUARD, "remove", removal["path"])


def on(method: str, path: str, fault: Fault, times: int = 10**6) -> Callable[[Request], Fault | None]:
    """Requests of this method whose path begins so suffer, the first ones of each path."""
    return lambda request: (
        fault
        if request.method == method and request.path.startswith(path) and request.nth <= times and not request.watch
        else None
    )


def leaving(control_plane: ControlPlane, namespace: str, name: str = "shop", **given: Any) -> Any:
    """A GitRepo that we hold, with an orphaned Pod, which was deleted while nobody guarded."""
    made = put_gitrepo(control_plane, namespace, name, FLEETS, GUARD, **given)
    put_pod(control_plane, made, f"orphan-of-{name}")
    delete(control_plane, namespace, name)
    return made


def test_who_writes_between_our_reading_and_our_patch_is_not_undone(
    control_plane: ControlPlane, namespace: str, proxy: Proxy
) -> None:
    put_gitrepo(control_plane, namespace)
    path = f"{GITREPOS.format(namespace)}/shop"

    def another_writes() -> None:
        patch(control_plane, path, {"metadata": {"finalizers": [BEFORE, FLEETS, AFTER]}})

    proxy.rule = on("PATCH", path, Before(another_writes), times=1)
    with guarding(control_plane.kubeconfig(server=proxy.url), namespace) as guard:
        eventually(lambda: finalizers_of(control_plane, namespace) == [BEFORE, FLEETS, AFTER, GUARD])

        def another_writes_again() -> None:
            patch(control_plane, path, {"metadata": {"finalizers": [FLEETS, GUARD]}})

        proxy.forget()
        proxy.rule = on("PATCH", path, Before(another_writes_again), times=1)
        delete(control_plane, namespace)
        free(control_plane, namespace)

        assert guard.troubles() == []
    patches = [seen.server_status for seen in proxy.seen if seen.request.method == "PATCH"]
    assert patches == [422, 200]


PAGE = Answer(200, b"<html>please sign in</html>")


@pytest.mark.parametrize("fault", [LoseAnswer(), ResetBefore(), BROKEN, refusal(429, "TooManyRequests"), PAGE], ids=str)
def test_a_patch_in_trouble_is_sent_again(control_plane: ControlPlane, namespace: str, proxy: Proxy, fault: Fault) -> None:
    leaving(control_plane, namespace)
    proxy.rule = on("PATCH", GITREPOS.format(namespace), fault, times=2)
    with guarding(control_plane.kubeconfig(server=proxy.url), namespace):
        free(control_plane, namespace)
    fleet_lets_go(control_plane, namespace)


def test_a_patch_that_is_refused_for_a_while_is_tried_again(control_plane: ControlPlane, namespace: str, proxy: Proxy) -> None:
    leaving(control_plane, namespace)
    proxy.rule = on("PATCH", GITREPOS.format(namespace), FORBIDDEN, times=2)
    with guarding(control_plane.kubeconfig(server=proxy.url), namespace) as guard:
        free(control_plane, namespace)

        assert len(guard.troubles("release")) == 2


def test_an_event_that_is_refused_holds_nothing_up(control_plane: ControlPlane, namespace: str, proxy: Proxy) -> None:
    leaving(control_plane, namespace, failed=True)
    proxy.rule = on("POST", EVENTS.format(namespace), FORBIDDEN)
    with guarding(control_plane.kubeconfig(server=proxy.url), namespace) as guard:
        free(control_plane, namespace)

        assert [text[:9] for text in guard.troubles("tell")] == ["no Event:"]
        assert guard.errors() != [""]
    assert events_of(control_plane, namespace) == []
    assert names_of(control_plane, PODS.format(namespace)) == set()


@pytest.mark.parametrize("method", ["DELETE", "GET"])
def test_what_we_may_not_do_to_pods_holds_nothing_up(
    control_plane: ControlPlane, namespace: str, proxy: Proxy, method: str
) -> None:
    """It is known at once that it will not be allowed later, so the bound is not waited for."""
    leaving(control_plane, namespace, failed=True)
    proxy.rule = on(method, PODS.format(namespace), FORBIDDEN)
    with guarding(control_plane.kubeconfig(server=proxy.url), namespace, bound=3600.0) as guard:
        free(control_plane, namespace)

        assert guard.troubles("clear")
        assert guard.errors() != [""]
    assert names_of(control_plane, PODS.format(namespace)) == {"orphan-of-shop"}


def test_pods_that_cannot_be_deleted_hold_nothing_up_beyond_the_bound(
    control_plane: ControlPlane, namespace: str, proxy: Proxy
) -> None:
    leaving(control_plane, namespace)
    proxy.rule = on("DELETE", PODS.format(namespace), BROKEN)
    with guarding(control_plane.kubeconfig(server=proxy.url), namespace, bound=SHORT) as guard:
        free(control_plane, namespace)

        assert guard.let_go() == [f"{SHORT:g}s have passed without deleting its Pods"]
    assert names_of(control_plane, PODS.format(namespace)) == {"orphan-of-shop"}


def test_pods_that_can_be_deleted_after_a_while_are(control_plane: ControlPlane, namespace: str, proxy: Proxy) -> None:
    leaving(control_plane, namespace)
    proxy.rule = on("DELETE", PODS.format(namespace), BROKEN, times=6)
    with guarding(control_plane.kubeconfig(server=proxy.url), namespace) as guard:
        free(control_plane, namespace)

        assert guard.let_go() == ["it leaves"]
    assert names_of(control_plane, PODS.format(namespace)) == set()


def test_answers_that_never_come_hold_nobody_up_beyond_the_bound(
    control_plane: ControlPlane, namespace: str, proxy: Proxy
) -> None:
    """More of them leave than there are threads to say farewell: the last ones have no turn at all before their time is up."""
    names = [f"shop-{n}" for n in range(6)]
    for name in names:
        leaving(control_plane, namespace, name)
    proxy.rule = on("GET", PODS.format(namespace), Delay(10.0))
    with guarding(control_plane.kubeconfig(server=proxy.url), namespace, bound=SHORT, request_timeout=1.0) as guard:
        for name in names:
            free(control_plane, namespace, name)

        assert set(guard.let_go(len(names))) == {f"{SHORT:g}s have passed without telling its last error and deleting its Pods"}
        assert [seen for seen in proxy.seen if seen.request.path == PODS.format(namespace) and seen.server_status] == []


CROWD = 48


def crowd(control_plane: ControlPlane, namespace: str, *finalizers: str) -> None:
    """So many GitRepos that stay that seeing to them one after the other takes longer than the bound."""
    wanted = [seed.gitrepo(namespace, f"crowd-{n}", metadata={"finalizers": list(finalizers)}) for n in range(CROWD)]
    seed.put(control_plane, wanted)


def test_none_that_leaves_waits_until_all_that_stay_are_held(control_plane: ControlPlane, namespace: str, proxy: Proxy) -> None:
    crowd(control_plane, namespace, FLEETS)
    leaving(control_plane, namespace)
    proxy.rule = on("PATCH", f"{GITREPOS.format(namespace)}/crowd", Delay(0.5))
    with guarding(control_plane.kubeconfig(server=proxy.url), namespace, bound=SHORT) as guard:
        assert guard.let_go() == ["it leaves"]
    assert names_of(control_plane, PODS.format(namespace)) == set()


def test_none_that_leaves_waits_until_all_that_are_not_ours_are_let_go(
    control_plane: ControlPlane, namespace: str, proxy: Proxy
) -> None:
    """Not even one that was to be let go when it left."""
    crowd(control_plane, namespace, FLEETS, GUARD)
    put_gitrepo(control_plane, namespace, "shop", FLEETS, GUARD)
    proxy.rule = on("PATCH", f"{GITREPOS.format(namespace)}/crowd", Delay(0.5))
    with guarding(control_plane.kubeconfig(server=proxy.url), namespace, selector="ours", bound=SHORT) as guard:
        eventually(lambda: guard.guardian.roster.counts()[1])
        delete(control_plane, namespace)
        free(control_plane, namespace)

        assert len(guard.let_go()) < CROWD


def test_a_guard_that_may_do_no_more_than_its_docs_say_does_all_of_it(control_plane: ControlPlane, namespace: str) -> None:
    rules = [
        {"apiGroups": ["fleet.cattle.io"], "resources": ["gitrepos"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
    ]
    place = f"{RBAC}/namespaces/{namespace}"
    must(control_plane.request("POST", f"{place}/roles", {"metadata": {"name": "guard"}, "rules": rules}))
    whom = [{"kind": "User", "name": "user-7", "apiGroup": "rbac.authorization.k8s.io"}]
    role = {"kind": "Role", "name": "guard", "apiGroup": "rbac.authorization.k8s.io"}
    must(
        control_plane.request("POST", f"{place}/rolebindings", {"metadata": {"name": "guard"}, "subjects": whom, "roleRef": role})
    )
    leaving(control_plane, namespace, failed=True)
    with guarding(control_plane.kubeconfig(token="user-7"), namespace) as guard:
        free(control_plane, namespace)

        assert guard.troubles() == []
    assert [reason for reason, _ in events_of(control_plane, namespace)] == ["LastError"]
    assert names_of(control_plane, PODS.format(namespace)) == set()


def test_a_namespace_that_goes_is_not_held_up(control_plane: ControlPlane, namespace: str) -> None:
    """It takes no Event any more; what is in it must go all the same."""
    leaving(control_plane, namespace, failed=True)
    must(control_plane.request("DELETE", f"/api/v1/namespaces/{namespace}"))
    with guarding(control_plane.kubeconfig(), namespace) as guard:
        free(control_plane, namespace)

        assert any("being terminated" in text for text in guard.troubles("tell"))
    fleet_lets_go(control_plane, namespace)
