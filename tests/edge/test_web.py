"""The HTTP server on real sockets: whatever one client does, the next one is answered."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from cleaner.snapshot import Vitals
from cleaner.web import Server, routes
from cleaner.web.exchange import Answers

WELL = Vitals(ready=True)
PATHS = ["/", "/healthz", "/metrics", "/readyz"]


def exposition(accept: str, accept_encoding: str) -> tuple[str, str, bytes]:
    """Metrics that tell what was asked for."""
    body = f"# {accept} {accept_encoding}\nup 1\n".encode()
    return ("text/plain; version=1", "gzip", gzip.compress(body)) if "gzip" in accept_encoding else ("text/plain", "", body)


def served(vitals: Vitals = WELL, page: Callable[[str], str] = lambda query: f"<p>{query}") -> Answers:
    """The service's own routes."""
    return routes(exposition, lambda: vitals, page)


@contextmanager
def serving(answers: Answers | None = None, host: str = "127.0.0.1", **more: float) -> Iterator[tuple[Server, list[Exception]]]:
    """A server that runs, and what it could not do."""
    failures: list[Exception] = []
    server = Server((host, 0), answers or served(), failures.append, **more)  # type: ignore[arg-type]
    server.start()
    try:
        yield server, failures
    finally:
        server.stop()


