"""The world itself: a test that trusts it must be able to."""

import http.client
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.world import binaries, seed
from tests.world.client import Client
from tests.world.control_plane import ADMIN, ControlPlane, signing_key
from tests.world.ports import choices, free_ports
from tests.world.processes import Child, ChildDiedError
from tests.world.proxy import (
    Answer,
    Before,
    CutBody,
    Delay,
    Fault,
    HalfBody,
    LoseAnswer,
    Proxy,
    ResetBefore,
    Rewrite,
    Rule,
)
from tests.world.wire import CutAnswer, ResetAfterRequest, ResetAtConnect, Silence, Wire

ALLOWED = {"Authorization": f"Bearer {ADMIN}"}
BROKEN = (OSError, http.client.HTTPException)


class Caller:
    """A client with one connection that it keeps, for as long as it is not broken."""

    def __init__(self, control_plane: ControlPlane, port: int) -> None:
        tls = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=tls)

    def start(self, path: str, method: str = "GET", body: bytes | None = None) -> http.client.HTTPResponse:
        try:
            self.connection.request(method, path, body, ALLOWED)
            return self.connection.getresponse()
        except BROKEN:
            self.connection.close()
            raise

    def ask(self, path: str = "/version", method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
        answer = self.start(path, method, body)
        try:
            return answer.status, answer.read()
        except BROKEN:
            self.connection.close()
            raise


def once(fault: Fault) -> Rule:
    """Only the first request of its kind suffers."""
    return lambda request: fault if request.nth == 1 else None


def was_reset(connection: socket.socket) -> bool:
    """Whether a reset came, not an end: Python before 3.13 reports both alike under TLS."""
    poll = select.poll()
    poll.register(connection, 0)
    return any(events & select.POLLERR for _, events in poll.poll(3000))


def arrived(answer: http.client.HTTPResponse) -> bytes:
    """What comes of a body that breaks off."""
    got = b""
    try:
        while piece := answer.read1(1 << 16):
            got += piece
    except BROKEN:
        pass
    return got


def always(fault: Fault) -> Rule:
    return lambda _: fault


def jobs_of(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


# --- the control plane


def test_it_is_the_kubernetes_that_it_says(control_plane: ControlPlane) -> None:
    _, version = control_plane.request("GET", "/version")

    assert version["gitVersion"] == binaries.KUBERNETES


def test_a_user_without_a_role_is_refused(control_plane: ControlPlane, namespace: str) -> None:
    status, answer = control_plane.request("GET", jobs_of(namespace), token="user-3")

    assert (status, answer["reason"]) == (403, "Forbidden")


def test_every_request_is_in_the_audit(control_plane: ControlPlane, namespace: str) -> None:
    mark = control_plane.audit_end
    control_plane.request("DELETE", f"{jobs_of(namespace)}/nobody", token="user-1")

    told = [event for event in control_plane.audit(mark) if event["user"]["username"] == "user-1"]

    assert [(event["verb"], event["objectRef"]["name"], event["responseStatus"]["code"]) for event in told] == [
        ("delete", "nobody", 403)
    ]


def test_a_kubeconfig_holds_all_that_a_client_needs(control_plane: ControlPlane, tmp_path: Path) -> None:
    path = control_plane.kubeconfig(tmp_path / "config", token="user-2", server="https://127.0.0.1:1", namespace="here")

    config = json.loads(path.read_text())

    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    assert config["users"][0]["user"]["token"] == "user-2"
    assert config["contexts"][0]["context"]["namespace"] == "here"


def test_the_data_outlives_a_crash_and_nothing_outlives_the_end() -> None:
    with ControlPlane(users={"extra-token": "somebody"}) as own:
        own.with_crd()
        kept = seed.namespace(own)
        seed.put(own, [seed.gitrepo(kept, "web")])
        own.kill_apiserver()
        with pytest.raises(OSError, match="refused"):
            own.request("GET", "/version")
        own.start_apiserver()
        _, listed = own.request("GET", f"/apis/fleet.cattle.io/v1alpha1/namespaces/{kept}/gitrepos")
        _, refused = own.request("GET", jobs_of(kept), token="extra-token")
        groups, folder = own.pids(), own.ca_file.parent

    assert [item["metadata"]["name"] for item in listed["items"]] == ["web"]
    assert 'User "somebody"' in refused["message"]
    assert not any(_group_lives(group) for group in groups)
    assert not folder.exists()


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_parent_takes_its_children_along(tmp_path: Path) -> None:
    parent = f"""
import sys, time
from pathlib import Path
from tests.world.processes import Child
child = Child("sleeper", ["sleep", "600"], Path({str(tmp_path / "log")!r}))
print(child.pid, flush=True)
time.sleep(600)
"""
    root = Path(binaries.__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", parent], cwd=root, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        group = int(started.stdout.readline())
        assert _group_lives(group)
        started.kill()

    assert _soon(lambda: not _group_lives(group))


def _soon(condition: Callable[[], bool], within: float = 20.0) -> bool:
    deadline = time.monotonic() + within
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_child_that_dies_shows_its_log(tmp_path: Path) -> None:
    child = Child("talker", ["sh", "-c", "echo out of memory; exit 3"], tmp_path / "log")

    assert _soon(lambda: not child.alive())
    with pytest.raises(ChildDiedError, match=r"talker ended with 3:\nout of memory"):
        child.must_live()
    child.stop()


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    ports = free_ports(5)

    assert len(set(ports)) == 5
    assert max(ports) < 32_768


def test_processes_of_tests_choose_among_different_ports() -> None:
    one, two, alone = (set(choices(*which)) for which in (("gw0", "2"), ("gw1", "2"), ("", "")))

    assert one.isdisjoint(two)
    assert one | two == alone


def test_signing_keys_differ() -> None:
    assert signing_key() != signing_key()


# --- the binaries


def test_given_assets_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    assert tmp_path == binaries.assets()


def test_the_cache_follows_xdg_and_all_versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = binaries.cache_folder()
    changed = shutil.copytree(binaries.MODULES, tmp_path / "modules")
    with (changed / "kwok" / "go.sum").open("a") as file:
        file.write("one more\n")

    assert here.is_relative_to(tmp_path / "cache" / "gitjob-cleaner" / "kube")
    assert here.name.startswith(binaries.KUBERNETES)
    monkeypatch.setattr(binaries, "MODULES", changed)
    assert binaries.cache_folder() != here


def test_a_build_fills_the_cache_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    # It says a version, and "builds" what -o names.
    go.write_text(
        f"#!/bin/sh\necho go1.99.0; echo $* >> {tmp_path}/calls\n"
        'while [ $# -gt 1 ]; do [ "$1" = -o ] && echo built > "$2" && chmod +x "$2"; shift; done\n'
    )
    go.chmod(0o755)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")

    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: binaries.assets(), range(2)))

    assert [(folders[0] / name).read_text() for name in ("etcd", "kube-apiserver")] == ["built\n"] * 2
    assert (tmp_path / "calls").read_text().count("-mod=readonly") == 2
    assert {"lock", binaries.cache_folder().name} == {each.name for each in folders[0].parent.iterdir()}


def test_a_go_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.2.3\n")
    go.chmod(0o755)
    monkeypatch.setattr(binaries, "_candidates", lambda: iter([[str(go)]]))

    with pytest.raises(RuntimeError, match=r"Go 1\.26\.0 or newer is needed .* is 1\.2\.3"):
        binaries.go_command()


# --- seeding


@pytest.mark.parametrize(
    ("name", "repo", "commit", "expected"),
    [
        ("bad-a", "http://127.0.0.1:17080/bad-a", "0ad6ffc5ee1d06cb82b7f297069474929f5e082a", "bad-a-9cf72"),
        ("bad-b", "http://127.0.0.1:17080/bad-b", "84f1e07a0d6c4fe358d6ef3081eccf699f56298a", "bad-b-54224"),
    ],
)
def test_the_name_of_a_job_is_fleets(name: str, repo: str, commit: str, expected: str) -> None:
    assert expected == seed.job_name(name, repo, commit)


@pytest.mark.parametrize("version", ["v0.10.2", "v0.10.4", "v0.14.10", "v0.16.1"])
@pytest.mark.parametrize("outcome", ["succeeded", "failed", "running"])
def test_a_job_put_into_the_world_has_the_recorded_form(
    control_plane: ControlPlane, namespace: str, version: str, outcome: seed.Outcome
) -> None:
    gitrepo = seed.gitrepo(namespace, "web")
    finished = seed.ago(hours=100)
    wanted = seed.job(gitrepo, seed.sha("a"), outcome, version=version, finished=finished)

    owner, _ = seed.put(control_plane, [gitrepo, wanted])
    _, job = control_plane.request("GET", f"{jobs_of(namespace)}/{wanted.object['metadata']['name']}")

    recorded = seed.fixture(f"{version}/jobs-{outcome}{'' if outcome == 'running' else '-current'}.json")
    assert owner["metadata"]["uid"] == job["metadata"]["ownerReferences"][0]["uid"]
    assert _form(recorded) == _form(job)
    assert {seed.stamp(finished)} >= {each["lastTransitionTime"] for each in job["status"].get("conditions", [])}


def _form(value: object, key: str = "") -> object:
    """Which fields and how many items there are; what the values are differs from Job to Job."""
    if key == "managedFields":
        return sorted((each["manager"], each.get("subresource", "")) for each in value)  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return {name: _form(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_form(each) for each in value]
    return type(value)


def test_a_legacy_job_has_the_labels_of_its_pods_alone(control_plane: ControlPlane, namespace: str) -> None:
    gitrepo = seed.gitrepo(namespace, "web")

    _, job = seed.put(control_plane, [gitrepo, seed.job(gitrepo, seed.sha("a"), "failed", legacy=True)])

    assert "job-name" in job["metadata"]["labels"]
    assert seed.GENERATION not in job["metadata"]["labels"]


def test_a_gitrepo_is_what_the_test_says(control_plane: ControlPlane, namespace: str) -> None:
    wanted = seed.gitrepo(
        namespace, "web", spec={"forceSyncGeneration": 2}, metadata={"annotations": {"a": "b"}}, commit=None, updateGeneration=1
    )

    (gitrepo,) = seed.put(control_plane, [wanted])

    assert gitrepo["spec"]["forceSyncGeneration"] == 2
    assert gitrepo["metadata"]["annotations"] == {"a": "b"}
    assert "commit" not in gitrepo["status"]
    assert (gitrepo["status"]["updateGeneration"], gitrepo["status"]["observedGeneration"]) == (1, 1)


def test_what_the_api_refuses_is_told(control_plane: ControlPlane, namespace: str) -> None:
    twice = seed.gitrepo(namespace, "web")

    with pytest.raises(RuntimeError, match=r"web was refused: .*AlreadyExists"):
        seed.put(control_plane, [twice, twice])


def test_jobs_in_bulk_are_listed_watched_and_deleted_like_others(control_plane: ControlPlane, namespace: str) -> None:
    (gitrepo,) = seed.put(control_plane, [seed.gitrepo(namespace, "web")])
    finished = seed.ago(hours=100)
    caller = Caller(control_plane, control_plane.port)
    stream = caller.start(f"{jobs_of(namespace)}?watch=true")

    count = seed.bulk(
        control_plane, (seed.job(gitrepo, commit, "failed", finished=finished) for commit in seed.commits(gitrepo, 200))
    )
    watched = [json.loads(stream.readline()) for _ in range(count)]
    caller.connection.close()
    _, listed = control_plane.request("GET", jobs_of(namespace))

    items = listed["items"]
    names = {item["metadata"]["name"] for item in items}
    assert 200 == count == len(items) == len({item["metadata"]["resourceVersion"] for item in items})
    assert {("ADDED", name) for name in names} == {(each["type"], each["object"]["metadata"]["name"]) for each in watched}
    assert {"Failed"} == {item["status"]["conditions"][-1]["type"] for item in items}
    assert all(item["metadata"]["creationTimestamp"] < seed.stamp(finished) for item in items)
    _expect_delete_contract(control_plane, namespace, items[0]["metadata"])


def _expect_delete_contract(control_plane: ControlPlane, namespace: str, metadata: dict[str, str]) -> None:
    path = f"{jobs_of(namespace)}/{metadata['name']}"
    right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    wrong = {**right, "resourceVersion": "1"}

    answers = [
        control_plane.request("DELETE", path, {"propagationPolicy": "Background", "preconditions": conditions})[0]
        for conditions in (wrong, right, right)
    ]

    assert answers == [409, 200, 404]


# --- the wire


@pytest.fixture
def wire(control_plane: ControlPlane) -> Iterator[Wire]:
    with Wire(control_plane.port) as laid:
        yield laid


@pytest.fixture
def caller(control_plane: ControlPlane, wire: Wire) -> Iterator[Caller]:
    made = Caller(control_plane, wire.port)
    yield made
    made.connection.close()


def test_a_wire_carries_bytes_whole(caller: Caller, wire: Wire, control_plane: ControlPlane) -> None:
    straight = Caller(control_plane, control_plane.port)
    expected = straight.ask("/openapi/v2")
    straight.connection.close()

    assert expected == caller.ask("/openapi/v2")
    assert (wire.connections, wire.open) == (1, 1)


def test_latency_is_paid_in_both_directions(caller: Caller, wire: Wire) -> None:
    caller.ask()
    wire.latency = 0.2
    begun = time.monotonic()

    assert caller.ask()[0] == 200
    assert time.monotonic() - begun >= 0.4


def test_many_connections_share_a_slow_wire(control_plane: ControlPlane) -> None:
    with Wire(control_plane.port, latency=0.005) as slow, ThreadPoolExecutor(32) as pool:
        client = Client(slow.port, ssl.create_default_context(cafile=str(control_plane.ca_file)))
        statuses = list(pool.map(lambda _: client.request("GET", "/version", headers=ALLOWED)[0], range(500)))
        client.forget()

    assert statuses == [200] * 500
    assert slow.connections <= 32


def test_silence_falls_on_new_and_old_connections(caller: Caller, wire: Wire, control_plane: ControlPlane) -> None:
    caller.ask()
    wire.fault(Silence())
    new = Caller(control_plane, wire.port)
    new.connection.timeout = 0.3
    caller.connection.sock.settimeout(0.3)

    for each in (caller, new):
        with pytest.raises(TimeoutError):
            each.ask()

    wire.fault(None)
    assert caller.ask()[0] == 200
    assert _soon(lambda: wire.open == 1)


def test_a_reset_at_connect_never_reaches_the_server(caller: Caller, wire: Wire) -> None:
    wire.fault(ResetAtConnect(), times=1)

    with pytest.raises(OSError, match=r"reset|EOF"):
        caller.ask()

    assert caller.ask()[0] == 200
    assert wire.connections == 2


@pytest.mark.parametrize("kept", [False, True], ids=["new connection", "kept connection"])
def test_a_reset_after_the_request_loses_only_the_answer(
    control_plane: ControlPlane, caller: Caller, wire: Wire, kept: bool
) -> None:
    name = f"{'kept' if kept else 'new'}-{time.monotonic_ns()}"
    if kept:
        caller.ask()
    wire.fault(ResetAfterRequest(), times=1)

    with pytest.raises(BROKEN):
        caller.ask("/api/v1/namespaces", "POST", json.dumps({"metadata": {"name": name}}).encode())

    assert _soon(lambda: control_plane.request("GET", f"/api/v1/namespaces/{name}")[0] == 200)
    assert caller.ask()[0] == 200


def test_an_answer_is_cut(caller: Caller, wire: Wire) -> None:
    caller.ask()
    wire.fault(CutAnswer(after=50_000), times=1)
    answer = caller.start("/openapi/v2")

    with pytest.raises(BROKEN):
        answer.read()

    caller.connection.close()
    assert caller.ask()[0] == 200


# --- the proxy


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(control_plane) as placed:
        yield placed


@pytest.fixture
def proxied(control_plane: ControlPlane, proxy: Proxy) -> Iterator[Caller]:
    made = Caller(control_plane, proxy.port)
    yield made
    made.connection.close()


def test_a_proxy_without_a_rule_changes_nothing(proxied: Caller, proxy: Proxy, control_plane: ControlPlane) -> None:
    straight = Caller(control_plane, control_plane.port)
    expected = straight.ask("/openapi/v2")
    straight.connection.close()

    assert expected == proxied.ask("/openapi/v2")
    assert proxied.ask("/api/v1/nothing?limit=5&x=", "POST", b"{}")[0] == 404
    request = proxy.seen[-1].request
    assert (
        request.method,
        request.path,
        request.query,
        request.body,
    ) == ("POST", "/api/v1/nothing", {"limit": "5", "x": ""}, b"{}")
    assert (proxy.seen[-1].server_status, proxy.seen[-1].status) == (404, 404)


def test_an_answer_in_the_servers_place(proxied: Caller, proxy: Proxy) -> None:
    proxy.rule = once(Answer(429, b"slow", {"Retry-After": "7"}))

    answer = proxied.start("/version")

    assert (answer.status, answer.getheader("Retry-After"), answer.read()) == (429, "7", b"slow")
    assert proxied.ask()[0] == 200
    assert [seen.server_status for seen in proxy.seen] == [None, 200]


def test_a_lost_answer_was_still_given(proxied: Caller, proxy: Proxy, control_plane: ControlPlane) -> None:
    proxy.rule = always(LoseAnswer())
    name = f"lost-{time.monotonic_ns()}"

    with pytest.raises(BROKEN):
        proxied.ask("/api/v1/namespaces", "POST", json.dumps({"metadata": {"name": name}}).encode())

    assert (proxy.seen[0].server_status, proxy.seen[0].status) == (201, None)
    assert control_plane.request("GET", f"/api/v1/namespaces/{name}")[0] == 200


@pytest.mark.parametrize("fault", [ResetBefore(), LoseAnswer()], ids=["before", "lost answer"])
def test_a_reset_is_a_reset(proxied: Caller, proxy: Proxy, fault: Fault) -> None:
    proxied.connection.connect()
    proxy.rule = always(fault)
    proxied.connection.request("GET", "/version", headers=ALLOWED)

    assert was_reset(proxied.connection.sock)
    assert (proxy.seen[0].server_status is None) is isinstance(fault, ResetBefore)


def test_half_a_body(proxied: Caller, proxy: Proxy) -> None:
    whole = proxied.ask()[1]
    proxy.rule = always(HalfBody())

    assert arrived(proxied.start("/version")) == whole[: len(whole) // 2]


def test_a_body_is_rewritten(proxied: Caller, proxy: Proxy) -> None:
    proxy.rule = always(Rewrite(lambda body: body.replace(b"v1.36", b"v9.99") + b"\n"))

    assert b"v9.99" in proxied.ask()[1]


def test_the_world_changes_between_a_request_and_its_answer(proxied: Caller, proxy: Proxy, control_plane: ControlPlane) -> None:
    name = f"late-{time.monotonic_ns()}"
    proxy.rule = always(Before(lambda: seed.namespace(control_plane, name)))

    assert proxied.ask(f"/api/v1/namespaces/{name}")[0] == 200


def test_a_delay_comes_before_the_server(proxied: Caller, proxy: Proxy) -> None:
    proxy.rule = always(Delay(0.3))

    assert proxied.ask()[0] == 200
    ended = proxy.seen[0].ended
    assert ended is not None
    assert ended - proxy.seen[0].began >= 0.3


def test_a_watch_comes_through_as_it_happens(proxied: Caller, control_plane: ControlPlane, namespace: str) -> None:
    (gitrepo,) = seed.put(control_plane, [seed.gitrepo(namespace, "web")])
    stream = proxied.start(f"{jobs_of(namespace)}?watch=true")

    for commit in seed.commits(gitrepo, 3):
        seed.bulk(control_plane, [seed.job(gitrepo, commit)])
        event = json.loads(stream.readline())
        assert seed.job_name("web", gitrepo["spec"]["repo"], commit) == event["object"]["metadata"]["name"]


def test_a_watch_is_rewritten_line_by_line(proxied: Caller, proxy: Proxy) -> None:
    proxy.rule = always(Rewrite(lambda line: line.replace(b'"ADDED"', b'"ODD"')))

    _, body = proxied.ask("/api/v1/namespaces?watch=true&timeoutSeconds=1")

    assert {"ODD"} == {json.loads(line)["type"] for line in body.splitlines()}


def test_a_watch_breaks_within_a_line(proxied: Caller, proxy: Proxy) -> None:
    proxy.rule = always(CutBody(after=100))

    assert len(arrived(proxied.start("/api/v1/namespaces?watch=true"))) == 100


def test_a_proxy_ends_with_watches_open(control_plane: ControlPlane) -> None:
    before = threading.active_count()
    with Proxy(control_plane) as ended:
        caller = Caller(control_plane, ended.port)
        caller.start("/api/v1/namespaces?watch=true").readline()
        ended.forget()
        assert not ended.seen

    caller.connection.close()
    assert before == threading.active_count()
