"""`gitjob-cleaner guard` as a process that is killed at every step, and `gitjob-cleaner release`."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cleaner.model import GUARD
from tests.edge.faults import FORBIDDEN
from tests.edge.guarding import (
    EVENTS,
    FLEETS,
    PODS,
    delete,
    events_of,
    finalizers_of,
    fleet_lets_go,
    free,
    held,
    put_gitrepo,
    put_pod,
)
from tests.edge.roles import RBAC
from tests.edge.servers import GITREPOS, JOBS, must, names_of
from tests.edge.serving import eventually
from tests.modes.running import run
from tests.modes.serving import Running
from tests.modes.terminal import on_a_terminal
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Fault, Proxy, Request, ResetBefore, Rewrite

POINTS = [
    ("before telling", "GET", PODS, True),
    ("before the Event", "POST", EVENTS, True),
    ("after telling", "POST", EVENTS, False),
    ("before the first Pod", "DELETE", PODS, True),
    ("after the first Pod", "DELETE", PODS, False),
    ("after the second Pod", "DELETE", PODS, False),
    ("before the patch", "PATCH", GITREPOS, True),
    ("after the patch", "PATCH", GITREPOS, False),
]
"""What the guard is killed at, in the order of its steps: before the API sees the request, or before its answer is seen."""


class GuardProcess(Running):
    """A guard under way."""

    COMMAND = ("guard",)


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(control_plane) as through:
        yield through


def deadly(kill: Callable[[], None], method: str, path: str, *, before: bool) -> Callable[[Request], Fault | None]:
    """The process dies at the first request of this kind; what it asks for afterwards, if anything, is not heard."""
    dead: list[bool] = []

    def die(body: bytes) -> bytes:
        dead.append(True)
        kill()
        return body

    def rule(request: Request) -> Fault | None:
        if dead:
            return ResetBefore()
        if request.method != method or not request.path.startswith(path) or request.watch:
            return None
        if not before:
            return Rewrite(die)
        die(b"")
        return ResetBefore()

    return rule


def stock(control_plane: ControlPlane, namespace: str) -> set[str]:
    """A GitRepo of Fleet's with a failed Job and its Pod, a Job that runs, and three orphaned Pods; the names of its Jobs."""
    made = put_gitrepo(control_plane, namespace)
    jobs = seed.put(control_plane, [seed.job(made, seed.sha("head"), "failed"), seed.job(made, seed.sha("next"), "running")])
    put_pod(control_plane, made, "of-the-job", message="the error", job=jobs[0])
    for n in range(3):
        put_pod(control_plane, made, f"orphan-{n}")
    return {job["metadata"]["name"] for job in jobs}