def get(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def dial(server: Server) -> socket.socket:
    """A connection on which nothing has been said."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def said(server: Server, sent: bytes) -> bytes:
    """All that comes back for some bytes."""
    with dial(server) as client:
        with suppress(OSError):
            client.sendall(sent)
        return heard(client)


def heard(client: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    got = b""
    with suppress(ConnectionError):
        while more := client.recv(65536):
            got += more
    return got


def gone(client: socket.socket) -> None:
    """The server has ended it without a word."""
    assert heard(client) == b""


def test_every_path_answers() -> None:
    with serving() as (server, failures):
        answers = {path: get(server, path) for path in PATHS}

    assert {path: answer[0] for path, answer in answers.items()} == dict.fromkeys(PATHS, 200)
    assert answers["/"][1]["content-type"] == "text/html; charset=utf-8"
    assert answers["/healthz"][2] == b"ok\n"
    assert answers["/metrics"][2].endswith(b"up 1\n")
    assert failures == []


@pytest.mark.parametrize("path", PATHS)
def test_a_head_is_a_get_without_its_body(path: str) -> None:
    with serving() as (server, _):
        _, full, body = get(server, path)
        status, headers, nothing = get(server, path, "HEAD")

    assert (status, nothing) == (200, b"")
    assert headers["content-length"] == str(len(body))
    assert {**headers, "date": ""} == {**full, "date": ""}


@pytest.mark.parametrize("path", [*PATHS, "/elsewhere", "*"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"])
def test_nothing_can_be_changed(method: str, path: str) -> None:
    with serving() as (server, _):
        status, headers, _ = get(server, path, method)

    assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/elsewhere", "/metrics/", "//metrics", "/metrics%00", "/../metrics", "/favicon.ico"])
def test_other_paths_are_not_there(path: str) -> None:
    with serving() as (server, _):
        assert get(server, path)[0] == 404


def test_every_answer_tells_a_browser_to_trust_it_with_nothing() -> None:
    with serving(served(page=lambda _: str(1 / 0))) as (server, _):
        answers = [get(server, path)[1] for path in (*PATHS, "/elsewhere")] + [get(server, "/", "POST")[1]]

    for headers in answers:
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["connection"] == "close"


def test_the_page_is_given_the_query() -> None:
    with serving() as (server, _):
        assert get(server, "/?text=a%20b&page=2")[2] == b"<p>text=a%20b&page=2"
        assert said(server, b"GET http://cleaner.example/?sort=kept HTTP/1.1\r\n\r\n").endswith(b"<p>sort=kept")


def test_health_and_readiness_tell_what_is_wrong() -> None:
    with serving(served(Vitals(ailing=("the worker is dead", "the clock stands")))) as (server, _):
        health, readiness = get(server, "/healthz"), get(server, "/readyz")

    assert (health[0], health[2]) == (503, b"the worker is dead\nthe clock stands\n")
    assert (readiness[0], readiness[2]) == (503, b"not ready\n")


def test_metrics_come_in_the_form_that_is_asked_for() -> None:
    with serving() as (server, _):
        plain = get(server, "/metrics", Accept="text/a")
        packed = get(server, "/metrics", Accept="text/b", Accept_Encoding="gzip, br")

    assert (plain[1]["content-type"], plain[2].split()[1]) == ("text/plain", b"text/a")
    assert "content-encoding" not in plain[1]
    assert (packed[1]["content-encoding"], packed[1]["content-type"]) == ("gzip", "text/plain; version=1")
    assert gzip.decompress(packed[2]) == b"# text/b gzip, br\nup 1\n"


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.0", False), ("", False), ("x-gzip", False)],
)
def test_the_page_is_packed_for_those_who_take_it(accepted: str, packed: bool) -> None:
    with serving() as (server, _):
        _, headers, body = get(server, "/?x", Accept_Encoding=accepted)

    assert (headers.get("content-encoding") == "gzip") is packed
    assert (gzip.decompress(body) if packed else body) == b"<p>x"


def test_an_answer_that_cannot_be_made_is_told_and_the_next_one_is() -> None:
    with serving(served(page=lambda _: str(1 / 0))) as (server, failures):
        status, _, body = get(server, "/")
        assert get(server, "/metrics")[0] == 200

    assert (status, body.count(b"\n")) == (500, 1)
    assert b"division" not in body
    assert [type(error) for error in failures] == [ZeroDivisionError]


def test_headers_that_cannot_be_written_are_an_answer_that_cannot_be_made() -> None:
    odd = routes(lambda *_: ("text/☃", "", b""), lambda: WELL, lambda _: "")
    with serving(odd) as (server, failures):
        assert get(server, "/metrics")[0] == 500

    assert len(failures) == 1


def test_whoever_is_told_of_failures_may_fail_too() -> None:
    def failed(_: Exception) -> None:
        raise RuntimeError

    server = Server(("127.0.0.1", 0), served(page=lambda _: str(1 / 0)), failed)
    server.start()
    try:
        assert get(server, "/")[0] == 500
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"\xff" * 9000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 20000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"GET elsewhere HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (bytes(range(256)) + b"\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ],
)
def test_what_is_no_proper_request_is_refused_and_the_next_one_answered(sent: bytes, status: int) -> None:
    with serving() as (server, failures):
        answer = said(server, sent)
        assert get(server, "/metrics")[0] == 200

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert failures == []


def test_bare_newlines_and_empty_lines_before_are_understood() -> None:
    with serving() as (server, _):
        assert said(server, b"\r\n\r\nGET /healthz HTTP/1.0\nHost: x\n\n").endswith(b"ok\n")


def test_a_request_may_come_byte_by_byte() -> None:
    with serving() as (server, _), dial(server) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /healthz HTTP/1.1\r\n\r\n":
            client.sendall(bytes([byte]))
        assert heard(client).endswith(b"ok\n")


def test_a_body_that_nobody_reads_does_not_cost_the_answer() -> None:
    with serving() as (server, _):
        answer = said(server, b"POST / HTTP/1.1\r\nContent-Length: 30000\r\n\r\n" + b"x" * 30000)

    assert answer.startswith(b"HTTP/1.1 405 ")


def test_silent_clients_do_not_hold_up_a_scrape_and_have_to_go() -> None:
    with serving(deadline=0.3) as (server, failures), ExitStack() as stack:
        silent = [stack.enter_context(dial(server)) for _ in range(20)]
        assert get(server, "/metrics")[0] == 200
        for client in silent:
            gone(client)

    assert failures == []


def test_a_client_that_drips_has_to_go_too() -> None:
    with serving(deadline=0.3) as (server, _), dial(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        with pytest.raises(ConnectionError):
            drip(client)
        assert get(server, "/metrics")[0] == 200


def drip(client: socket.socket) -> None:
    """Send a byte now and then until the server will have no more."""
    while True:
        client.sendall(b"a")
        threading.Event().wait(0.02)


def test_a_client_that_does_not_read_its_answer_has_to_go() -> None:
    with serving(served(page=lambda _: "x" * 50_000_000), deadline=0.3) as (server, _), dial(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        ended = threading.Event()
        while _clients() and not ended.wait(0.02):
            pass
        assert len(heard(client)) < 50_000_000
        assert get(server, "/metrics")[0] == 200


def _clients() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "web-client"]


def test_at_the_bound_the_oldest_that_waits_makes_room() -> None:
    with serving(most=3) as (server, _), ExitStack() as stack:
        first, *others = [stack.enter_context(dial(server)) for _ in range(3)]
        assert get(server, "/metrics")[0] == 200
        gone(first)
        for client in others:
            client.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
            assert heard(client).endswith(b"ok\n")


def test_a_flood_of_silent_clients_leaves_few_threads_and_a_scrape_in_time() -> None:
    with serving(most=8) as (server, failures), ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(dial(server))
        assert get(server, "/metrics")[0] == 200
        assert len(_clients()) <= 8

    assert failures == []


def test_an_answer_in_the_making_is_not_what_makes_room() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: str) -> str:
        begun.set()
        go_on.wait(30)
        return "done"

    with serving(served(page=slow), most=2) as (server, _), dial(server) as patient, dial(server) as silent:
        patient.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert begun.wait(30)
        assert get(server, "/metrics")[0] == 200
        gone(silent)
        go_on.set()
        assert heard(patient).endswith(b"done")


def test_the_time_that_an_answer_takes_is_not_the_clients_fault() -> None:
    def slow(_: str) -> str:
        threading.Event().wait(0.5)
        return "done"

    with serving(served(page=slow), deadline=0.3) as (server, _):
        assert get(server, "/")[2] == b"done"


def test_stopping_leaves_no_thread_and_no_socket() -> None:
    before = _open_files()
    with serving() as (server, _):
        port = server.port
        clients = [dial(server) for _ in range(5)]
        get(server, "/metrics")
    for client in clients:
        gone(client)
        client.close()

    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("web")] == []
    assert _open_files() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=30)


def _open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_stopping_twice_or_before_the_start_is_nothing() -> None:
    server = Server(("127.0.0.1", 0), served(), lambda _: None)
    server.stop()
    server.stop()


def test_an_address_that_cannot_be_had_is_told() -> None:
    with serving() as (server, _):
        another = Server(("127.0.0.1", server.port), served(), lambda _: None)
        with pytest.raises(OSError, match="in use"):
            another.start()
        another.stop()


def test_a_port_is_free_again_after_a_stop() -> None:
    with serving() as (server, _):
        get(server, "/metrics")
        port = server.port
    again = Server(("127.0.0.1", port), served(), lambda _: None)
    again.start()
    assert again.port == port
    again.stop()


@pytest.mark.parametrize("host", ["::", "[::]", ""])
def test_all_addresses_are_those_of_both_protocols(host: str) -> None:
    with serving(host=host) as (server, _):
        assert get(server, "/metrics")[0] == 200
        if not socket.has_dualstack_ipv6():
            return
        with socket.create_connection(("::1", server.port), timeout=30) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
            assert heard(client).endswith(b"ok\n")
