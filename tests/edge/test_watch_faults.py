"""Watches through a network and past proxies that do what they should not."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaner.cluster import ClusterError, Denied, Expired, Kind, Throttled, Unreachable
from cleaner.happened import Happened, Requested
from cleaner.kube import Connection, KubeCluster, Limits
from cleaner.kube.body import _Chunks
from cleaner.kube.watch import LONGEST_LINE, MOST_SHARED
from cleaner.model import Job
from tests.edge.faults import FORBIDDEN, refusal
from tests.edge.passes import clock, cluster
from tests.edge.streams import DEADLINE, QUIET, Reading, line, now, read
from tests.world import seed
from tests.world.control_plane import ControlPlane
from tests.world.ports import free_ports
from tests.world.proxy import Answer, Before, CutBody, Delay, EndBody, Fault, Proxy, ResetBefore, Rewrite
from tests.world.seed import Json
from tests.world.wire import Silence, Wire

SECRET = b"s3cr3t-0f-n0b0dy"


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[Proxy]:
    """Between us and the API; it does nothing until it is told to."""
    with Proxy(control_plane) as started:
        yield started


@pytest.fixture
def port(control_plane: ControlPlane, proxy: Proxy) -> KubeCluster:
    """The port through the proxy."""
    return cluster(control_plane.kubeconfig(server=proxy.url))


def watches(proxy: Proxy, *faults: Fault | None) -> None:
    """The first watches suffer these, one each; later ones suffer the last."""
    left = list(faults)
    proxy.rule = lambda request: (left.pop(0) if len(left) > 1 else left[0]) if request.watch else None


def a_job(namespace: str, name: str = "shop", **metadata: object) -> Json:
    """A Job as a watch tells it."""
    made = seed.job(seed.gitrepo(namespace, name), seed.sha("head"), "failed").object
    return {**made, "metadata": {**made["metadata"], "resourceVersion": "77", **metadata}}


def told(proxy: Proxy, port: KubeCluster, body: bytes) -> list[object]:
    """What a watch tells whose whole answer is this, and the error it ends with."""
    watches(proxy, Answer(200, body))
    with Reading(port.watch(Kind.JOBS, "somewhere", "1", QUIET)) as reading:
        assert reading.ended()
    return [*reading.changes, reading.error] if reading.error else list(reading.changes)


ANSWERS = [
    pytest.param(Answer(410, refusal(410, "Expired").body), Expired, id="410"),
    pytest.param(FORBIDDEN, Denied, id="403"),
    pytest.param(refusal(404, "NotFound"), Denied, id="404"),
    pytest.param(refusal(429, "TooManyRequests"), Throttled, id="429"),
    pytest.param(refusal(500, "InternalError"), ClusterError, id="500"),
    pytest.param(Answer(502, b"<html>" + SECRET), ClusterError, id="a page"),
    pytest.param(Answer(204), ClusterError, id="204"),
]


@pytest.mark.parametrize(("answer", "kind"), ANSWERS)
def test_an_answer_that_is_no_stream_has_its_meaning(
    proxy: Proxy, port: KubeCluster, answer: Answer, kind: type[ClusterError]
) -> None:
    watches(proxy, answer)

    with pytest.raises(ClusterError) as raised:
        read(port.watch(Kind.JOBS, "somewhere", "1", QUIET))

    assert type(raised.value) is kind
    assert SECRET.decode() not in str(raised.value)
    assert len(proxy.seen) == 1


def test_the_first_401_loads_the_credentials_again(
    control_plane: ControlPlane, proxy: Proxy, port: KubeCluster, namespace: str
) -> None:
    version = now(port, Kind.GITREPOS, namespace)
    watches(proxy, refusal(401, "Unauthorized"), None)

    with Reading(port.watch(Kind.GITREPOS, namespace, version, QUIET)) as reading:
        seed.put(control_plane, [seed.gitrepo(namespace, "shop")])
        reading.until(lambda: bool(reading.changes))

    assert [seen.status for seen in proxy.seen if seen.request.watch] == [401, 200]


def test_the_second_401_is_a_denial(proxy: Proxy, port: KubeCluster) -> None:
    watches(proxy, refusal(401, "Unauthorized"))

    with pytest.raises(Denied, match="401"):
        read(port.watch(Kind.JOBS, "", "1", QUIET))

    assert len(proxy.seen) == 2


def test_a_410_in_the_stream_means_that_the_version_is_gone(proxy: Proxy, port: KubeCluster) -> None:
    change, error = told(proxy, port, line("ADDED", a_job("n")) + line("ERROR", {"code": 410, "message": "too old"}))

    assert isinstance(error, Expired)
    assert "too old" in str(error)
    assert change.fact.namespace == "n"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ({"code": 500, "message": "boom " * 1000}, ClusterError),
        ({"code": 403, "message": "no"}, Denied),
        ({}, ClusterError),
        ("nothing", ClusterError),
        (None, ClusterError),
    ],
)
def test_another_error_in_the_stream_is_told_briefly(
    proxy: Proxy, port: KubeCluster, status: object, kind: type[ClusterError]
) -> None:
    (error,) = told(proxy, port, line("ERROR", status))

    assert type(error) is kind
    assert 0 < len(str(error)) < 400


GARBAGE = [
    b"<html>" + SECRET + b"</html>\n",
    b'{"type":"ADDED","object":' + SECRET + b"}\n",
    b'{"kind":"JobList","items":["' + SECRET + b'"]}\n',
    b'{"type":7,"object":"' + SECRET + b'"}\n',
    b'"' + SECRET + b'"\n',
    b'{"type":"ADDED","object":{"a":"\xff' + SECRET + b'"}\n',
    b'{"type":"ADDED","object":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}\n",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_a_line_that_is_no_event_is_an_error_without_a_word_of_it(proxy: Proxy, port: KubeCluster, garbage: bytes) -> None:
    change, error = told(proxy, port, line("ADDED", a_job("n")) + garbage + line("ADDED", a_job("m")))

    assert type(error) is ClusterError
    assert SECRET.decode() not in str(error)
    assert change.fact.namespace == "n"  # type: ignore[attr-defined]


def test_an_object_that_cannot_be_understood_costs_only_itself(proxy: Proxy, port: KubeCluster) -> None:
    rescued, unreadable, fine = told(
        proxy,
        port,
        line("MODIFIED", {**a_job("n"), "status": {"conditions": 7}})
        + line("ADDED", {"metadata": {"name": "x", "namespace": 5}})
        + b"\n"
        + line("ADDED", a_job("n")),
    )

    assert isinstance(rescued.fact, Job)  # type: ignore[attr-defined]
    assert rescued.fact.problem  # type: ignore[attr-defined]
    assert (unreadable.fact, unreadable.unreadable is None) == (None, False)  # type: ignore[attr-defined]
    assert fine.fact.problem == ""  # type: ignore[attr-defined]


@pytest.mark.parametrize("half", [b'{"type":"ADDED","object":{"meta', b"x", json.dumps({"type": "ADDED"}).encode()])
def test_half_a_line_at_the_end_is_dropped_and_told(proxy: Proxy, port: KubeCluster, half: bytes) -> None:
    change, error = told(proxy, port, line("ADDED", a_job("n")) + half)

    assert type(error) is Unreachable
    assert "half a line" in str(error)
    assert change.fact.namespace == "n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("after", [1, 500, 5000])
def test_half_a_line_at_the_end_of_a_real_stream_is_dropped_and_told(
    control_plane: ControlPlane, proxy: Proxy, port: KubeCluster, namespace: str, after: int
) -> None:
    watches(proxy, EndBody(after))
    with Reading(port.watch(Kind.JOBS, namespace, now(port, Kind.JOBS, namespace), QUIET)) as reading:
        put(control_plane, namespace)
        assert reading.ended()

    assert type(reading.error) is Unreachable
    assert "half a line" in str(reading.error)
    assert reading.changes == []


def test_a_stream_that_ends_in_order_just_ends(proxy: Proxy, port: KubeCluster) -> None:
    assert [change.version for change in told(proxy, port, line("ADDED", a_job("n")))] == ["77"]  # type: ignore[attr-defined]


def test_a_stream_in_chunks_that_ends_in_order_just_ends(proxy: Proxy, port: KubeCluster, namespace: str) -> None:
    """The server ends it by its own time limit."""
    version = now(port, Kind.JOBS, namespace)
    stream = port.watch(Kind.JOBS, namespace, version, QUIET)
    stream._query["timeoutSeconds"] = "1"  # type: ignore[attr-defined]

    batches = read(stream)

    assert [change.fact for batch in batches for change in batch] == [None] * sum(map(len, batches))
    assert proxy.seen[-1].status == 200


@pytest.mark.parametrize("after", [1, 500, 5000])
def test_a_stream_that_is_cut_is_unreachable_and_its_half_line_dropped(
    control_plane: ControlPlane, proxy: Proxy, port: KubeCluster, namespace: str, after: int
) -> None:
    watches(proxy, CutBody(after))
    with Reading(port.watch(Kind.JOBS, namespace, now(port, Kind.JOBS, namespace), QUIET)) as reading:
        put(control_plane, namespace)
        assert reading.ended()

    assert type(reading.error) is Unreachable
    assert reading.changes == []


@pytest.mark.parametrize("rest", [b"", b"5", b"5\r\n", b"5\r\nab", b"5\r\nabcde", b"0"])
def test_a_connection_that_is_closed_before_the_last_chunk_is_unreachable(control_plane: ControlPlane, rest: bytes) -> None:
    whole = line("ADDED", a_job("n"))
    text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n%b" % (len(whole), whole, rest)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = cluster(control_plane.kubeconfig(server=f"http://127.0.0.1:{listener.getsockname()[1]}"))
        saying = threading.Thread(target=say_and_close, args=(listener, text))
        saying.start()
        with Reading(port.watch(Kind.JOBS, "n", "1", QUIET)) as reading:
            assert reading.ended()
        saying.join()

    assert type(reading.error) is Unreachable
    assert [change.version for change in reading.changes] == ["77"]


def say_and_close(listener: socket.socket, text: bytes) -> None:
    """Answer one request with a text, and close in order."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(text)


