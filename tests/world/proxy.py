"""A proxy that ends TLS, for the faults that change what a client is told, and a record of every request.

It shows the server's own certificate, so the client notices nothing. Faults of the network are made by `wire.Wire`.
"""

import http.client
import itertools
import socket
import socketserver
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.world.control_plane import ControlPlane
from tests.world.wire import LINGER_ZERO


@dataclass(frozen=True)
class Request:
    """One request as it came in; `nth` counts those with the same method and path, from 1."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    nth: int

    @property
    def watch(self) -> bool:
        """Whether it asks for a stream of changes."""
        return self.query.get("watch", "") in {"1", "true", "True"}


@dataclass(frozen=True)
class Answer:
    """Said in the server's place, which never sees the request."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResetBefore:
    """The client's connection is reset before the server sees the request."""


@dataclass(frozen=True)
class LoseAnswer:
    """The server does what it is asked; its whole answer is read, and the client's connection reset."""


@dataclass(frozen=True)
class HalfBody:
    """The headers and half of the body arrive, then the connection is reset."""


@dataclass(frozen=True)
class CutBody:
    """The headers and so many bytes of the body arrive, then the connection is reset: for streams, which have no half."""

    after: int


@dataclass(frozen=True)
class EndBody:
    """A stream ends after so many bytes as if the server had said all: with its last chunk, and the connection in order."""

    after: int


