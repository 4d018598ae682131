"""What is told of every request, and how long a single one may take."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

from cleaner.cluster import Announcement, ClusterError, Doomed, Fate, Kind, Unreachable
from cleaner.happened import Happened, Requested
from cleaner.kube import Connection, KubeCluster, Limits
from cleaner.kube.failures import NotSent
from cleaner.kube.requested import asked
from cleaner.model import Owner
from tests.edge.faults import Ahead, hurried, is_delete, refusal, stock
from tests.edge.passes import FLEET, clock, never
from tests.edge.servers import JOBS, Server, names_of
from tests.edge.streams import DEADLINE, QUIET, Reading
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.ports import free_ports
from tests.world.proxy import Delay, Fault, LoseAnswer, Proxy
from tests.world.wire import Silence, Wire

PATHS = [
    ("GET", "/api/v1/namespaces", "list namespaces"),
    ("GET", "/api/v1/namespaces/x", "get namespaces"),
    ("GET", "/apis/batch/v1/jobs", "list jobs"),
    ("GET", "/apis/batch/v1/namespaces/n/jobs", "list jobs"),
    ("GET", "/apis/batch/v1/namespaces/n/jobs/x", "get jobs"),
    ("GET", "/apis/batch/v1/namespaces/namespaces/jobs", "list jobs"),
    ("DELETE", "/apis/batch/v1/namespaces/n/jobs/x", "delete jobs"),
    ("PATCH", "/apis/batch/v1/namespaces/n/jobs/x/status", "patch jobs/status"),
    ("GET", "/apis/fleet.cattle.io/v1alpha1/gitrepos", "list gitrepos"),
    ("GET", "/apis/fleet.cattle.io/v1alpha1/namespaces/n/gitrepos/x", "get gitrepos"),
    ("POST", "/api/v1/namespaces/n/events", "create events"),
    ("PUT", "/apis/coordination.k8s.io/v1/namespaces/n/leases/x", "update leases"),
    ("GET", "/apis/coordination.k8s.io/v1/namespaces/n/leases/x", "get leases"),
    ("GET", "/version", "get version"),
    ("GET", "/", "get "),
]


@pytest.mark.parametrize(("method", "path", "meant"), PATHS)
def test_a_path_is_a_verb_and_a_resource(method: str, path: str, meant: str) -> None:
    assert " ".join(asked(method, path)) == meant


class Told:
    """A connection and all that it told."""

    def __init__(self, kubeconfig: Path, timeout: float = 20, **limits: Any) -> None:
        self.happened: list[Happened] = []
        timer = hurried()
        self.connection = Connection((str(kubeconfig), ""), "gitjob-cleaner/test", timeout, timer, 4, self.happened.append)
        self.port = KubeCluster(self.connection, Limits(**{"delete_rate": 0.0, "fleet_version": FLEET, **limits}), timer)

    def requests(self) -> list[str]:
        """Verb, resource and code of each request."""
        return [f"{one.verb} {one.resource} {one.code}" for one in self.happened if isinstance(one, Requested)]


def test_every_request_is_told_once(server: Server, place: str) -> None:
    told = Told(server.kubeconfig(), own_namespace=place)

    list(told.port.namespaces())
    told.port.namespace(place)
    told.port.namespace("no-such-namespace")
    list(told.port.jobs(place))
    list(told.port.gitrepos(""))
    told.port.lease(20)
    held = told.port.hold(None, "one", 15, 20)
    told.port.release(held, 20)
    told.port.announce(Announcement(Owner(place, "shop", "uid"), "A", "b"))

    # The server may hold more Namespaces and GitRepos of other tests than a page has room for.
    assert [one for one, _ in itertools.groupby(told.requests())] == [
        "list namespaces 200",
        "get namespaces 200",
        "get namespaces 404",
        "list jobs 200",
        "list gitrepos 200",
        "get leases 404",
        "create leases 201",
        "update leases 200",
        "create events 201",
    ]
    assert told.connection.requests == len(told.requests())
    assert all(0 <= one.seconds < 60 for one in told.happened if isinstance(one, Requested))


def test_a_watch_is_told_when_its_answer_begins(server: Server, place: str) -> None:
    told = Told(server.kubeconfig())
    with Reading(told.port.watch(Kind.GITREPOS, place, "", QUIET)) as reading:
        seed.put(server, [seed.gitrepo(place, "shop")])
        reading.until(lambda: bool(reading.changes))
        assert told.requests() == ["watch gitrepos 200"]

    assert told.requests() == ["watch gitrepos 200"]


def test_a_request_that_is_repeated_is_told_each_time(control_plane: ControlPlane, namespace: str) -> None:
    answers: list[Fault] = [refusal(500, "InternalError"), refusal(401, "Unauthorized"), LoseAnswer()]
    with Proxy(control_plane, lambda _: answers.pop(0) if answers else None) as proxy:
        told = Told(control_plane.kubeconfig(server=proxy.url))
        list(told.port.jobs(namespace))

    assert told.requests() == ["list jobs 500", "list jobs 401", "list jobs connection", "list jobs 200"]


def test_a_watch_that_is_begun_again_is_told_each_time(control_plane: ControlPlane, namespace: str) -> None:
    with Proxy(control_plane, lambda _: refusal(401, "Unauthorized")) as proxy:
        told = Told(control_plane.kubeconfig(server=proxy.url))
        with pytest.raises(ClusterError):
            list(told.port.watch(Kind.JOBS, namespace, "1", QUIET))

    assert told.requests() == ["watch jobs 401", "watch jobs 401"]


def test_nobody_there_is_a_failed_connection(control_plane: ControlPlane) -> None:
    (nobody,) = free_ports(1)
    told = Told(control_plane.kubeconfig(server=f"https://127.0.0.1:{nobody}"))
    with pytest.raises(NotSent):
        told.connection.send("GET", "/api/v1/namespaces")
    with pytest.raises(Unreachable):
        list(told.port.watch(Kind.JOBS, "", "1", QUIET))

    assert told.requests() == ["list namespaces connection", "watch jobs connection"]


def test_nobody_who_answers_is_a_timeout(control_plane: ControlPlane) -> None:
    with Wire(control_plane.port) as wire:
        wire.fault(Silence())
        told = Told(control_plane.kubeconfig(server=wire.url), timeout=0.5)
        with pytest.raises(Unreachable):
            told.connection.send("GET", "/api/v1/namespaces")

    assert told.requests() == ["list namespaces timeout"]


def test_a_certificate_of_nobodys_is_another_failure(control_plane: ControlPlane, tmp_path: Path) -> None:
    path = control_plane.kubeconfig(tmp_path / "kubeconfig")
    path.write_text(path.read_text().replace(f'"certificate-authority": "{control_plane.ca_file}"', '"x": "y"'))
    told = Told(path)
    with pytest.raises(Unreachable):
        told.connection.send("GET", "/api/v1/namespaces")

    assert told.requests() == ["list namespaces other"]


class Dribbler:
    """A server that sends its answer byte by byte and never ends it: each byte is in time, the whole never."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(self._head)
            while not self._stopped.wait(0.05):
                connection.sendall(b"x")