def test_lines_that_a_proxy_spoils_are_an_error(
    control_plane: ControlPlane, proxy: Proxy, port: KubeCluster, namespace: str
) -> None:
    watches(proxy, Rewrite(lambda one: b"<" + one))
    with Reading(port.watch(Kind.JOBS, namespace, now(port, Kind.JOBS, namespace), QUIET)) as reading:
        put(control_plane, namespace)
        assert reading.ended()

    assert type(reading.error) is ClusterError


@pytest.mark.parametrize("ending", [b"", b'"}}\n'])
def test_a_line_beyond_reason_is_an_error(proxy: Proxy, port: KubeCluster, ending: bytes) -> None:
    (error,) = told(proxy, port, b'{"type":"ADDED","object":{"a":"' + b"x" * LONGEST_LINE + ending)

    assert type(error) is ClusterError
    assert "16 MiB" in str(error)


def test_a_line_just_within_reason_is_none(proxy: Proxy, port: KubeCluster) -> None:
    (change,) = told(proxy, port, line("ADDED", a_job("n", annotations={"a": "x" * (LONGEST_LINE - 50_000)})))

    assert change.fact.namespace == "n"  # type: ignore[attr-defined]


def test_what_jobs_have_in_common_does_not_grow_for_ever(proxy: Proxy, port: KubeCluster) -> None:
    made = json.dumps({"type": "ADDED", "object": a_job("n", "shop")})
    uid = a_job("n")["metadata"]["ownerReferences"][0]["uid"]
    given = json.loads(made)["object"]["metadata"]["ownerReferences"][0]["uid"]
    assert uid != given
    lean = json.loads(made)
    lean["object"] = {"metadata": lean["object"]["metadata"]}
    text = json.dumps(lean)
    watches(proxy, Answer(200, b"".join(text.replace(given, f"uid-{n}").encode() + b"\n" for n in range(3 * MOST_SHARED))))
    stream = port.watch(Kind.JOBS, "n", "1", QUIET)

    sizes = [(sum(1 for change in batch if change.fact), len(stream._shared)) for batch in stream]  # type: ignore[attr-defined]

    assert sum(count for count, _ in sizes) == 3 * MOST_SHARED
    assert max(size for _, size in sizes) <= MOST_SHARED + max(count for count, _ in sizes)


