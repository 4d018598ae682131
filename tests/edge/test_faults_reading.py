"""What goes wrong while reading: nothing is deleted on half a picture, and one bad object costs itself alone."""

import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleaner.cluster import Unreachable
from cleaner.kube import Connection
from cleaner.result import exit_code
from tests.edge.faults import EXPIRED, always, first, is_delete, jobs_list, refusal, stock, through
from tests.edge.passes import Passed, clock, sweep
from tests.edge.servers import GITREPOS, JOBS, names_of
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.proxy import Answer, Fault, HalfBody, Proxy, Request, ResetBefore, Rewrite
from tests.world.wire import Silence, Wire

HTML = Answer(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})


def nothing_happened(control_plane: ControlPlane, namespace: str, names: list[str], passed: Passed, proxy: Proxy) -> bool:
    """Whether not even one DELETE was sent."""
    no_request = not any(is_delete(seen.request) for seen in proxy.seen)
    return no_request and passed.fates() == {} and names_of(control_plane, JOBS.format(namespace)) == set(names)


@pytest.fixture(scope="module")
def long_list(control_plane: ControlPlane) -> tuple[str, list[str]]:
    """A Namespace with more Jobs than one page holds; nobody deletes them."""
    namespace = seed.namespace(control_plane)
    return namespace, stock(control_plane, namespace, 520)


def test_a_list_that_expires_half_way_begins_again_and_judges_each_job_once(
    control_plane: ControlPlane, long_list: tuple[str, list[str]]
) -> None:
    namespace, names = long_list

    def rule(request: Request) -> Fault | None:
        return EXPIRED if jobs_list(request, namespace) and request.nth == 2 else None

    passed, proxy = through(control_plane, namespace, rule, dry_run=True)

    judged = sorted(verdict.job.name for verdict in passed.result.verdicts())
    assert judged == sorted(names)
    asked = [s.request.query.get("continue", "") for s in proxy.seen if jobs_list(s.request, namespace)]
    assert [bool(token) for token in asked] == [False, True, False, True]
    assert passed.of("would-delete") == set(names[:-1])


def test_a_list_that_expires_twice_is_refused_and_nothing_goes(
    control_plane: ControlPlane, long_list: tuple[str, list[str]]
) -> None:
    namespace, names = long_list

    def rule(request: Request) -> Fault | None:
        return EXPIRED if jobs_list(request, namespace) and "continue" in request.query else None

    passed, proxy = through(control_plane, namespace, rule)

    assert nothing_happened(control_plane, namespace, names, passed, proxy)
    assert [refused.namespace for refused in passed.result.refused] == [namespace]
    assert exit_code(passed.result) == 4


def test_where_one_namespace_expires_twice_the_others_are_swept(
    control_plane: ControlPlane, namespace: str, long_list: tuple[str, list[str]]
) -> None:
    names = stock(control_plane, namespace, 3)

    def rule(request: Request) -> Fault | None:
        return EXPIRED if jobs_list(request, long_list[0]) and "continue" in request.query else None

    passed, _ = through(control_plane, f"{long_list[0]},{namespace}", rule)

    assert passed.of("deleted") == set(names[:2])
    assert ([r.namespace for r in passed.result.refused], exit_code(passed.result)) == ([long_list[0]], 1)


@pytest.mark.parametrize("collection", [JOBS, GITREPOS])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(HTML, id="a page of HTML"),
        pytest.param(HalfBody(), id="half a body"),
        pytest.param(ResetBefore(), id="a reset"),
        pytest.param(refusal(500, "InternalError"), id="500"),
        pytest.param(refusal(503, "ServiceUnavailable"), id="503"),
        pytest.param(Answer(503, b"upstream is down", {"Retry-After": "3"}), id="503 with Retry-After"),
        pytest.param(Answer(429, b"{}", {"Retry-After": "2"}), id="429 with Retry-After"),
        pytest.param(refusal(429, "TooManyRequests"), id="429"),
    ],
)
def test_a_list_that_fails_once_is_asked_for_again(
    control_plane: ControlPlane, namespace: str, fault: Fault, collection: str
) -> None:
    names = stock(control_plane, namespace, 3)
    path = collection.format(namespace)

    passed, proxy = through(control_plane, namespace, first(fault, path))

    assert len([s for s in proxy.seen if s.request.path == path]) == 2
    assert names_of(control_plane, JOBS.format(namespace)) == {names[2]}
    assert exit_code(passed.result) == 0