@pytest.fixture
def dribbler() -> Iterator[Dribbler]:
    """One that has sent its headers."""
    with Dribbler(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n") as started:
        yield started


def over_http(control_plane: ControlPlane, port: int) -> Path:
    """A kubeconfig for a server without TLS."""
    path = control_plane.kubeconfig(server=f"http://127.0.0.1:{port}")
    return Path(path)


def test_a_limit_is_for_the_whole_answer(control_plane: ControlPlane, dribbler: Dribbler) -> None:
    told = Told(over_http(control_plane, dribbler.port), timeout=200)

    with pytest.raises(Unreachable):
        told.connection.send("PUT", "/api/v1/namespaces/x", body={}, limit=0.5)

    assert told.requests() == ["update namespaces timeout"]


@pytest.mark.parametrize("late", [b"", b"half"])
def test_what_is_left_of_a_limit_is_all_that_a_byte_is_waited_for(control_plane: ControlPlane, late: bytes) -> None:
    """The headers, or half of the body, come at the end of the limit, and then nothing: it is not waited for all over again."""
    ahead = Ahead()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        source = (str(over_http(control_plane, listener.getsockname()[1])), "")
        connection = Connection(source, "gitjob-cleaner/test", 2 * DEADLINE, ahead.clock())
        saying = threading.Thread(target=say_half, args=(listener, late, ahead))
        saying.start()
        began = time.monotonic()
        with pytest.raises(Unreachable):
            connection.send("PUT", "/api/v1/namespaces/x", body={}, limit=2 * DEADLINE)
        waited = time.monotonic() - began
        saying.join()

    assert waited < DEADLINE


def say_half(listener: socket.socket, late: bytes, ahead: Ahead) -> None:
    """Answer with half an answer, let nearly all of the limit pass before its last part, and wait until the client is gone."""
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        connection.recv(1 << 16)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
        if late:
            connection.sendall(head)
            threading.Event().wait(0.5)
        ahead.push(2 * DEADLINE - 2)
        connection.sendall(late or head)
        while connection.recv(1 << 16):
            pass


def test_a_limit_is_for_the_repetition_after_a_401_too(control_plane: ControlPlane) -> None:
    with Proxy(control_plane) as proxy:
        proxy.rule = lambda request: refusal(401, "Unauthorized") if request.nth == 1 else Delay(100)
        told = Told(control_plane.kubeconfig(server=proxy.url), timeout=200)
        with pytest.raises(Unreachable):
            told.connection.send("GET", "/api/v1/namespaces", limit=1.0)

    assert told.requests()[0] == "list namespaces 401"
    assert told.requests()[1:] in ([], ["list namespaces timeout"])


def test_a_limit_that_is_over_sends_nothing(control_plane: ControlPlane) -> None:
    with Proxy(control_plane) as proxy:
        told = Told(control_plane.kubeconfig(server=proxy.url))
        with pytest.raises(NotSent):
            told.connection.send("GET", "/api/v1/namespaces", limit=0.0)

        assert (proxy.seen, told.requests()) == ([], [])


def test_a_limit_that_is_kept_changes_nothing(server: Server, place: str) -> None:
    told = Told(server.kubeconfig())

    answers = [told.connection.send("GET", f"/api/v1/namespaces/{place}", limit=20.0).status for _ in range(3)]
    unlimited = told.connection.send("GET", f"/api/v1/namespaces/{place}").status

    assert (answers, unlimited) == ([200] * 3, 200)


def test_a_deletion_takes_no_longer_than_it_may(control_plane: ControlPlane, namespace: str) -> None:
    """The server may still do it: the answer was lost, and that is what is told."""
    stock(control_plane, namespace, 1)
    with Proxy(control_plane, lambda request: Delay(100) if is_delete(request) else None) as proxy:
        told = Told(control_plane.kubeconfig(server=proxy.url), timeout=200, delete_limit=0.5)
        (page,) = told.port.jobs(namespace)
        (deletion,) = told.port.delete([Doomed(page.facts[0], time.monotonic() + 600)], never)

    assert (deletion.fate, deletion.doomed.lost) == (Fate.AGAIN, True)
    assert told.requests()[-1] == "delete jobs timeout"


def test_a_deletion_within_its_limit_is_done(server: Server, place: str) -> None:
    (repo,) = seed.put(server, [seed.gitrepo(place, "shop")])
    seed.put(server, [seed.job(repo, seed.sha("old"), "failed")])
    told = Told(server.kubeconfig(), delete_limit=20.0)
    (page,) = told.port.jobs(place)

    (deletion,) = told.port.delete([Doomed(page.facts[0], clock().monotonic() + 60)], never)

    assert deletion.fate is Fate.DELETED
    assert names_of(server, JOBS.format(place)) == set()