def test_a_stream_that_falls_silent_is_told_to_be(control_plane: ControlPlane, namespace: str) -> None:
    with Wire(control_plane.port) as wire:
        port = cluster(control_plane.kubeconfig(server=wire.url))
        version = now(port, Kind.GITREPOS, namespace)
        with Reading(port.watch(Kind.GITREPOS, namespace, version, 3.0)) as reading:
            seed.put(control_plane, [seed.gitrepo(namespace, "shop")])
            reading.until(lambda: bool(reading.changes))
            wire.fault(Silence())
            assert reading.ended()

    assert type(reading.error) is Unreachable
    assert "silent" in str(reading.error)


def test_a_server_that_accepts_and_never_answers_is_silent_too(control_plane: ControlPlane, proxy: Proxy) -> None:
    watches(proxy, Delay(DEADLINE))
    port = cluster(control_plane.kubeconfig(server=proxy.url))

    with pytest.raises(Unreachable, match="silent"):
        read(port.watch(Kind.GITREPOS, "", "1", 0.5))


def test_a_quiet_stream_whose_silence_is_allowed_goes_on(control_plane: ControlPlane, namespace: str) -> None:
    port = cluster(control_plane.kubeconfig())
    with Reading(port.watch(Kind.GITREPOS, namespace, now(port, Kind.GITREPOS, namespace), QUIET)) as reading:
        pass

    assert reading.error is None


