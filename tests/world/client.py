"""A small caller for the API: JSON in, JSON out, one kept connection for each thread."""

import http.client
import json
import ssl
import threading
from contextlib import suppress
from typing import Any


class Client:
    """Calls one server; `forget` drops every connection, e.g. because the server was killed."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[http.client.HTTPConnection] = []
        self._age = 0

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Ask once; the status and the body of the answer. A connection that breaks is told, never retried."""
        connection = self._connection()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    def forget(self) -> None:
        """Close every connection of every thread; the next request opens a new one."""
        with self._lock:
            self._age += 1
            for connection in self._open:
                with suppress(OSError):
                    connection.close()
            self._open.clear()

    def _connection(self) -> http.client.HTTPConnection:
        if getattr(self._local, "age", None) != self._age:
            self._local.connection = self._connect()
            self._local.age = self._age
        kept: http.client.HTTPConnection = self._local.connection
        return kept

    def _connect(self) -> http.client.HTTPConnection:
        made = (
            http.client.HTTPSConnection("127.0.0.1", self._port, timeout=60, context=self._tls)
            if self._tls
            else http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        )
        with self._lock:
            self._open.append(made)
        return made


def parsed(body: bytes) -> Any:
    """The JSON value of a body; the text itself where it is none, e.g. of `/readyz`."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")
