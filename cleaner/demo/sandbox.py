"""The sandbox: a Kubernetes API server for one machine, over plain HTTP on loopback, with nothing behind it but memory."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from cleaner.demo.answering import Api
from cleaner.demo.conversation import Conversation
from cleaner.demo.store import Store
from cleaner.demo.writing import Writer


class _Listener(socketserver.ThreadingTCPServer):
    """Listens on loopback, one thread a connection, and can end them all."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, api: Api, now: Callable[[], float]) -> None:
        super().__init__(("127.0.0.1", port), Conversation)
        self.api = api
        self.now = now
        self._open: dict[threading.Thread, socket.socket] = {}
        self._guard = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self._converse, args=(request, client_address), name="sandbox-connection", daemon=True)
        with self._guard:
            self._open[thread] = request
        thread.start()

    def _converse(self, request: socket.socket, client_address: Any) -> None:
        try:
            with contextlib.suppress(OSError):  # the client has gone, or was too slow
                self.finish_request(request, client_address)
        finally:
            self.shutdown_request(request)
            with self._guard:
                self._open.pop(threading.current_thread(), None)

    def hang_up(self) -> None:
        """End every connection and wait for its thread."""
        with self._guard:
            connections = list(self._open.items())
        for thread, connection in connections:
            _shut(connection)
            thread.join()


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        connection.shutdown(socket.SHUT_RDWR)


class Sandbox:
    """The server, as a context manager. `now` gives seconds since the epoch; all else has defaults fit for the demo.

    `history` is how many changes can be watched from or paged over, `bookmark_every` is in seconds. Without
    `collect_garbage` it behaves as a kube-apiserver without controllers. Raises OSError when the port is taken.
    """

    def __init__(
        self,
        port: int = 0,
        now: Callable[[], float] = time.time,
        *,
        clock: Callable[[], float] = time.monotonic,
        history: int = 2000,
        bookmark_every: float = 60.0,
        collect_garbage: bool = True,
    ) -> None:
        self.store = Store(history)
        writer = Writer(self.store, now, collect_garbage=collect_garbage)
        writer.ensure_namespace("default")
        self._api = Api(self.store, writer, now, clock)
        self._api.bookmark_every = bookmark_every
        self._listener = _Listener(port, self._api, now)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), name="sandbox", daemon=True)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._listener.server_address[1]}"

    def kubeconfig(self) -> dict[str, Any]:
        """A kubeconfig with the one context `sandbox` and no credentials."""
        context = {"cluster": "sandbox", "user": "sandbox"}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": {"server": self.url}}],
            "users": [{"name": "sandbox", "user": {}}],
            "contexts": [{"name": "sandbox", "context": context}],
            "current-context": "sandbox",
        }

    def start(self) -> Self:
        """Begin to answer; the port was taken when the sandbox was made."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End all watches, connections and threads, and free the port."""
        with self.store.lock:
            self.store.closed = True
            self.store.lock.notify_all()
        if self._thread.is_alive():
            self._listener.shutdown()
            self._thread.join()
        self._listener.hang_up()
        self._listener.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
