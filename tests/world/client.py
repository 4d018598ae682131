"""A small caller for the API: one request, one answer, over connections that are kept."""

import http.client
import json
import select
import ssl
import threading
from typing import Any


class Client:
    """Calls one server from any number of threads; a connection is kept and goes to whoever asks next."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._age = 0

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Ask once; the status and the body of the answer. A connection that breaks is told, never retried."""
        connection, age = self._take()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            read = answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        self._give_back(connection, age)
        return read

    def forget(self) -> None:
        """Close every connection that is not in use, and let none of the others be used again."""
        with self._lock:
            self._age += 1
            for connection in self._idle:
                connection.close()
            self._idle.clear()

    def _take(self) -> tuple[http.client.HTTPConnection, int]:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if not _was_ended(connection):
                    return connection, self._age
                connection.close()
        if self._tls:
            return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=60, context=self._tls), self._age
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=60), self._age

    def _give_back(self, connection: http.client.HTTPConnection, age: int) -> None:
        with self._lock:
            if age == self._age:
                self._idle.append(connection)
                return
        connection.close()


def _was_ended(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed a connection while nobody used it, as the API does after a minute and a half."""
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])


def parsed(body: bytes) -> Any:
    """The JSON value of a body; the text itself where it is none, e.g. of `/readyz`."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")