def test_a_guard_that_is_killed_at_every_step_in_turn_leaves_nothing_stuck_and_nothing_behind(
    control_plane: ControlPlane, namespace: str, proxy: Proxy, tmp_path: Path
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("delete_workers: 1\n")  # one Pod after the other, so that it can die between two
    jobs = stock(control_plane, namespace)
    through = control_plane.kubeconfig(server=proxy.url)
    flags = ("--namespaces", namespace, "--config", str(config))
    with GuardProcess(through, *flags):
        held(control_plane, namespace)
    delete(control_plane, namespace)  # while no guard runs

    for name, method, path, before in POINTS:
        assert finalizers_of(control_plane, namespace) == [FLEETS, GUARD], name
        with GuardProcess(through, *flags) as guard:
            proxy.rule = deadly(guard.process.kill, method, path.format(namespace), before=before)
            guard.process.wait(60)
            assert guard.process.returncode == -9, name
        proxy.rule = None

    with GuardProcess(through, *flags) as guard:
        free(control_plane, namespace)
        guard.ready()
        assert guard.terminate() == 0
    assert names_of(control_plane, PODS.format(namespace)) == {"of-the-job"}
    assert names_of(control_plane, JOBS.format(namespace)) == jobs
    told = {message for _, message in events_of(control_plane, namespace)}
    assert told == {"last error of a GitRepo that is being deleted: the error"}
    assert patches_are_ours(proxy)
    fleet_lets_go(control_plane, namespace)


def patches_are_ours(proxy: Proxy) -> bool:
    """Whether every patch names our finalizer, and no other."""
    bodies = [seen.request.body for seen in proxy.seen if seen.request.method in ("PATCH", "PUT")]
    values = [step.get("value") for body in bodies for step in json.loads(body) if "finalizers" in step["path"]]
    return bool(bodies) and all(value in (GUARD, [GUARD], None) for value in values) and all(FLEETS not in str(b) for b in bodies)


def test_two_processes_at_once_do_no_harm_and_end_when_asked(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace)
    config = control_plane.kubeconfig()
    with GuardProcess(config, "--namespaces", namespace) as one, GuardProcess(config, "--namespaces", namespace) as two:
        held(control_plane, namespace)
        one.ready()
        two.ready()
        assert one.get("/healthz").status == two.get("/healthz").status == 200
        eventually(lambda: one.metric("guard_gitrepos", state="held") == 1 and two.metric("guard_gitrepos", state="held") == 1)
        delete(control_plane, namespace)
        free(control_plane, namespace)
        eventually(lambda: one.metric("guard_last_errors_total") + two.metric("guard_last_errors_total") >= 1)
        eventually(lambda: one.metric("guard_pods_deleted_total") + two.metric("guard_pods_deleted_total") >= 1)
        eventually(lambda: one.metric("guard_releases_total") + two.metric("guard_releases_total") >= 1)

        assert one.terminate() == two.terminate() == 0
        released = one.logged("released") + two.logged("released")
        leaves = one.logged("a GitRepo leaves") + two.logged("a GitRepo leaves")
    assert {line["gitrepo"] for line in released} == {"shop"}
    assert {line["last_error"] for line in leaves} == {"the error"}


def test_a_guard_that_is_switched_off_lets_go(control_plane: ControlPlane, namespace: str) -> None:
    put_gitrepo(control_plane, namespace, "shop", FLEETS, GUARD)
    with GuardProcess(control_plane.kubeconfig(), "--namespaces", namespace, "--no-guard") as guard:
        free(control_plane, namespace)
        assert guard.terminate() == 0


def test_there_is_no_dry_run_of_a_guard(control_plane: ControlPlane) -> None:
    said = run("guard", kubeconfig=control_plane.kubeconfig(), GITJOB_CLEANER_DRY_RUN="true")

    assert (said.code, said.err) == (2, "gitjob-cleaner: dry_run: guard has none, for what it holds must be let go in earnest\n")


def release(config: Path, *flags: str) -> tuple[int, list[str]]:
    """Run `release`; its exit code, and what it said below the first line."""
    said = run("release", "--yes", *flags, kubeconfig=config)
    return said.code, said.out.splitlines()[1:]


def test_release_takes_all_off_and_can_be_repeated(control_plane: ControlPlane, namespace: str) -> None:
    config = control_plane.kubeconfig()
    put_gitrepo(control_plane, namespace, "staying", FLEETS, GUARD)
    put_gitrepo(control_plane, namespace, "leaving", GUARD)
    put_gitrepo(control_plane, namespace, "never-held")
    delete(control_plane, namespace, "leaving")
    flags, both = ("--namespaces", namespace), f"{namespace}/leaving, {namespace}/staying"

    assert release(config, *flags, "--dry-run") == (0, [f"2 of 2 GitRepos with our finalizer would be released: {both}"])
    assert finalizers_of(control_plane, namespace, "staying") == [FLEETS, GUARD]
    assert release(config, *flags) == (0, [f"2 of 2 GitRepos with our finalizer released: {both}"])
    assert finalizers_of(control_plane, namespace, "staying") == [FLEETS]
    assert finalizers_of(control_plane, namespace, "leaving") is None
    assert release(config, *flags) == (0, ["0 of 0 GitRepos with our finalizer released"])


def test_release_tells_that_a_guard_still_runs(control_plane: ControlPlane, namespace: str) -> None:
    put_gitrepo(control_plane, namespace)
    with GuardProcess(control_plane.kubeconfig(), "--namespaces", namespace, "--selector", "!never") as guard:
        held(control_plane, namespace)
        code, lines = release(control_plane.kubeconfig(), "--namespaces", namespace)
        assert guard.terminate() == 0

    assert (code, lines) == (
        1,
        [
            f"1 of 1 GitRepos with our finalizer released: {namespace}/shop",
            f"1 carry it again: a guard still runs, stop it first: {namespace}/shop",
        ],
    )


def test_release_is_not_done_where_it_cannot_see_what_came_of_it(control_plane: ControlPlane, namespace: str) -> None:
    put_gitrepo(control_plane, namespace, "shop", FLEETS, GUARD)

    def second(request: Request) -> Fault | None:
        return FORBIDDEN if request.path == GITREPOS.format(namespace) and request.nth == 2 else None

    with Proxy(control_plane, second) as proxy:
        code, lines = release(control_plane.kubeconfig(server=proxy.url), "--namespaces", namespace)

    assert (code, lines[0]) == (1, f"1 of 1 GitRepos with our finalizer released: {namespace}/shop")
    assert lines[1].startswith(f"{namespace} could not be listed: 403")


def allow(control_plane: ControlPlane, user: str, namespace: str, *verbs: str) -> Path:
    """Give a user these verbs on the GitRepos of a Namespace."""
    place = f"{RBAC}/namespaces/{namespace}"
    rules = [{"apiGroups": ["fleet.cattle.io"], "resources": ["gitrepos"], "verbs": list(verbs)}]
    must(control_plane.request("POST", f"{place}/roles", {"metadata": {"name": user}, "rules": rules}))
    body: dict[str, Any] = {"metadata": {"name": user}}
    body |= {"subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]}
    body |= {"roleRef": {"kind": "Role", "name": user, "apiGroup": "rbac.authorization.k8s.io"}}
    must(control_plane.request("POST", f"{place}/rolebindings", body))
    return control_plane.kubeconfig(token=user)


def test_release_says_by_its_exit_code_how_it_went(control_plane: ControlPlane, namespace: str) -> None:
    other = seed.namespace(control_plane)
    put_gitrepo(control_plane, namespace, "shop", FLEETS, GUARD)
    allow(control_plane, "user-5", namespace, "get", "list")
    config = allow(control_plane, "user-5", other, "get", "list", "patch")
    put_gitrepo(control_plane, other, "shop", FLEETS, GUARD)

    assert release(config)[0] == 3  # it may not list the whole cluster
    assert release(config, "--namespaces", namespace)[0] == 3
    assert release(config, "--namespaces", f"{namespace},{other}")[0] == 1
    assert finalizers_of(control_plane, other) == [FLEETS]
    assert finalizers_of(control_plane, namespace) == [FLEETS, GUARD]
    assert release(control_plane.kubeconfig(server="https://127.0.0.1:1"), "--namespaces", other)[0] == 4


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, [FLEETS]), ("n\n", 1, [FLEETS, GUARD])])
def test_release_asks_on_a_terminal(control_plane: ControlPlane, namespace: str, answer: str, code: int, left: list[str]) -> None:
    put_gitrepo(control_plane, namespace, "shop", FLEETS, GUARD)

    ended, shown = on_a_terminal(control_plane.kubeconfig(), answer, "release", "--namespaces", namespace)

    assert "Take our finalizer off 1 GitRepos in context world" in shown
    assert (ended, finalizers_of(control_plane, namespace)) == (code, left)