def test_a_server_that_is_not_there_is_unreachable(control_plane: ControlPlane) -> None:
    (nobody,) = free_ports(1)
    port = cluster(control_plane.kubeconfig(server=f"https://127.0.0.1:{nobody}"))

    with pytest.raises(Unreachable, match="refused"):
        read(port.watch(Kind.GITREPOS, "", "1", QUIET))


def test_a_connection_that_is_reset_is_unreachable(proxy: Proxy, port: KubeCluster) -> None:
    # After the handshake: a reset at its very beginning makes Python 3.11's own `ssl` leave a socket to the garbage collector.
    watches(proxy, ResetBefore())
    with pytest.raises(Unreachable):
        read(port.watch(Kind.GITREPOS, "", "1", QUIET))


def told_when_asked(kubeconfig: object, happened: list[Happened], ready: threading.Event) -> KubeCluster:
    """A port whose connection notes what it asked."""
    timer = clock()

    def tell(one: Happened) -> None:
        happened.append(one)
        ready.set()

    return KubeCluster(Connection((str(kubeconfig), ""), "gitjob-cleaner/test", 20, timer, 1, tell), Limits(), timer)


def full(port: int, stack: ExitStack) -> None:
    """Fill a listener's queue, so that nobody else is let in or turned away."""
    for _ in range(8):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(("127.0.0.1", port))