@dataclass(frozen=True)
class Rewrite:
    """The body passes through a function on its way back, that of a watch line by line; `headers` replace the server's."""

    change: Callable[[bytes], bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Before:
    """A function is called before the request goes on, e.g. to change the world between a list and a delete."""

    act: Callable[[], object]


@dataclass(frozen=True)
class Delay:
    """The request goes on so many seconds later."""

    seconds: float


Fault = Answer | ResetBefore | LoseAnswer | HalfBody | CutBody | EndBody | Rewrite | Before | Delay
Rule = Callable[[Request], Fault | None]


@dataclass
class Seen:
    """What became of a request: the server's own status (None: it never saw it), and what the client was told."""

    request: Request
    began: float
    server_status: int | None = None
    status: int | None = None
    ended: float | None = None


class Proxy:
    """Between a client and the control plane; `rule` is asked about each request and may be changed at any time."""

    def __init__(self, control_plane: ControlPlane, rule: Rule | None = None) -> None:
        self.rule = rule
        self._control_plane = control_plane
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._sockets: set[socket.socket] = set()
        self.stopped = threading.Event()
        self.upstream_tls = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self._server = _Server(self, control_plane)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for each in self._sockets:
                _wake(each)
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What goes into a kubeconfig in place of the server's own URL."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def server_port(self) -> int:
        """The port of the API behind it."""
        return self._control_plane.port

    @property
    def seen(self) -> list[Seen]:
        """Every request so far, in the order of arrival; those under way are among them."""
        with self._lock:
            return list(self._seen)

    def forget(self) -> None:
        """Start the record afresh (`nth` too)."""
        with self._lock:
            self._seen.clear()
            self._counts.clear()

    def note(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Seen:
        """Write a request down."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        with self._lock:
            self._counts[method, parts.path] += 1
            nth = self._counts[method, parts.path]
            seen = Seen(Request(method, parts.path, query, headers, body, nth), time.monotonic())
            self._seen.append(seen)
        return seen

    def holds(self, connection: socket.socket) -> None:
        """A socket that must be woken when the proxy stops."""
        with self._lock:
            self._sockets.add(connection)
            if self.stopped.is_set():
                _wake(connection)

    def releases(self, connection: socket.socket) -> None:
        """A socket that is closed."""
        with self._lock:
            self._sockets.discard(connection)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = False  # server_close waits for every thread: a test leaves none behind
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, proxy: Proxy, control_plane: ControlPlane) -> None:
        self.proxy = proxy
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(control_plane.ca_file, control_plane.key_file)
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that a slow client holds up nobody else."""
        self.proxy.holds(request)
        try:
            with self._tls.wrap_socket(request, server_side=True) as secured:
                self.proxy.holds(secured)
                try:
                    _Handler(secured, client_address, self)
                finally:
                    self.proxy.releases(secured)
        except OSError:
            pass  # the client went away: its own affair
        finally:
            self.proxy.releases(request)

    def shutdown_request(self, request: Any) -> None:
        """Close without a farewell: one would come before a reset and hide it."""
        self.close_request(request)


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, and the one to the server that belongs to it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._upstream: http.client.HTTPSConnection | None = None

    def finish(self) -> None:
        self._hang_up()
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it so
        """The record is `seen`; nothing is printed."""

    def _serve(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = proxy.note(self.command, self.path, dict(self.headers), body)
        fault = proxy.rule(seen.request) if proxy.rule else None
        try:
            self._suffer(seen, fault)
        except (OSError, http.client.HTTPException):
            self._reset()  # the server broke off, so must we
        finally:
            self._end(seen)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815 -- http.server looks for these names

    def _suffer(self, seen: Seen, fault: Fault | None) -> None:
        match fault:
            case ResetBefore():
                self._reset()
            case Answer():
                self._say(seen, fault.status, dict(fault.headers), fault.body)
            case Before():
                fault.act()
                self._relay(seen, self._ask(seen), fault)
            case Delay():
                self.server.proxy.stopped.wait(fault.seconds)
                self._relay(seen, self._ask(seen), fault)
            case _:
                self._relay(seen, self._ask(seen), fault)

    def _ask(self, seen: Seen) -> http.client.HTTPResponse:
        if self._upstream is None:
            proxy = self.server.proxy
            made = http.client.HTTPSConnection("127.0.0.1", proxy.server_port, context=proxy.upstream_tls)
            # Ours before it is connected: whatever goes wrong from here on, the end of this handler closes it.
            self._upstream = made
            made.connect()
            made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            proxy.holds(made.sock)
        request = seen.request
        # Every body must be readable here, so none may be compressed.
        headers = {k: v for k, v in request.headers.items() if k.lower() not in {"accept-encoding", "host"}}
        self._upstream.request(request.method, self.path, request.body or None, headers)
        answer = self._upstream.getresponse()
        seen.server_status = answer.status
        return answer

    def _relay(self, seen: Seen, answer: http.client.HTTPResponse, fault: Fault | None) -> None:
        match fault:
            case LoseAnswer():
                answer.read()
                self._reset()
            case HalfBody():
                body = answer.read()
                self._cut(seen, answer, body, len(body) // 2)
            case Rewrite() if not seen.request.watch:
                self._say(seen, answer.status, {**_passed_on(answer), **fault.headers}, fault.change(answer.read()))
            case _ if answer.length is not None:
                self._say_or_cut(seen, answer, fault)
            case _:
                self._stream(seen, answer, fault)

    def _say_or_cut(self, seen: Seen, answer: http.client.HTTPResponse, fault: Fault | None) -> None:
        body = answer.read()
        if isinstance(fault, CutBody):
            self._cut(seen, answer, body, fault.after)
        else:
            self._say(seen, answer.status, _passed_on(answer), body)

    def _say(self, seen: Seen, status: int, headers: dict[str, str], body: bytes) -> None:
        seen.status = status
        self._head(status, {**headers, "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)
        self._end(seen)
        self.wfile.flush()

    def _end(self, seen: Seen) -> None:
        # Before the last bytes go out: who has the answer finds the record complete.
        seen.ended = seen.ended or time.monotonic()

    def _cut(self, seen: Seen, answer: http.client.HTTPResponse, body: bytes, after: int) -> None:
        seen.status = answer.status
        self._head(answer.status, {**_passed_on(answer), "Content-Length": str(len(body))})
        self.wfile.write(body[:after])
        self._end(seen)
        self.wfile.flush()
        self._reset()

    def _stream(self, seen: Seen, answer: http.client.HTTPResponse, fault: Fault | None) -> None:
        """Pass on an answer without a length, piece by piece, as it comes."""
        seen.status = answer.status
        self._head(answer.status, {**_passed_on(answer), "Transfer-Encoding": "chunked"})
        self.wfile.flush()
        left = fault.after if isinstance(fault, CutBody | EndBody) else None
        for piece in _pieces(answer, fault):
            self._chunk(piece if left is None else piece[:left])
            left = None if left is None else left - len(piece)
            if left is not None and left <= 0:
                if isinstance(fault, CutBody):
                    self._reset()
                    return
                self._hang_up()  # the server's stream goes on
                break
        self._end(seen)
        self._chunk(b"")

    def _chunk(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.flush()

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _reset(self) -> None:
        """End the client's connection with a reset, and the server's with it."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self._hang_up()

    def _hang_up(self) -> None:
        if self._upstream is not None:
            if self._upstream.sock is not None:
                self.server.proxy.releases(self._upstream.sock)
            self._upstream.close()
            self._upstream = None


def _wake(connection: socket.socket) -> None:
    """A thread that waits in a read of this socket goes on, and finds it ended."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


def _passed_on(answer: http.client.HTTPResponse) -> dict[str, str]:
    return {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}


def _pieces(answer: http.client.HTTPResponse, fault: Fault | None) -> Iterator[bytes]:
    if isinstance(fault, Rewrite):
        return map(fault.change, iter(answer.readline, b""))
    return itertools.takewhile(bool, (answer.read1(1 << 16) for _ in itertools.count()))