@pytest.mark.parametrize("collection", [JOBS, GITREPOS])
@pytest.mark.parametrize("fault", [HTML, HalfBody(), refusal(500, "InternalError"), Answer(429, b"{}")])
def test_a_list_that_fails_for_good_deletes_nothing(
    control_plane: ControlPlane, namespace: str, fault: Fault, collection: str
) -> None:
    names = stock(control_plane, namespace, 3)

    passed, proxy = through(control_plane, namespace, always(fault, collection.format(namespace)))

    assert nothing_happened(control_plane, namespace, names, passed, proxy)
    assert exit_code(passed.result) == 4


def test_patience_is_as_long_as_the_server_asks(control_plane: ControlPlane, namespace: str) -> None:
    stock(control_plane, namespace, 2)
    slept: list[float] = []
    timer = clock()._replace(sleep=slept.append)
    rule = first(Answer(429, b"{}", {"Retry-After": "17"}), JOBS.format(namespace))

    with Proxy(control_plane, rule) as proxy:
        sweep(control_plane.kubeconfig(server=proxy.url), namespace, timer=timer)

    assert slept == [17.0]


def test_gitrepos_that_have_vanished_from_the_list_cost_no_job(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 4)

    def empty(body: bytes) -> bytes:
        return json.dumps(json.loads(body) | {"items": []}).encode()

    passed, proxy = through(control_plane, namespace, always(Rewrite(empty), GITREPOS.format(namespace)))

    assert nothing_happened(control_plane, namespace, names, passed, proxy)
    assert set(passed.reasons().values()) == {"not-owned"}


def test_gitrepos_that_may_not_be_listed_cost_no_job(control_plane: ControlPlane, namespace: str) -> None:
    names = stock(control_plane, namespace, 4)

    passed, proxy = through(control_plane, namespace, always(refusal(403, "Forbidden"), GITREPOS.format(namespace)))

    assert nothing_happened(control_plane, namespace, names, passed, proxy)
    assert exit_code(passed.result) == 3


def test_a_silent_server_is_given_up(control_plane: ControlPlane) -> None:
    with Wire(control_plane.port) as wire:
        connection = Connection((str(control_plane.kubeconfig(server=wire.url)), ""), "gitjob-cleaner/test", 1.0, clock())
        assert connection.send("GET", "/version").status == 200
        wire.fault(Silence())

        with pytest.raises(Unreachable):
            connection.send("GET", "/version")
        connection.close()


@pytest.fixture
def trickling(tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig for a server that sends its answer a byte at a time, never ending, never silent for long."""
    stopped = threading.Event()

    class Trickle(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
            while not stopped.wait(0.1):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Trickle) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        path = tmp_path / "kubeconfig"
        place = {"cluster": "t", "user": "t"}
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "t", "contexts": [{"name": "t", "context": place}]}
        config |= {"clusters": [{"name": "t", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}]}
        config |= {"users": [{"name": "t", "user": {}}]}
        path.write_text(json.dumps(config))
        yield path
        stopped.set()
        server.shutdown()
        thread.join()


def test_a_server_that_trickles_is_cut_by_the_time_limit(trickling: Path) -> None:
    connection = Connection((str(trickling), ""), "gitjob-cleaner/test", 1.5, clock())

    with pytest.raises(Unreachable, match="time was up"):
        connection.send("GET", "/version")
    connection.close()
