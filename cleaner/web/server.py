"""A small HTTP server for a few readers: whatever a client does or leaves undone, the next one is answered."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from selectors import EVENT_READ, DefaultSelector

from cleaner.durations import Seconds
from cleaner.guard import guarded
from cleaner.web.exchange import Answer, Answers, RefusedError, Request, line, read_request, written

LINGER: Seconds = 1.0
"""Time for a client to take its answer in before unread bytes of its own would make the kernel throw both away."""

_UNREAD = 65536
_REST: Seconds = 0.1
_STOPPING: Seconds = 5.0


class _Connection:
    """One client. `patience` is how long it may keep us waiting, all its pauses together: drip by drip, or not reading."""

    def __init__(self, client: socket.socket, patience: Seconds, monotonic: Callable[[], Seconds]) -> None:
        self._socket, self._left, self._monotonic = client, patience, monotonic
        self.waits = True
        self.cut_off = False

    def receive(self) -> bytes:
        return self._timed(lambda: self._socket.recv(4096))

    def send(self, data: bytes) -> None:
        self._timed(lambda: self._socket.sendall(data))

    def _timed(self, act: Callable[[], bytes | None]) -> bytes:
        if self._left <= 0:
            raise TimeoutError
        self._socket.settimeout(self._left)
        began, self.waits = self._monotonic(), True
        try:
            return act() or b""
        finally:
            self._left -= self._monotonic() - began
            self.waits = False

    def part(self) -> None:
        """Say that all is said, and hear the client out for a moment."""
        self._socket.shutdown(socket.SHUT_WR)
        self._left = min(self._left, LINGER)
        unread = _UNREAD
        with contextlib.suppress(TimeoutError):
            while unread > 0 and (heard := self.receive()):
                unread -= len(heard)

    def cut(self) -> None:
        """End it from another thread: what waits for the client wakes up."""
        self.cut_off = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def abort(self) -> None:
        """Throw away what it has not taken: else the kernel would go on offering it."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._socket.close()


class Server:
    """
    Answers GET and HEAD at some paths, a thread for each connection and at most `most` of them.

    Where one more comes, the oldest that waits for its client has to go. A client may keep its connection waiting for `deadline`
    seconds in all; the time that an answer takes to make is ours and does not count. An answer that cannot be made is a 500,
    and `failed` is told; it is called by several threads.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        answers: Answers,
        failed: Callable[[Exception], None],
        *,
        deadline: Seconds = 10.0,
        most: int = 64,
        monotonic: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        self._listen, self._answers, self._failed = listen, answers, failed
        self._deadline, self._most, self._monotonic = deadline, most, monotonic
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._bell, self._ear = socket.socketpair()
        self._stopping = threading.Event()
        self._open: dict[_Connection, threading.Thread] = {}
        self._changed = threading.Condition()

    @property
    def port(self) -> int:
        """The port that is listened on: the one asked for, or the one given where that was 0."""
        return self._listen[1]

    def start(self) -> None:
        """Begin to listen. Raises OSError where the address cannot be had."""
        self._listener = _listener(*self._listen)
        self._listener.setblocking(False)
        self._listen = (self._listen[0], int(self._listener.getsockname()[1]))
        self._thread = threading.Thread(target=self._serve, args=(self._listener,), name="web", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, cut off who is there, and wait for the threads."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._bell.send(b"!")
        if self._thread is not None:
            self._thread.join()
        for listening in (self._listener, self._bell, self._ear):
            if listening is not None:
                listening.close()
        self._cut_all()

    def _cut_all(self) -> None:
        with self._changed:
            left = dict(self._open)
        for connection in left:
            connection.cut()
        until = self._monotonic() + _STOPPING
        for thread in left.values():
            thread.join(max(0.0, until - self._monotonic()))

    def _serve(self, listener: socket.socket) -> None:
        with DefaultSelector() as selector:
            selector.register(listener, EVENT_READ)
            selector.register(self._ear, EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if not self._stopping.is_set():
                    guarded(lambda: self._take(listener), self._rest)

    def _rest(self, error: Exception) -> None:
        """Too many open files, or no more threads: that passes, but not by trying without a pause."""
        self._tell(error)
        self._stopping.wait(_REST)

    def _take(self, listener: socket.socket) -> None:
        self._make_room()
        try:
            client, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        connection = _Connection(client, self._deadline, self._monotonic)
        thread = threading.Thread(target=self._attend, args=(connection,), name="web-client", daemon=True)
        with self._changed:
            self._open[connection] = thread
        guarded(thread.start, lambda error: self._give_up(connection, error))

    def _give_up(self, connection: _Connection, error: Exception) -> None:
        self._forget(connection)
        self._rest(error)

    def _make_room(self) -> None:
        with self._changed:
            while len(self._open) >= self._most and not self._stopping.is_set():
                oldest = next((c for c in self._open if c.waits and not c.cut_off), None)
                if oldest is not None:
                    oldest.cut()
                self._changed.wait(_REST)

    def _forget(self, connection: _Connection) -> None:
        connection.close()
        with self._changed:
            del self._open[connection]
            self._changed.notify_all()

    def _attend(self, connection: _Connection) -> None:
        try:
            self._talk(connection)
        except OSError:
            # A client that leaves, resets or is too slow is no news.
            connection.abort()
        finally:
            self._forget(connection)

    def _talk(self, connection: _Connection) -> None:
        try:
            request = read_request(connection.receive)
        except RefusedError as refused:
            connection.send(written(refused.answer, without_body=False))
        else:
            if request is None:
                return
            connection.send(self._answered(request))
        connection.part()

    def _answered(self, request: Request) -> bytes:
        without_body = request.method == "HEAD"
        made = self._answers.get(request.path)
        return guarded(
            lambda: written(line(404) if made is None else made(request), without_body=without_body),
            lambda error: written(self._unanswered(error), without_body=without_body),
        )

    def _unanswered(self, error: Exception) -> Answer:
        self._tell(error)
        return line(500, "this answer could not be made; the log tells why")

    def _tell(self, error: Exception) -> None:
        guarded(lambda: self._failed(error), _ignored)


def _listener(host: str, port: int) -> socket.socket:
    """Listen on an address; an unspecified one of IPv6 takes IPv4 too, and an empty host is all that there is."""
    host = host.removeprefix("[").removesuffix("]")
    if not host:
        host = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - what an empty host asks for
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server(address[:2], family=family, backlog=128, dualstack_ipv6=both)


def _ignored(_: Exception) -> None:
    """Do nothing: there is nobody left to tell."""
