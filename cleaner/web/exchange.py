"""A request as it is read and an answer as it is written: HTTP/1.1 with one request for each connection."""

from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec

from cleaner.web.script import SCRIPT_HASH
from cleaner.web.style import STYLE_HASH

LIMIT = 8192
"""Bytes that a request's line and headers may have together."""

_METHODS = ("GET", "HEAD")

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src '{STYLE_HASH}'; script-src '{SCRIPT_HASH}'; connect-src 'self'; img-src data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Connection": "close",
}


class Request(msgspec.Struct, frozen=True):
    """What is asked. The names of `headers` are in lower case; one that comes twice has its values joined."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = {}


class Answer(msgspec.Struct, frozen=True):
    """What is answered; `headers` come beside those that every answer has."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = {}


Answers = Mapping[str, Callable[[Request], Answer]]
"""What answers which path."""


class RefusedError(Exception):
    """A request that is not even asked of anybody; `answer` tells why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def line(status: int, text: str = "", **headers: str) -> Answer:
    """Answer with one line of text, by default the status in words."""
    return Answer(status, f"{text or HTTPStatus(status).phrase}\n".encode(), headers=headers)


def read_request(receive: Callable[[], bytes]) -> Request | None:
    """
    Read a request up to the end of its headers; None where the client leaves before it has asked.

    Raises:
        RefusedError: it is too long, no HTTP/1, or of a method that is not served.
        OSError: as `receive` does.

    """
    heard, end = b"", -1
    while end < 0:
        more = receive()
        if not more:
            return None
        heard = (heard + more).replace(b"\r\n", b"\n").lstrip(b"\n")
        end = heard.find(b"\n\n")
        if end > LIMIT or (end < 0 and len(heard) > LIMIT):
            raise RefusedError(line(431 if 0 <= heard.find(b"\n") < LIMIT else 414))
    return _parsed(heard[:end].decode("latin-1"))


def _parsed(head: str) -> Request:
    first, *rest = head.split("\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        raise RefusedError(line(400))
    method, target, version = words
    if version not in ("HTTP/1.0", "HTTP/1.1"):
        raise RefusedError(line(505))
    if method not in _METHODS:
        raise RefusedError(line(405, Allow=", ".join(_METHODS)))
    path, _, query = _origin(target).partition("?")
    return Request(method, path, query, _headers(rest))


def _origin(target: str) -> str:
    """Path and query of a target; proxies are sent whole addresses."""
    if target.startswith("/"):
        return target
    try:
        parts = urlsplit(target)
    except ValueError:
        raise RefusedError(line(400)) from None
    if parts.scheme not in ("http", "https"):
        raise RefusedError(line(400))
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for text in lines:
        name, colon, value = text.partition(":")
        if not colon or not name or name != name.strip():
            raise RefusedError(line(400))
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def written(answer: Answer, *, without_body: bool) -> bytes:
    """Write an answer; one to a HEAD has all headers of the body that it leaves out."""
    headers = {
        **_ALWAYS,
        "Date": formatdate(usegmt=True),
        "Content-Type": answer.content_type,
        "Content-Length": str(len(answer.body)),
        **answer.headers,
    }
    status = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
    head = status + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    return head.encode("latin-1") + (b"" if without_body else answer.body)
