"""`retry` against a real API: what it may do there, and how it follows a run where a watch is refused or breaks."""

import random
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cleaner.demo.caller import Caller, path_of
from cleaner.demo.cast import Temper
from cleaner.demo.family import V0_10_2, V0_12_4, V0_16_1, Family
from cleaner.demo.stand_in import FleetStandIn, Stage
from tests.edge.faults import FORBIDDEN, refusal
from tests.edge.roles import RBAC
from tests.edge.servers import GITREPOS, must
from tests.edge.stand_in_world import FAULT, Object, of
from tests.modes.live import DEADLINE, PACE
from tests.modes.running import Said, command, environment, run
from tests.world import seed
from tests.world.control_plane import ADMIN, ControlPlane
from tests.world.proxy import CutBody, Delay, EndBody, Fault, LoseAnswer, Proxy, Request

pytestmark = pytest.mark.long

SLOWER = replace(PACE, step_every=0.3)
"""Each step is a connection, and a handshake."""
FLEET = path_of("deployments", "cattle-fleet-system")
RULES = {
    "namespaces": {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    "gitrepos": {"apiGroups": ["fleet.cattle.io"], "resources": ["gitrepos"], "verbs": ["get", "list"]},
    "patch": {"apiGroups": ["fleet.cattle.io"], "resources": ["gitrepos"], "verbs": ["patch"]},
    "jobs": {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"]},
    "adopt": {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["patch"]},
    "pods": {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
}
"""What the README asks for."""


class Real:
    """A GitRepo `shop` on the control plane, and a stand-in for Fleet that plays there by the clock."""

    def __init__(self, plane: ControlPlane, fleet: FleetStandIn, namespace: str) -> None:
        self.plane, self.fleet, self.namespace = plane, fleet, namespace
        self.path = f"{namespace}/shop"

    def gitrepo(self) -> Object:
        found: Object = must(self.plane.request("GET", f"{GITREPOS.format(self.namespace)}/shop"))
        return found

    def until_failed(self) -> None:
        end = time.monotonic() + DEADLINE
        while self.gitrepo().get("status", {}).get("gitJobStatus") != "Failed":
            assert time.monotonic() < end, self.gitrepo()
            time.sleep(0.1)

    def mend(self) -> None:
        self.fleet.mend(self.namespace, "shop")

    def retry(self, *arguments: str, kubeconfig: Path | None = None) -> Said:
        return run("retry", self.path, *arguments, kubeconfig=kubeconfig or self.plane.kubeconfig())

    def through(self, fault: Fault) -> Said:
        """Retry and wait, while every watch suffers."""
        with Proxy(self.plane, lambda request: fault if request.watch else None) as proxy:
            said = self.retry("--wait", kubeconfig=self.plane.kubeconfig(server=proxy.url))
            assert any(seen.request.watch for seen in proxy.seen)
        return said


Start = Callable[[Family], Real]


@pytest.fixture
def start(control_plane: ControlPlane, namespace: str) -> Iterator[Start]:
    """Starts the stand-in as this version of Fleet; its one GitRepo has failed."""
    tls = ssl.create_default_context(cafile=str(control_plane.ca_file))
    fleets: list[FleetStandIn] = []

    def begin(family: Family) -> Real:
        tempers = (Temper(namespace, "shop", failing=1.0, faults=(FAULT,)),)
        stage = Stage(tempers, namespace, collects=True, call=lambda url: Caller(url, tls=tls, token=ADMIN))
        fleet = FleetStandIn(control_plane.url, rng=random.Random(7), pace=SLOWER, family=family, stage=stage)
        fleets.append(fleet.start())
        world = Real(control_plane, fleet, namespace)
        world.until_failed()
        return world

    yield begin
    for fleet in fleets:
        fleet.stop()
    with Caller(control_plane.url, tls=tls, token=ADMIN) as caller:
        for deployment in caller.items(FLEET):  # other tests share this server, and look for Fleet's version there
            caller.delete(f"{FLEET}/{deployment['metadata']['name']}", deployment["metadata"]["uid"])


@of(V0_10_2, V0_12_4, V0_16_1)
def test_a_watch_sees_the_success_that_fleet_deletes_at_once(start: Start, family: Family) -> None:
    world = start(family)
    world.mend()

    said = world.retry("--wait")

    assert said.code == 0, said
    assert f"{world.path}: succeeded: Job shop-" in said.out.splitlines()[-1]
    assert "its Job is gone" not in said.out.splitlines()[-1]


WATCHES = [
    pytest.param(FORBIDDEN, id="refused"),
    pytest.param(CutBody(0), id="cut"),
    pytest.param(EndBody(0), id="ended"),
]


@pytest.mark.parametrize("fault", WATCHES)
def test_without_a_watch_what_the_gitrepo_tells_is_enough(start: Start, fault: Fault) -> None:
    world = start(V0_12_4)
    world.mend()

    said = world.through(fault)

    assert said.code == 0, said
    assert f"{world.path}: succeeded" in said.out.splitlines()[-1]


def test_without_a_watch_a_failure_is_seen_too(start: Start) -> None:
    world = start(V0_16_1)

    said = world.through(FORBIDDEN)

    assert said.code == 1, said
    assert f"{world.path}: failed again" in said.out.splitlines()[-1]
    assert said.out.splitlines()[-1].endswith(FAULT)


def test_without_a_watch_a_gitrepo_that_nobody_runs_is_no_success(start: Start) -> None:
    world = start(V0_16_1)
    world.fleet.stop()

    with Proxy(world.plane, lambda request: FORBIDDEN if request.watch else None) as proxy:
        said = world.retry("--wait", "--wait-limit", "3s", kubeconfig=world.plane.kubeconfig(server=proxy.url))

    assert said.code == 1, said
    assert "no new Job has come in 3s, and its gitJobStatus is Failed" in said.out.splitlines()[-1]


def test_what_changes_too_fast_is_not_started(start: Start) -> None:
    world = start(V0_16_1)

    with Proxy(world.plane, lambda request: refusal(409, "Conflict") if request.method == "PATCH" else None) as proxy:
        said = world.retry("--wait", kubeconfig=world.plane.kubeconfig(server=proxy.url))

    assert (said.code, said.err) == (1, ""), said
    assert f"{world.path}: NOT STARTED: 409 Conflict" in said.out.splitlines()[-1]


def test_a_force_update_whose_answer_is_lost_is_raised_once(start: Start) -> None:
    world = start(V0_16_1)
    world.mend()
    faults = iter([LoseAnswer()])

    with Proxy(world.plane, lambda request: next(faults, None) if request.method == "PATCH" else None) as proxy:
        said = world.retry("--wait", kubeconfig=world.plane.kubeconfig(server=proxy.url))

    assert said.code == 0, said
    assert world.gitrepo()["spec"]["forceSyncGeneration"] == 1


def test_a_signal_before_the_start_prevents_it(start: Start) -> None:
    world = start(V0_16_1)
    reading = threading.Event()

    def rule(request: Request) -> Fault | None:
        if request.path.endswith("/pods"):
            reading.set()
            return Delay(2)
        return None

    with Proxy(world.plane, rule) as proxy:
        process = subprocess.Popen(
            command("retry", world.path, "--wait"),
            env=environment(world.plane.kubeconfig(server=proxy.url)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert reading.wait(60)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)

    assert (process.returncode, err.splitlines()) == (2, [f"gitjob-cleaner: {world.path}: stopped before anything was changed"])
    assert "forceSyncGeneration" not in world.gitrepo()["spec"]


def allow(plane: ControlPlane, user: str, namespace: str, *but: str) -> Path:
    """Give a user what a retry needs in one Namespace, but for some parts of it."""
    rules = [rule for part, rule in RULES.items() if part not in but]
    place, name = f"{RBAC}/namespaces/{namespace}", f"retry-{user}"
    must(plane.request("POST", f"{place}/roles", {"metadata": {"name": name}, "rules": rules}))
    whom = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
    role = {"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    must(plane.request("POST", f"{place}/rolebindings", {"metadata": {"name": name}, "subjects": whom, "roleRef": role}))
    return plane.kubeconfig(token=user)


def test_a_role_in_its_namespace_is_enough(start: Start) -> None:
    """Made by an old Fleet and upgraded, so that it takes all that a retry may take."""
    world = start(V0_10_2)
    world.fleet.upgrade(V0_16_1)
    world.mend()
    kubeconfig = allow(world.plane, "user-9", world.namespace)

    said = world.retry("--wait", kubeconfig=kubeconfig)

    assert said.code == 0, said
    assert "labels" in said.out
    assert "its Job is gone" not in said.out


def test_without_pods_the_gitrepo_tells_the_error(start: Start) -> None:
    world = start(V0_16_1)
    kubeconfig = allow(world.plane, "user-9", world.namespace, "pods")

    said = world.retry("--wait", kubeconfig=kubeconfig)

    assert said.code == 1, said
    assert [line.endswith(FAULT) for line in said.out.splitlines()[1:]] == [True, False, False, True]


@pytest.mark.parametrize("part", ["gitrepos", "patch", "jobs"])
def test_what_is_refused_is_one_line_and_a_code_of_its_own(start: Start, part: str) -> None:
    world = start(V0_16_1)
    kubeconfig = allow(world.plane, "user-9", world.namespace, part)

    said = world.retry(kubeconfig=kubeconfig)

    assert (said.code, len(said.err.splitlines())) == (3, 1), said
    assert "forceSyncGeneration" not in world.gitrepo()["spec"]


def put_failed(plane: ControlPlane, namespace: str, *names: str) -> None:
    """GitRepos whose current Job failed, and no Fleet that would do anything about it."""
    for name in names:
        repo = seed.gitrepo(namespace, name, failed=True)
        seed.put(plane, [repo, seed.job(repo, seed.sha("head"), "failed")])


@pytest.mark.parametrize("status", [403, 409])
def test_one_that_cannot_be_started_does_not_stop_the_others(control_plane: ControlPlane, namespace: str, status: int) -> None:
    put_failed(control_plane, namespace, "a", "b", "c")
    path = f"{GITREPOS.format(namespace)}/b"

    with Proxy(
        control_plane, lambda asked: refusal(status, "No") if (asked.method, asked.path) == ("PATCH", path) else None
    ) as p:
        kubeconfig = control_plane.kubeconfig(server=p.url)
        flags = ("--all-failed", "--namespaces", namespace, "--retry-pause", "0s", "--output", "json")
        said = run("retry", *flags, kubeconfig=kubeconfig)

    results = {line["gitrepo"]: line["result"] for line in said.document["gitrepos"]}
    assert (said.code, said.err) == (1, "")
    assert results == {f"{namespace}/a": "started", f"{namespace}/b": "not-started", f"{namespace}/c": "started"}


def test_one_namespace_that_is_forbidden_does_not_stop_the_others(control_plane: ControlPlane, namespace: str) -> None:
    other = seed.namespace(control_plane)
    put_failed(control_plane, namespace, "shop")
    put_failed(control_plane, other, "shop")
    kubeconfig = allow(control_plane, "user-9", namespace)
    flags = ("--all-failed", "--namespaces", f"{namespace},{other}", "--output", "json")

    said = run("retry", *flags, kubeconfig=kubeconfig)

    assert said.code == 1, said
    assert [(line["gitrepo"], line["result"]) for line in said.document["gitrepos"]] == [(f"{namespace}/shop", "started")]
    assert [(line["namespace"], line["denied"]) for line in said.document["refused"]] == [(other, True)]


def test_all_of_a_forbidden_namespace_is_refused(control_plane: ControlPlane, namespace: str) -> None:
    kubeconfig = control_plane.kubeconfig(token="user-9")

    said = run("retry", "--all-failed", "--namespaces", namespace, kubeconfig=kubeconfig)

    assert (said.code, said.err) == (3, "")
    assert f"REFUSED Namespace {namespace}" in said.out


@pytest.mark.parametrize("arguments", [("team/shop",), ("--all-failed",), ("team/shop", "--nudge")])
def test_a_cluster_out_of_reach_has_a_code_of_its_own(control_plane: ControlPlane, arguments: tuple[str, ...]) -> None:
    kubeconfig = control_plane.kubeconfig(server="https://127.0.0.1:1")

    assert run("retry", *arguments, kubeconfig=kubeconfig).code == 4


def test_a_gitrepo_that_leaves_is_refused(control_plane: ControlPlane, namespace: str) -> None:
    repo = seed.gitrepo(namespace, "shop", failed=True, metadata={"finalizers": ["example.com/wait"]})
    seed.put(control_plane, [repo])
    must(control_plane.request("DELETE", f"{GITREPOS.format(namespace)}/shop"))

    for more in ((), ("--nudge",)):
        said = run("retry", f"{namespace}/shop", *more, kubeconfig=control_plane.kubeconfig())
        assert (said.code, said.err) == (2, f"gitjob-cleaner: {namespace}/shop is being deleted\n")
    must(
        control_plane.request(
            "PATCH",
            f"{GITREPOS.format(namespace)}/shop",
            {"metadata": {"finalizers": None}},
            content_type="application/merge-patch+json",
        )
    )
