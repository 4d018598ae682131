"""What stands where a Pushgateway ought to be: something that refuses, hangs, or is something else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CLOSING = b"Connection: close\r\nContent-Length: "


def answer(status: str, body: bytes = b"", *headers: bytes) -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}".encode(), *headers, CLOSING + str(len(body)).encode(), b"", body]
    return b"\r\n".join(lines)


class Impostor:
    """Listens on loopback, reads a request to its end, and sends what it was given; with nothing to send it is silent."""

    def __init__(self, said: bytes | None, drip: float = 0.0) -> None:
        self._said, self._drip = said, drip
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="impostor")

    def _serve(self) -> None:
        with self._socket:
            while not self._over.is_set():
                try:
                    connection, _ = self._socket.accept()
                except TimeoutError:
                    continue
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        self.requests.append(_request(connection))
        if self._said is None:
            self._over.wait()
            return
        try:
            for start in range(0, len(self._said), 1) if self._drip else (0,):
                connection.sendall(self._said[start : start + 1] if self._drip else self._said)
                if self._over.wait(self._drip):
                    return
        except OSError:  # who asked has gone
            return

    @contextmanager
    def running(self) -> "Iterator[Impostor]":
        """Serve until the end."""
        self._socket.settimeout(0.05)
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._thread.join()


def _request(connection: socket.socket) -> bytes:
    """The head of a request, after its body has been read."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = read.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    left = length - len(body)
    while left > 0 and (more := connection.recv(65536)):
        left -= len(more)
    return head