def test_a_guard_asks_on_a_terminal(control_plane: ControlPlane, namespace: str) -> None:
    put_gitrepo(control_plane, namespace)

    ended, shown = on_a_terminal(control_plane.kubeconfig(), "n\n", "guard", "--namespaces", namespace, "--listen", "127.0.0.1:0")

    assert "Put a finalizer on the GitRepos in context world" in shown
    assert (ended, finalizers_of(control_plane, namespace)) == (0, [FLEETS])


@pytest.mark.parametrize("guarded", [True, False])
def test_a_gitrepo_that_is_stuck_on_our_finalizer_names_the_way_out(
    control_plane: ControlPlane, namespace: str, guarded: bool
) -> None:
    gone = {"deletionTimestamp": seed.stamp(seed.ago(hours=2)), "deletionGracePeriodSeconds": 0}
    repo = seed.gitrepo(namespace, "shop", metadata={"finalizers": [FLEETS, GUARD] if guarded else [FLEETS], **gone})
    seed.place(control_plane, repo)

    said = run("explain", f"{namespace}/shop", "--output", "json", kubeconfig=control_plane.kubeconfig())

    (line,) = [line for line in said.document["stuck"] if line["kind"] == "leaving-long"]
    assert (f"gitjob-cleaner release --namespaces {namespace}" in line["text"]) is guarded


def test_release_and_retry_do_not_take_a_namespace_that_is_not_there_for_an_empty_one(control_plane: ControlPlane) -> None:
    config, flags = control_plane.kubeconfig(), ("--namespaces", "nosuch")
    said = run("retry", "--all-failed", "--yes", *flags, kubeconfig=config)

    assert release(config, *flags) == (
        3,
        ["0 of 0 GitRepos with our finalizer released", "nosuch could not be listed: there is no such Namespace"],
    )
    assert (said.code, "there is no such Namespace" in said.out) == (3, True), said
