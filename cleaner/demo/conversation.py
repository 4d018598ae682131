"""The HTTP of the sandbox: requests in, answers and streams out, web pages and oversized bodies kept out."""

import json
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlsplit

from cleaner.demo import status
from cleaner.demo.answering import Answer, Api, Request

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_LARGEST = 3 * 1024 * 1024
"""Bytes of a request body: kube-apiserver's own limit."""


class Listener(Protocol):
    """What a conversation needs of the server that it belongs to."""

    api: Api
    now: Callable[[], float]


class Conversation(BaseHTTPRequestHandler):
    """One client's connection: requests one after the other, each answered by the API."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "gitjob-cleaner-sandbox", ""
    disable_nagle_algorithm = True
    wbufsize = 65536
    timeout = 90
    """Seconds that a silent client keeps its thread; also the limit for a client that does not read."""

    def _converse(self) -> None:
        self._sent_headers = False
        request = self._request()
        self._send(request if isinstance(request, Answer) else self._server().api.answer(request))

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = _converse  # noqa: N815 - named by http.server

    def _server(self) -> Listener:
        return cast(Listener, self.server)

    def _request(self) -> Request | Answer:
        """What the client asks, or the refusal of something that is not even looked at."""
        if refusal := self._unwelcome():
            self.close_connection = True
            self._pour_away(refusal.code)
            return Answer(refusal.code, refusal.body)
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        media_type = self.headers.get("Content-Type", "").partition(";")[0].strip()
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        return Request(self.command, url.path, query, self.headers.get("Accept", ""), media_type, body)

    def _unwelcome(self) -> status.RefusedError | None:
        """A web page must not reach the sandbox: neither by its own name (DNS rebinding) nor from its own origin."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in _LOOPBACK or self.headers.get("Origin"):
            return status.forbidden("the sandbox answers only programs on this machine")
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            return status.RefusedError(411, "BadRequest", "a Content-Length is needed")
        if int(length) > _LARGEST:
            text = f"Request entity too large: limit is {_LARGEST}"
            return status.RefusedError(413, "RequestEntityTooLarge", text, {})
        return None

    def _pour_away(self, code: int) -> None:
        """Take a body that is too large off the wire, or the client would not read the answer."""
        left = min(int(self.headers["Content-Length"]), 16 * _LARGEST) if code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else 0
        while left > 0 and (read := len(self.rfile.read(min(left, 65536)))):
            left -= read

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.code)
        self.send_header("Cache-Control", "no-cache, private")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.lines is None:
            self._send_whole(answer.body)
        else:
            self._send_lines(answer)

    def _send_whole(self, body: Any) -> None:
        plain = isinstance(body, str)
        data = body.encode() if plain else json.dumps(body, separators=(",", ":")).encode()
        self.send_header("Content-Type", "text/plain; charset=utf-8" if plain else "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)

    def _send_lines(self, answer: Answer) -> None:
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for batch in answer.lines or ():
            if batch:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(batch), batch))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer what is not even HTTP with a `Status` too."""
        refusal = status.RefusedError(code, "BadRequest", message or HTTPStatus(code).phrase)
        self.close_connection = True
        self.request_version = self.protocol_version  # it is 0.9, without headers, until a request line is understood
        self.command = getattr(self, "command", None) or "GET"
        self._send(Answer(code, refusal.body))

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The `Date` header, by the sandbox's own clock."""
        return super().date_time_string(self._server().now() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Say nothing: the terminal belongs to the demo's table."""