def test_interrupted_while_the_server_lets_nobody_in_it_ends(control_plane: ControlPlane) -> None:
    """Connecting has ten seconds; the interruption ends it at once, and nothing is told as an error."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        full(listener.getsockname()[1], stack)
        port = cluster(control_plane.kubeconfig(server=f"https://127.0.0.1:{listener.getsockname()[1]}"))
        interrupted_at_once(Reading(port.watch(Kind.GITREPOS, "", "1", QUIET)), lambda: None)


def test_interrupted_in_the_handshake_it_ends(control_plane: ControlPlane) -> None:
    with Wire(control_plane.port) as wire:
        wire.fault(Silence())
        port = cluster(control_plane.kubeconfig(server=wire.url))
        interrupted_at_once(Reading(port.watch(Kind.GITREPOS, "", "1", QUIET)), lambda: wait(lambda: wire.connections == 1))
        wait(lambda: wire.open == 0)


def test_interrupted_before_the_answer_begins_it_ends(control_plane: ControlPlane, proxy: Proxy) -> None:
    arrived = threading.Event()
    watches(proxy, Before(lambda: [act() for act in (arrived.set, proxy.stopped.wait)]))
    port = cluster(control_plane.kubeconfig(server=proxy.url))

    interrupted_at_once(Reading(port.watch(Kind.GITREPOS, "", "1", QUIET)), lambda: arrived.wait(DEADLINE))


def test_interrupted_in_a_read_it_ends_and_leaves_no_connection(control_plane: ControlPlane, namespace: str) -> None:
    with Wire(control_plane.port) as wire:
        happened: list[Happened] = []
        ready = threading.Event()
        port = told_when_asked(control_plane.kubeconfig(server=wire.url), happened, ready)
        reading = Reading(port.watch(Kind.GITREPOS, namespace, "", QUIET))
        interrupted_at_once(reading, lambda: ready.wait(DEADLINE))
        wait(lambda: wire.open == 0)

    assert [(one.verb, one.resource, one.code) for one in happened if isinstance(one, Requested)] == [
        ("watch", "gitrepos", "200")
    ]


@pytest.mark.parametrize("round_", range(10))
def test_interrupted_at_any_moment_it_ends_without_an_error(control_plane: ControlPlane, namespace: str, round_: int) -> None:
    """The moments between are hit by chance: each round waits a little longer."""
    port = cluster(control_plane.kubeconfig())
    ready = threading.Event()
    interrupted_at_once(Reading(port.watch(Kind.GITREPOS, namespace, "0", QUIET)), lambda: ready.wait(round_ * 0.002))


def interrupted_at_once(reading: Reading, moment: Callable[[], object]) -> None:
    """Interrupt a stream at a moment; it must end long before any of its time limits, and without an error."""
    with reading:
        moment()
        reading._stream.interrupt()
        reading._thread.join(5)
        assert not reading._thread.is_alive()
    assert reading.error is None


def wait(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    pause = threading.Event()
    for _ in range(int(DEADLINE / 0.02)):
        if holds():
            return
        pause.wait(0.02)
    raise AssertionError("it never came to hold")


def put(control_plane: ControlPlane, namespace: str) -> None:
    """A GitRepo and a Job, past any proxy."""
    (owner,) = seed.put(control_plane, [seed.gitrepo(namespace, "shop")])
    seed.put(control_plane, [seed.job(owner, seed.sha("head"), "failed")])


def framed(parts: list[bytes]) -> bytes:
    """A body in chunks, some with an extension, as one text."""
    return b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 400), max_size=12))
def test_however_the_reads_cut_it_a_body_in_chunks_is_the_same(parts: list[bytes], cuts: list[int]) -> None:
    text = framed(parts)
    ends = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    chunks = _Chunks()

    taken = [chunks.take(text[a:b]) for a, b in zip([0, *ends], ends, strict=False) if a != b and not chunks.ended]

    assert b"".join(taken) == b"".join(parts)
    assert chunks.ended


def test_wherever_one_read_ends_a_body_in_chunks_is_the_same() -> None:
    text = framed([b"one", b"two two", b"3"])
    for cut in range(1, len(text)):
        chunks = _Chunks()
        assert chunks.take(text[:cut]) + (b"" if chunks.ended else chunks.take(text[cut:])) == b"onetwo two3"


@pytest.mark.parametrize("head", [b"-5\r\n", b"\r\n", b"zz\r\n", b"+5\r\n", b"<html>" * 200, b"5" * 2000])
def test_a_frame_that_is_none_is_a_broken_answer(head: bytes) -> None:
    with pytest.raises(Exception, match="IncompleteRead"):
        _Chunks().take(head)
